// SPDX-License-Identifier: Apache-2.0
// Fields that are put into messages as the lines they go over the wire as, behind one another, so that they
// are sent as one piece of text.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace sluice::http {

// How long some names are, a bit for each length: a quick no to whether a message has a field of one of them.
class NameLengths {
 public:
  template <class... Names>
  explicit NameLengths(const Names&... names) : bits_((bit_of(names) | ... | 0)) {}
  void add(std::string_view name) { bits_ |= bit_of(name); }
  bool may_be_in(const Headers& headers) const {
    std::uint64_t there = 0;
    for (const Header& header : headers) there |= bit_of(header.name);
    return (bits_ & there) != 0;
  }

 private:
  static std::uint64_t bit_of(std::string_view name) { return std::uint64_t{1} << name.size() % 64; }
  std::uint64_t bits_ = 0;
};

// Lines written for one message, into its arena.
class FieldLines {
 public:
  static constexpr std::size_t line_bytes = 4;  // what a line has besides its name and value

  // `bytes`: room for every line that will be added.
  FieldLines(Headers& headers, std::size_t bytes)
      : headers_(&headers), at_(headers.arena().text(bytes)) {}
  // The value is one that may stand in a field, and the message has no field of that name.
  void add(const FieldName& name, std::string_view value) { add(name.text(), name.id(), value); }
  void add(std::string_view name, HeaderId id, std::string_view value) {
    char* const start = at_;
    put(name);
    put(": ");
    put(value);
    put("\r\n");
    headers_->append({{start, name.size()}, {start + name.size() + 2, value.size()}, id, true});
  }

 private:
  void put(std::string_view part) {
    std::memcpy(at_, part.data(), part.size());
    at_ += part.size();
  }
  Headers* headers_;
  char* at_;
};

// Lines written once, for many messages, which it outlives.
class FixedFields {
 public:
  FixedFields() = default;
  struct Line {
    const FieldName* name;  // outlives this
    std::string value;      // what may not stand in one becomes a space
  };
  explicit FixedFields(const std::vector<Line>& lines);
  // Each replaces the fields of its name.
  void put(Headers& headers) const;

 private:
  std::unique_ptr<char[]> text_;
  NameLengths lengths_;
  std::vector<Header> fields_;
};

}  // namespace sluice::http
