// SPDX-License-Identifier: Apache-2.0
#include "base/cidr.h"

#include <algorithm>
#include <bit>

#include "base/text.h"

namespace sluice {
namespace {

std::uint64_t top_bits(unsigned count) { return count == 0 ? 0 : ~0ull << (64 - count); }

IpAddress masked(const IpAddress& address, unsigned prefix) {
  if (address.is_v4()) {
    return IpAddress::v4(address.v4_value() & static_cast<std::uint32_t>(top_bits(prefix) >> 32));
  }
  if (prefix >= 64) return IpAddress::v6(address.high(), address.low() & top_bits(prefix - 64));
  return IpAddress::v6(address.high() & top_bits(prefix), 0);
}

}  // namespace

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto bad = [&](std::string_view why) {
    return fail(ErrorKind::protocol, "\"" + std::string(text.substr(0, 64)) + "\" " + std::string(why));
  };
  const std::string_view address_text = text.substr(0, slash);
  const auto address = IpAddress::parse(address_text);
  if (!address) return bad("is not an IP address or CIDR network such as 10.0.0.0/8 or 2001:db8::/32");
  const bool written_as_v6 = address_text.find(':') != std::string_view::npos;
  const unsigned longest = written_as_v6 ? 128 : 32;
  unsigned prefix = longest;
  if (slash != std::string_view::npos) {
    const auto number = parse_unsigned(text.substr(slash + 1));
    if (!number || *number > longest)
      return bad("needs a prefix length from 0 to " + std::to_string(longest) + " after the slash");
    prefix = static_cast<unsigned>(*number);
  }
  if (written_as_v6 && address->is_v4()) {  // ::ffff:1.2.3.4/120
    if (prefix < 96)
      return bad("is an IPv4-mapped address with a prefix shorter than 96: write the IPv4 network");
    prefix -= 96;
  }
  return Cidr{masked(*address, prefix), static_cast<std::uint8_t>(prefix)};
}

bool Cidr::contains(const IpAddress& address) const {
  return address.is_v6() == network.is_v6() && masked(address, prefix) == network;
}

std::string Cidr::text() const {
  const unsigned longest = network.is_v6() ? 128 : 32;
  return prefix == longest ? network.text() : network.text() + "/" + std::to_string(prefix);
}

CidrSet::CidrSet(std::span<const Cidr> networks) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> narrow;
  std::vector<WideRange> wide;
  for (const Cidr& cidr : networks) {
    if (cidr.network.is_v4()) {
      const auto first = cidr.network.v4_value();
      narrow.emplace_back(first, first | ~static_cast<std::uint32_t>(top_bits(cidr.prefix) >> 32));
    } else {
      const Wide first = static_cast<Wide>(cidr.network.high()) << 64 | cidr.network.low();
      const Wide host_bits = cidr.prefix == 0 ? ~Wide{0} : (Wide{1} << (128 - cidr.prefix)) - 1;
      wide.push_back({first, first | host_bits});
    }
  }
  std::sort(narrow.begin(), narrow.end());
  for (const auto& [first, last] : narrow) {
    if (!v4_last_.empty() && (v4_last_.back() == ~0u || first <= v4_last_.back() + 1)) {
      v4_last_.back() = std::max(v4_last_.back(), last);
    } else {
      v4_first_.push_back(first);
      v4_last_.push_back(last);
    }
  }
  v4_first_.shrink_to_fit();
  v4_last_.shrink_to_fit();
  std::sort(wide.begin(), wide.end(),
            [](const WideRange& a, const WideRange& b) { return a.first < b.first; });
  for (const WideRange& range : wide) {
    if (!v6_.empty() && range.first <= v6_.back().last) {
      v6_.back().last = std::max(v6_.back().last, range.last);
    } else {
      v6_.push_back(range);
    }
  }
  v6_.shrink_to_fit();
  index();
}

void CidrSet::index() {
  const std::size_t count = v4_first_.size();
  if (count < 16) return;  // a short search needs no index
  const unsigned bits = std::min(16u, static_cast<unsigned>(std::bit_width(count)));
  index_shift_ = 32 - bits;
  const std::size_t buckets = std::size_t{1} << bits;
  index_.resize(buckets + 1);
  std::size_t at = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const auto start = static_cast<std::uint32_t>(bucket << index_shift_);
    while (at < count && v4_last_[at] < start) ++at;
    index_[bucket] = static_cast<std::uint32_t>(at);
  }
  index_[buckets] = static_cast<std::uint32_t>(count);
}

bool CidrSet::contains(const IpAddress& address) const {
  if (address.is_v6()) {
    const Wide key = static_cast<Wide>(address.high()) << 64 | address.low();
    auto after =
        std::upper_bound(v6_.begin(), v6_.end(), key, [](Wide k, const WideRange& r) { return k < r.first; });
    return after != v6_.begin() && key <= std::prev(after)->last;
  }
  const std::uint32_t key = address.v4_value();
  std::size_t low = 0, high = v4_last_.size();
  if (!index_.empty()) {
    const std::size_t bucket = key >> index_shift_;
    low = index_[bucket];
    high = std::min<std::size_t>(index_[bucket + 1] + 1, high);
  }
  // The first range whose end is not below the address is the only one that can hold it.
  const auto found = std::lower_bound(v4_last_.begin() + static_cast<std::ptrdiff_t>(low),
                                      v4_last_.begin() + static_cast<std::ptrdiff_t>(high), key);
  return found != v4_last_.end() && v4_first_[static_cast<std::size_t>(found - v4_last_.begin())] <= key;
}

Result<CidrSet> CidrSet::parse(std::span<const std::string> texts) {
  std::vector<Cidr> networks;
  networks.reserve(texts.size());
  for (const std::string& text : texts) {
    auto cidr = Cidr::parse(text);
    if (!cidr) return std::unexpected(std::move(cidr.error()));
    networks.push_back(*cidr);
  }
  return CidrSet(networks);
}

std::size_t CidrSet::memory_bytes() const {
  return sizeof *this +
         (v4_first_.capacity() + v4_last_.capacity() + index_.capacity()) * sizeof(std::uint32_t) +
         v6_.capacity() * sizeof(WideRange);
}

}  // namespace sluice
