// SPDX-License-Identifier: Apache-2.0
// Classes of bytes in HTTP/1.1 messages (RFC 9110 §5.6, RFC 9112 §3), as tables, and the few ASCII helpers
// that the parser and the header list share. No locale, no allocation.
#pragma once
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <string_view>

namespace sluice::http {

namespace detail {
struct ByteTables {
  std::array<bool, 256> token{}, field{}, target{};
  constexpr ByteTables() {
    for (int c = 0; c < 256; ++c) {
      const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      token[c] = alphanumeric;
      field[c] = (c >= 0x20 && c != 0x7f) || c == '\t';
      target[c] = c > 0x20 && c != 0x7f;
    }
    for (char c : std::string_view("!#$%&'*+-.^_`|~")) token[static_cast<unsigned char>(c)] = true;
  }
};
inline constexpr ByteTables tables;
}  // namespace detail

constexpr bool is_token(char c) { return detail::tables.token[static_cast<unsigned char>(c)]; }
constexpr bool is_field_byte(char c) { return detail::tables.field[static_cast<unsigned char>(c)]; }
constexpr bool is_target_byte(char c) { return detail::tables.target[static_cast<unsigned char>(c)]; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The colon behind a field name, when it is near enough for a name that is known; else anything else.
inline const char* find_near_colon(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i colon = _mm_set1_epi8(':');
  for (int step = 0; step < 2 && end - at >= 16; ++step, at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, colon));
    if (found != 0) return at + __builtin_ctz(static_cast<unsigned>(found));
  }
  if (end - at >= 16) return at;
#endif
  while (at < end && *at != ':') ++at;
  return at;
}

#if defined(__SSE2__)
namespace detail {
// Which of sixteen bytes may not stand in a field value, a bit for each.
inline unsigned bad_field_bytes(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
  const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del)));
}
}  // namespace detail
#endif

// Behind the last byte of a field value that begins at `at`: the first byte that may not stand in one (RFC
// 9110 §5.5), or `end`. Sixteen bytes a step where the processor can, at the end too when what stands before
// `at`, from `readable` on, may be looked at again.
inline const char* scan_field(const char* at, const char* end, const char* readable) {
#if defined(__SSE2__)
  for (; end - at >= 16; at += 16) {
    if (const unsigned found = detail::bad_field_bytes(at); found != 0) return at + __builtin_ctz(found);
  }
  if (end - readable >= 16) {
    const unsigned found = detail::bad_field_bytes(end - 16) >> (16 - (end - at));
    return found != 0 ? at + __builtin_ctz(found) : end;
  }
#endif
  while (at < end && is_field_byte(*at)) ++at;
  return at;
}
inline const char* scan_field(const char* at, const char* end) { return scan_field(at, end, at); }

// A request target at one look. The bytes may be anything.
struct TargetLook {
  const char* end;    // its end: the first byte that may not stand in a target, or the end of what is there
  const char* mark;   // its first '?' or '#', or its end
  bool plain_path;    // the path before it has no escape, no double slash, no segment that begins with a dot
};

inline TargetLook look_at_target(const char* at, const char* end) {
  TargetLook look{at, nullptr, true};
  bool behind_slash = false;
#if defined(__SSE2__)
  const auto are = [](__m128i bytes, char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
  const auto bits = [](__m128i which) { return static_cast<unsigned>(_mm_movemask_epi8(which)); };
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x20)), bytes);
    const unsigned ends = bits(_mm_or_si128(control, are(bytes, 0x7f)));
    if (look.mark == nullptr) {
      const unsigned marks = bits(_mm_or_si128(are(bytes, '?'), are(bytes, '#')));
      const unsigned slashes = bits(are(bytes, '/'));
      const unsigned stops = ends | marks;
      const unsigned path = stops == 0 ? 0xffff : (stops & -stops) - 1;
      const unsigned behind = slashes << 1 | static_cast<unsigned>(behind_slash);
      const unsigned odd = bits(are(bytes, '%')) | (behind & (slashes | bits(are(bytes, '.'))));
      if ((odd & path) != 0) look.plain_path = false;
      if ((marks & (path + 1)) != 0) look.mark = at + __builtin_ctz(marks);
      behind_slash = (slashes >> 15) != 0;
    }
    if (ends == 0) continue;
    look.end = at + __builtin_ctz(ends);
    if (look.mark == nullptr) look.mark = look.end;
    return look;
  }
#endif
  for (; at < end && is_target_byte(*at); ++at) {
    if (look.mark != nullptr) continue;
    if (*at == '?' || *at == '#') look.mark = at;
    else if (*at == '%' || (behind_slash && (*at == '/' || *at == '.'))) look.plain_path = false;
    behind_slash = *at == '/';
  }
  look.end = at;
  if (look.mark == nullptr) look.mark = at;
  return look;
}

// How long the host of an authority is that has only small letters, digits, '-', '.' and ':', as most have;
// npos when a closer look is needed. Everything from `readable` to the authority may be read.
inline std::size_t end_of_plain_host([[maybe_unused]] std::string_view authority,
                                     [[maybe_unused]] const char* readable) {
#if defined(__SSE2__)
  const std::size_t size = authority.size();
  if (size == 0 || size > 16 || authority.data() + size - readable < 16) return std::string_view::npos;
  const auto between = [](__m128i bytes, char least, char most) {
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(least - 1))),
                         _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(most + 1))));
  };
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(authority.data() + size - 16));
  const __m128i good = _mm_or_si128(
      _mm_or_si128(between(bytes, 'a', 'z'), between(bytes, '0', ':')), between(bytes, '-', '.'));
  const std::size_t before = 16 - size;
  if (static_cast<unsigned>(_mm_movemask_epi8(good)) >> before != (1u << size) - 1)
    return std::string_view::npos;
  const auto colons = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(':'))));
  const unsigned found = colons >> before;
  return found == 0 ? size : static_cast<std::size_t>(__builtin_ctz(found));
#else
  return std::string_view::npos;
#endif
}

constexpr std::string_view trim_spaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace sluice::http
