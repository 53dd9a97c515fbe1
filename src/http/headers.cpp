// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "http/bytes.h"

namespace sluice::http {
namespace {

struct Known {
  std::string_view name;  // in lower case
  HeaderId id;
};

// What nearly every message has comes first and together.
constexpr std::array known{
    Known{"host", HeaderId::host},
    Known{"user-agent", HeaderId::user_agent},
    Known{"accept", HeaderId::accept},
    Known{"accept-encoding", HeaderId::accept_encoding},
    Known{"accept-language", HeaderId::accept_language},
    Known{"cookie", HeaderId::cookie},
    Known{"referer", HeaderId::referer},
    Known{"cache-control", HeaderId::cache_control},
    Known{"sec-fetch-dest", HeaderId::sec_fetch_dest},
    Known{"sec-fetch-mode", HeaderId::sec_fetch_mode},
    Known{"sec-fetch-site", HeaderId::sec_fetch_site},
    Known{"x-request-id", HeaderId::x_request_id},
    Known{"content-type", HeaderId::content_type},
    Known{"content-length", HeaderId::content_length},
    Known{"connection", HeaderId::connection},
    Known{"date", HeaderId::date},
    Known{"server", HeaderId::server},
    Known{"authorization", HeaderId::authorization},
    Known{"sec-fetch-user", HeaderId::sec_fetch_user},
    Known{"pragma", HeaderId::pragma},
    Known{"traceparent", HeaderId::traceparent},
    Known{"te", HeaderId::te},
    Known{"etag", HeaderId::etag},
    Known{"vary", HeaderId::vary},
    Known{"range", HeaderId::range},
    Known{"expect", HeaderId::expect},
    Known{"origin", HeaderId::origin},
    Known{"upgrade", HeaderId::upgrade},
    Known{"trailer", HeaderId::trailer},
    Known{"location", HeaderId::location},
    Known{"x-real-ip", HeaderId::x_real_ip},
    Known{"forwarded", HeaderId::forwarded},
    Known{"keep-alive", HeaderId::keep_alive},
    Known{"set-cookie", HeaderId::set_cookie},
    Known{"last-modified", HeaderId::last_modified},
    Known{"content-range", HeaderId::content_range},
    Known{"accept-ranges", HeaderId::accept_ranges},
    Known{"if-none-match", HeaderId::if_none_match},
    Known{"x-forwarded-for", HeaderId::x_forwarded_for},
    Known{"proxy-connection", HeaderId::proxy_connection},
    Known{"x-forwarded-host", HeaderId::x_forwarded_host},
    Known{"x-forwarded-port", HeaderId::x_forwarded_port},
    Known{"content-encoding", HeaderId::content_encoding},
    Known{"transfer-encoding", HeaderId::transfer_encoding},
    Known{"x-forwarded-proto", HeaderId::x_forwarded_proto},
    Known{"if-modified-since", HeaderId::if_modified_since},
    Known{"proxy-authorization", HeaderId::proxy_authorization},
};

constexpr std::size_t longest_known = 19;
constexpr std::size_t places = 256;

// Its last four letters and its length tell a known name from the others.
using Tail = std::uint32_t;
constexpr std::size_t place_of(Tail tail, std::size_t size, std::uint32_t factor) {
  return ((tail | 0x20202020) + static_cast<std::uint32_t>(size)) * factor >> 24;
}
static_assert(places == 1 << 8);

// The tail of a name of any length, letter by letter.
constexpr Tail tail_of(std::string_view name) {
  Tail tail = 0;
  for (std::size_t i = 0; i < std::min(name.size(), sizeof tail); ++i)
    tail = tail << 8 | static_cast<unsigned char>(name[name.size() - 1 - i]);
  return std::endian::native == std::endian::little ? tail : __builtin_bswap32(tail);
}
constexpr std::size_t place_of(std::string_view name, std::uint32_t factor) {
  return place_of(tail_of(name), name.size(), factor);
}

// A factor under which no two known names fall into one place: found when this is compiled.
constexpr unsigned perfect_factor = [] {
  for (std::uint32_t factor = 0x9E3779B1; factor != 0x9E3779B1 + 8000 * 2; factor += 2) {
    std::array<bool, places> taken{};
    bool clash = false;
    for (const Known& k : known) {
      bool& place = taken[place_of(k.name, factor)];
      clash |= place;
      place = true;
      if (clash) break;
    }
    if (!clash) return factor;
  }
  return 0u;
}();
static_assert(perfect_factor != 0);

// What the names are compared with, packed: a request looks up a dozen, and each look should find its line.
struct alignas(32) Candidate {
  std::array<char, 28> name{};  // in lower case, padded
  std::uint16_t first = 0;      // a bit for each of the first sixteen letters
  std::uint8_t size = 0;
  HeaderId id = HeaderId::other;
};
static_assert(sizeof(Candidate) == 32);

constexpr auto candidates = [] {
  std::array<Candidate, known.size() + 1> table{};  // the first is none
  for (std::size_t i = 0; i < known.size(); ++i) {
    std::ranges::copy(known[i].name, table[i + 1].name.begin());
    table[i + 1].size = static_cast<std::uint8_t>(known[i].name.size());
    table[i + 1].first =
        static_cast<std::uint16_t>((1u << std::min<std::size_t>(known[i].name.size(), 16)) - 1);
    table[i + 1].id = known[i].id;
  }
  return table;
}();

constexpr auto by_place = [] {
  std::array<std::uint8_t, places> table{};
  for (std::size_t i = 0; i < known.size(); ++i)
    table[place_of(known[i].name, perfect_factor)] = static_cast<std::uint8_t>(i + 1);
  return table;
}();

template <class Word>
bool same_word(const char* token, const char* lower) {
  Word a, b;
  std::memcpy(&a, token, sizeof a);
  std::memcpy(&b, lower, sizeof b);
  const Word letters = static_cast<Word>((b >> 1) & static_cast<Word>(0x2020202020202020));
  return static_cast<Word>(a | letters) == b;
}

// Whether any bytes are `lower`, which has letters and hyphens only, but for their case: bit 5 is set where a
// letter has to stand, and a hyphen must be one (a CR with bit 5 set would look like it). Words overlap, so
// that no length needs a loop.
bool same_token(const char* token, const char* lower, std::size_t size) {
  if (size >= 8) {
    return same_word<std::uint64_t>(token, lower) &&
           same_word<std::uint64_t>(token + size - 8, lower + size - 8) &&
           (size <= 16 || same_word<std::uint64_t>(token + 8, lower + 8));
  }
  if (size >= 4) {
    return same_word<std::uint32_t>(token, lower) &&
           same_word<std::uint32_t>(token + size - 4, lower + size - 4);
  }
  return size >= 2 && same_word<std::uint16_t>(token, lower) && (token[size - 1] | 0x20) == lower[size - 1];
}

#if defined(__SSE2__)
// The same of sixteen bytes, a bit for each.
unsigned same_sixteen(const char* token, const char* lower) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(token));
  const __m128i wanted = _mm_loadu_si128(reinterpret_cast<const __m128i*>(lower));
  const __m128i letters = _mm_and_si128(_mm_srli_epi16(wanted, 1), _mm_set1_epi8(0x20));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(bytes, letters), wanted)));
}

