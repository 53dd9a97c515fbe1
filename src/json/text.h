// SPDX-License-Identifier: Apache-2.0
// JSON and YAML text to values and back. The bytes may come from anywhere: depth and size are bounded, UTF-8
// is checked, nothing recurses without limit. Errors of JSON carry lua-cjson's words and character position,
// because that is what operators of APISIX (and its test suite) have seen so far. Pure functions, any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"

namespace sluice::json {

struct Limits {
  std::uint32_t depth = 64;        // nested arrays and objects
  std::size_t bytes = 64u << 20;   // of text
  std::size_t values = 4'000'000;  // in all, aliases of YAML counted as often as they are used
};

// RFC 8259. Of members with the same key the last one counts. Error: ErrorKind::protocol, Fault::client.
Result<Value> parse(std::string_view text, Limits limits = {});

// The first document of a YAML text. Plain scalars are typed as APISIX reads them: true/false, integers
// (decimal and 0x), floats, null, ~; everything quoted and everything else is a string.
Result<Value> parse_yaml(std::string_view text, Limits limits = {});

enum class Style : std::uint8_t { compact, pretty };

// Numbers in their shortest form, 7.0 as 7. A number that is not finite has no JSON: it ends the process,
// since no parser here lets one in.
std::string dump(const Value& value, Style style = Style::compact);
void append(std::string& out, const Value& value);
// YAML in blocks, with a line end; `parse_yaml` reads it back as the same value, and so do readers of
// YAML 1.1. Texts that a reader might take for something else are quoted, those of several lines stand as
// they are where they can, and nothing in it looks like a variable of json/environment.h. Numbers as above.
std::string dump_yaml(const Value& value);
// A string with its quotes.
void append_quoted(std::string& out, std::string_view text);

// What APISIX's PATCH does to a resource: members are merged recursively, null removes a member, everything
// else (arrays too) is replaced as a whole.
void merge_patch(Value& target, const Value& patch);

// PATCH of a sub-path such as "plugins/limit-count/count" (already percent-decoded): walks objects, creates
// missing ones, replaces the last (null removes it). Error: what stands in the way, in APISIX's words.
Result<> patch_path(Value& target, std::string_view path, Value leaf);

// The value at a path such as "/plugins/limit-count/count" or "/nodes/0/host" (RFC 6901); null pointer when
// absent.
const Value* at_pointer(const Value& value, std::string_view pointer);
Value* at_pointer(Value& value, std::string_view pointer);
// A key as one segment of such a path: ~ is ~0, / is ~1.
std::string pointer_segment(std::string_view key);

}  // namespace sluice::json
