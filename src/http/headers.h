// SPDX-License-Identifier: Apache-2.0
// The header fields of one message: an ordered list of views, into the read buffer for what came from the
// wire and into the exchange's arena for what was edited. Names compare without case (RFC 9110 §5.1). Fields
// the gateway cares for have an id, found while parsing, so that looking for one that is absent costs a bit
// test.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"

namespace sluice::http {

enum class HeaderId : std::uint8_t {
  other,
  host,
  connection,
  content_length,
  transfer_encoding,
  keep_alive,
  proxy_connection,
  te,
  trailer,
  upgrade,
  expect,
  x_forwarded_for,
  x_real_ip,
  x_forwarded_proto,
  x_forwarded_host,
  x_forwarded_port,
  server,
  date,
  content_type,
  content_encoding,
  cookie,
  authorization,
  accept,
  accept_encoding,
  origin,
  vary,
  location,
  etag,
  last_modified,
  cache_control,
  referer,
  user_agent,
  set_cookie,
  range,
  forwarded,
  proxy_authorization,
  content_range,
  accept_ranges,
  if_none_match,
  if_modified_since,
  // Nothing here asks for these; what almost every client sends is found faster than it is looked at.
  accept_language,
  sec_fetch_dest,
  sec_fetch_mode,
  sec_fetch_site,
  sec_fetch_user,
  x_request_id,
  pragma,
  traceparent,
  count
};

using HeaderMask = std::uint64_t;
static_assert(static_cast<int>(HeaderId::count) <= 64);
constexpr HeaderMask mask(HeaderId id) { return HeaderMask{1} << static_cast<unsigned>(id); }
template <class... Ids>
constexpr HeaderMask mask(HeaderId first, Ids... rest) { return mask(first) | (mask(rest) | ... | 0); }

// What a proxy does not pass on (RFC 9110 §7.6.1).
inline constexpr HeaderMask hop_by_hop =
    mask(HeaderId::connection, HeaderId::keep_alive, HeaderId::proxy_connection, HeaderId::te,
         HeaderId::trailer, HeaderId::transfer_encoding, HeaderId::upgrade, HeaderId::proxy_authorization);

HeaderId header_id(std::string_view name);
// The same for a name behind whose beginning at least sixteen bytes may be read: faster.
HeaderId header_id_near(const char* name, std::size_t size);

struct Header {
  std::string_view name;
  std::string_view value;
  HeaderId id = HeaderId::other;
  bool raw = false;  // "name: value\r\n" stands in the buffer just so, from name.data() on
};

// A name that is written once, in code or in a configuration, and looked for or set in many messages: what it
// is, is found out when it is made. To be set it must be a valid name, and live longer than the messages.
class FieldName {
 public:
  explicit FieldName(std::string_view text) : text_(text), id_(header_id(text)) {}
  std::string_view text() const { return text_; }
  HeaderId id() const { return id_; }
  bool operator==(const FieldName& other) const;

 private:
  std::string text_;
  HeaderId id_;
};

class Headers {
 public:
  explicit Headers(Arena& arena) : arena_(&arena) {}

  const Header* begin() const { return list_; }
  const Header* end() const { return list_ + count_; }
  std::size_t size() const { return count_; }

  bool has(HeaderId id) const { return (seen_ & mask(id)) != 0; }
  // Whether a field of that id came more than once.
  bool repeated(HeaderId id) const { return (repeated_ & mask(id)) != 0; }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  const Header* find(HeaderId id) const;
  const Header* find(std::string_view name) const { return find(header_id(name), name); }
  const Header* find(const FieldName& name) const { return find(name.id(), name.text()); }
  // The first value, empty when the field is absent.
  std::string_view get(HeaderId id) const;
  std::string_view get(std::string_view name) const;
  // Every value of a list field, joined by ", " (RFC 9110 §5.3).
  std::optional<std::string_view> joined(std::string_view name) const;
  // Which ids are there.
  HeaderMask seen() const { return seen_; }

  // Replaces every field of that name by one, in the place of the first. Controls in a value (a CR or LF out
  // of a template) become spaces, so that no value can end its line; a bad name is not taken.
  void set(std::string_view name, std::string_view value) { set(header_id(name), name, value); }
  void set(HeaderId id, std::string_view name, std::string_view value);
  void set(const FieldName& name, std::string_view value);
  void add(std::string_view name, std::string_view value) { add(header_id(name), name, value); }
  void add(const FieldName& name, std::string_view value) {
    append({name.text(), tame(value), name.id(), false});
  }
  void remove(std::string_view name) { erase(header_id(name), name, 0); }
  void remove(const FieldName& name) { erase(name.id(), name.text(), 0); }
  void remove(HeaderId id);
  // Appends without copying: the caller's bytes live as long as the arena.
  void append(const Header& header) { took(next() = header); }
  // The same in two steps: room for a field, and its arrival, once it is filled.
  Header& next() {
    if (count_ == capacity_) grow();
    return list_[count_];
  }
  void took(const Header& field) {
    ++count_;
    repeated_ |= seen_ & mask(field.id);
    seen_ |= mask(field.id);
  }
  void clear() {
    count_ = 0;
    seen_ = repeated_ = 0;
  }

  Arena& arena() const { return *arena_; }

 private:
  bool matches(const Header& header, HeaderId id, std::string_view name) const;
  const Header* find(HeaderId id, std::string_view name) const;
  // False when there is none to replace.
  bool replace(HeaderId id, std::string_view name, std::string_view value);
  void add(HeaderId id, std::string_view name, std::string_view value);
  void erase(HeaderId id, std::string_view name, std::size_t from);
  void grow();
  std::string_view tame(std::string_view value) const;

  Arena* arena_;
  Header* list_ = nullptr;
  std::uint32_t count_ = 0;
  std::uint32_t capacity_ = 0;
  HeaderMask seen_ = 0;
  HeaderMask repeated_ = 0;
};

// Whether a comma-separated list holds the token, without case.
bool has_token(std::string_view list, std::string_view token);
bool equal_ignoring_case(std::string_view a, std::string_view b);
// A field name is a token (RFC 9110 §5.6.2); a value has no CR, LF, NUL or other control but tab.
bool valid_name(std::string_view name);
bool valid_value(std::string_view value);

}  // namespace sluice::http
