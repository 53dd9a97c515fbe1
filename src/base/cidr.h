// SPDX-License-Identifier: Apache-2.0
// Networks ("10.0.0.0/8", "2001:db8::/32", a single address) and sets of them. A set is compiled once from
// any number of networks into sorted, merged ranges with an index in front, then asked on every request by
// any thread: the question costs a few tens of nanoseconds also with tens of thousands of networks, and never
// allocates.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace sluice {

struct Cidr {
  IpAddress network;        // host bits are zero
  std::uint8_t prefix = 0;  // 0–32 for IPv4, 0–128 for IPv6

  // The error says what is wrong with the text.
  static Result<Cidr> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  std::string text() const;  // with the prefix only when it is shorter than the whole address
  auto operator<=>(const Cidr&) const = default;
};

class CidrSet {
 public:
  CidrSet() = default;  // contains nothing
  explicit CidrSet(std::span<const Cidr> networks);
  // The first text that is no network fails the whole.
  static Result<CidrSet> parse(std::span<const std::string> texts);

  bool contains(const IpAddress& address) const;
  bool empty() const { return v4_first_.empty() && v6_.empty(); }
  std::size_t memory_bytes() const;

 private:
  __extension__ using Wide = unsigned __int128;
  struct WideRange {
    Wide first, last;
  };

  void index();

  // IPv4: ranges in two parallel arrays; index_[top bits] is the first range that may hold such an address.
  std::vector<std::uint32_t> v4_first_, v4_last_;
  std::vector<std::uint32_t> index_;
  unsigned index_shift_ = 32;
  std::vector<WideRange> v6_;
};

}  // namespace sluice
