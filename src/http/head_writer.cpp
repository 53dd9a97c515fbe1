// SPDX-License-Identifier: Apache-2.0
#include "http/head_writer.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "http/bytes.h"

namespace sluice::http {

void HeadWriter::grow(std::size_t size) {
  settle();
  out_.grow((out_.size() + size) * 2);
  at_ = out_.tail();
  end_ = at_ + out_.room();
}

HeadWriter& HeadWriter::number(std::uint64_t value) {
  constexpr std::size_t digits_max = 20;
  if (static_cast<std::size_t>(end_ - at_) < digits_max) [[unlikely]] grow(digits_max);
  std::size_t digits = 1;
  for (std::uint64_t bound = 10; value >= bound && digits < digits_max; bound *= 10) ++digits;
  at_ += digits;
  char* at = at_;
  do *--at = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  return *this;
}

HeadWriter& HeadWriter::fields(const Headers& headers, HeaderMask skip) {
  skip &= ~mask(HeaderId::other);
  for (const Header* field = headers.begin(); field != headers.end();) {
    if (skip & mask(field->id)) {
      ++field;
      continue;
    }
    if (!field->raw) {
      this->field(field->name, field->value);
      ++field;
      continue;
    }
    const char* start = field->name.data();
    const char* stop = field->value.data() + field->value.size() + 2;  // behind the CRLF
    for (++field;
         field != headers.end() && field->raw && field->name.data() == stop && !(skip & mask(field->id));
         ++field) {
      stop = field->value.data() + field->value.size() + 2;
    }
    text({start, static_cast<std::size_t>(stop - start)});
  }
  return *this;
}

std::string_view chunk_head(std::size_t size, std::array<char, 20>& into) {
  char* end = std::to_chars(into.data(), into.data() + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {into.data(), static_cast<std::size_t>(end - into.data())};
}

void write_last_chunk(const Headers* trailers, net::Buffer& out) {
  constexpr HeaderMask misplaced = hop_by_hop | mask(HeaderId::content_length, HeaderId::host,
                                                     HeaderId::authorization, HeaderId::content_type);
  HeadWriter writer(out);
  writer.text("0\r\n");
  if (trailers != nullptr) writer.fields(*trailers, misplaced);
  writer.end();
}

void remove_nominated(Headers& headers) {
  constexpr HeaderMask kept = mask(HeaderId::host, HeaderId::content_length, HeaderId::transfer_encoding,
                                   HeaderId::connection, HeaderId::authorization, HeaderId::content_type);
  std::string_view lists[8];
  std::size_t count = 0;
  for (const Header& field : headers) {
    if (field.id == HeaderId::connection && count < std::size(lists)) lists[count++] = field.value;
  }
  for (std::string_view list : std::span(lists, count)) {
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      const std::string_view name = trim_spaces(list.substr(0, comma));
      list.remove_prefix(std::min(comma + 1, list.size()));
      const HeaderId id = header_id(name);
      if (name.empty() || (id != HeaderId::other && (mask(id) & (kept | hop_by_hop)))) continue;
      if (!equal_ignoring_case(name, "close")) headers.remove(name);
    }
  }
}

}  // namespace sluice::http