// Whether sixteen bytes are all letters, digits and '-': what nearly every field name is made of.
bool sixteen_plain(const char* text) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
  const auto between = [](__m128i value, char least, char most) {
    return _mm_and_si128(_mm_cmpgt_epi8(value, _mm_set1_epi8(static_cast<char>(least - 1))),
                         _mm_cmplt_epi8(value, _mm_set1_epi8(static_cast<char>(most + 1))));
  };
  const __m128i letters = between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
  const __m128i others = _mm_or_si128(between(bytes, '0', '9'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
  return _mm_movemask_epi8(_mm_or_si128(letters, others)) == 0xffff;
}
#endif

}  // namespace

HeaderId header_id(std::string_view name) {
  if (name.size() > longest_known || name.empty()) return HeaderId::other;
  const Candidate& known_name = candidates[by_place[place_of(name, perfect_factor)]];
  if (known_name.size != name.size() || !same_token(name.data(), known_name.name.data(), name.size()))
    return HeaderId::other;
  return known_name.id;
}

HeaderId header_id_near(const char* name, std::size_t size) {
#if defined(__SSE2__)
  Tail tail;
  if (size < sizeof tail || size > longest_known) return header_id({name, size});
  std::memcpy(&tail, name + size - sizeof tail, sizeof tail);
  const Candidate& known_name = candidates[by_place[place_of(tail, size, perfect_factor)]];
  const bool begins_so = (same_sixteen(name, known_name.name.data()) & known_name.first) == known_name.first;
  if (known_name.size != size || !begins_so) return HeaderId::other;
  if (size > 16) {  // the two looks overlap
    const std::size_t rest = size - 16;
    if (same_sixteen(name + rest, known_name.name.data() + rest) != 0xffff) return HeaderId::other;
  }
  return known_name.id;
#else
  return header_id({name, size});
#endif
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return true;  // written alike, as names mostly are
  for (std::size_t i = a.size(); i-- > 0;) {  // names that begin alike are many, those that end so are few
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

bool FieldName::operator==(const FieldName& other) const { return equal_ignoring_case(text_, other.text_); }

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trim_spaces(list.substr(0, comma)), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool valid_name(std::string_view name) {
#if defined(__SSE2__)
  if (name.size() >= 16 && sixteen_plain(name.data())) {
    const std::string_view rest = name.substr(16);
    if (rest.size() >= 16 ? sixteen_plain(rest.data()) && std::ranges::all_of(rest.substr(16), is_token)
                          : rest.empty() || sixteen_plain(name.data() + name.size() - 16))
      return true;
  }
#endif
  return !name.empty() && std::ranges::all_of(name, is_token);
}

bool valid_value(std::string_view value) { return std::ranges::all_of(value, is_field_byte); }

bool Headers::matches(const Header& header, HeaderId id, std::string_view name) const {
  return header.id == id && (id != HeaderId::other || (header.name.size() == name.size() &&
                                                       equal_ignoring_case(header.name, name)));
}

const Header* Headers::find(HeaderId id) const {
  if (!has(id)) return nullptr;
  for (const Header& header : *this) {
    if (header.id == id) return &header;
  }
  return nullptr;
}

const Header* Headers::find(HeaderId id, std::string_view name) const {
  if (id != HeaderId::other) return find(id);
  for (const Header& header : *this) {
    if (matches(header, id, name)) return &header;
  }
  return nullptr;
}

std::string_view Headers::get(HeaderId id) const {
  const Header* header = find(id);
  return header == nullptr ? std::string_view() : header->value;
}

std::string_view Headers::get(std::string_view name) const {
  const Header* header = find(name);
  return header == nullptr ? std::string_view() : header->value;
}

std::optional<std::string_view> Headers::joined(std::string_view name) const {
  const HeaderId id = header_id(name);
  if (id != HeaderId::other && !has(id)) return std::nullopt;
  std::optional<std::string_view> all;
  for (const Header& header : *this) {
    if (!matches(header, id, name)) continue;
    all = all ? arena_->join(*all, std::string_view(", "), header.value) : header.value;
  }
  return all;
}

std::string_view Headers::tame(std::string_view value) const {
  if (scan_field(value.data(), value.data() + value.size()) == value.data() + value.size())
    return arena_->copy(value);
  char* text = arena_->text(value.size());
  std::ranges::transform(value, text, [](char c) { return is_field_byte(c) ? c : ' '; });
  return {text, value.size()};
}

bool Headers::replace(HeaderId id, std::string_view name, std::string_view value) {
  if (!has(id)) return false;
  for (std::size_t i = 0; i < count_; ++i) {
    if (!matches(list_[i], id, name)) continue;
    list_[i] = {list_[i].name, tame(value), id, false};
    erase(id, name, i + 1);
    return true;
  }
  return false;
}

void Headers::set(HeaderId id, std::string_view name, std::string_view value) {
  if (!replace(id, name, value)) add(id, name, value);
}

void Headers::set(const FieldName& name, std::string_view value) {
  if (!replace(name.id(), name.text(), value)) add(name, value);
}

void Headers::add(HeaderId id, std::string_view name, std::string_view value) {
  if (valid_name(name)) append({arena_->copy(name), tame(value), id, false});
}

void Headers::remove(HeaderId id) {
  if (has(id)) erase(id, {}, 0);
}

void Headers::erase(HeaderId id, std::string_view name, std::size_t from) {
  if (!has(id)) return;
  auto* kept =
      std::remove_if(list_ + from, list_ + count_, [&](const Header& h) { return matches(h, id, name); });
  count_ = static_cast<std::uint32_t>(kept - list_);
  if (from == 0 && id != HeaderId::other) seen_ &= ~mask(id);
}

void Headers::grow() {
  const std::uint32_t bigger = capacity_ == 0 ? 24 : capacity_ * 2;
  auto* list = arena_->array<Header>(bigger);
  std::uninitialized_copy(list_, list_ + count_, list);
  list_ = list;
  capacity_ = bigger;
}

}  // namespace sluice::http
