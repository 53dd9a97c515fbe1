// SPDX-License-Identifier: Apache-2.0
// Identifiers that no two things share, in the forms people use. They are made of the thread's generator and
// are no secrets. `wall` is nanoseconds since 1970.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

// A version 4 UUID (RFC 9562 §5.4): 36 characters.
void append_uuid(std::string& out);
// A version 7 UUID (RFC 9562 §5.7): 36 characters that sort by the millisecond they were made in.
void append_uuid_v7(std::int64_t wall, std::string& out);
// 21 characters of "-_0-9a-zA-Z": 126 bits.
void append_nanoid(std::string& out);
// A KSUID: 27 characters of base 62, second and 128 bits, that sort by the second they were made in.
void append_ksuid(std::int64_t wall, std::string& out);
// `length` characters of `set`, which is not empty.
void append_characters(std::string_view set, std::size_t length, std::string& out);

}  // namespace sluice
