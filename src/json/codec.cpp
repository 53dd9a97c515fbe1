// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <cmath>

#include "base/text.h"
#include "json/choice.h"
#include "json/fields.h"
#include "json/text.h"
#include "json/units.h"

namespace sluice::json {

Value type_schema(std::string_view type) { return Value::object({{"type", type}}); }

bool read_bool(const Value& in, bool& out, Reader& reader) {
  if (!in.is_bool()) return reader.wrong_type("boolean", in);
  out = in.as_bool();
  return true;
}

bool read_integer(const Value& in, std::int64_t& out, std::int64_t least, std::int64_t most, Reader& reader) {
  if (!in.is_integer()) return reader.wrong_type("integer", in);
  out = in.as_int();
  if (out < least) {
    return reader.fail(fmt::format("must be at least {}, not {}", least, out),
                       fmt::format("expected {} to be at least {}", out, least));
  }
  if (out > most) {
    return reader.fail(fmt::format("must be at most {}, not {}", most, out),
                       fmt::format("expected {} to be at most {}", out, most));
  }
  return true;
}

bool read_double(const Value& in, double& out, Reader& reader) {
  if (!in.is_number()) return reader.wrong_type("number", in);
  out = in.as_double();
  return true;
}

bool read_string(const Value& in, std::string& out, Reader& reader) {
  if (!in.is_string()) return reader.wrong_type("string", in);
  out = in.as_string();
  return true;
}

bool read_name(const Value& in, std::size_t& out, Names names, Reader& reader) {
  if (!in.is_string()) return reader.wrong_type("string", in);
  std::string listed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == in.as_string()) return out = i, true;
    listed.append(i ? ", " : "").append(names[i]);
  }
  return reader.fail(fmt::format("\"{}\" is not one of: {}", in.as_string().substr(0, 80), listed),
                     "matches none of the enum values");
}

Value names_schema(Names names) {
  Value schema = type_schema("string");
  Array values;
  for (auto name : names) values.push_back(name);
  schema.set("enum", std::move(values));
  return schema;
}

bool read_list(const Value& in, void* out, const ListType& type, Reader& reader) {
  if (!in.is_array()) return reader.wrong_type("array", in);
  type.clear(out);
  bool good = true;
  std::size_t index = 0;
  for (const auto& item : in.as_array()) {
    Reader::Step step(reader, index++);
    good &= type.item->read(item, type.append(out), reader);
  }
  return good;
}

Value write_list(const void* value, const ListType& type, Secrets secrets) {
  Array items;
  for (std::size_t i = 0; i < type.size(value); ++i)
    items.push_back(type.item->write(type.at(value, i), secrets));
  return items;
}

Value list_schema(const Type& item) {
  Value schema = type_schema("array");
  schema.set("items", item.schema());
  return schema;
}

bool read_map(const Value& in, void* out, const MapType& type, Reader& reader) {
  if (!in.is_object()) return reader.wrong_type("object", in);
  type.clear(out);
  bool good = true;
  for (const auto& [key, value] : in.as_object()) {
    Reader::Step step(reader, key, ".*");
    good &= type.item->read(value, type.append(out, key), reader);
  }
  return good;
}

Value write_map(const void* value, const MapType& type, Secrets secrets) {
  struct Into {
    Object object;
    const Type* item;
    Secrets secrets;
  } into{{}, type.item, secrets};
  type.each(
      value,
      [](void* to, const std::string& key, const void* item) {
        auto& target = *static_cast<Into*>(to);
        target.object.append(key, target.item->write(item, target.secrets));
      },
      &into);
  return std::move(into.object);
}

Value map_schema(const Type& item) {
  Value schema = type_schema("object");
  schema.set("additionalProperties", item.schema());
  return schema;
}

std::size_t choose(const Value& in, const Type* const* types, std::size_t count, Reader& reader) {
  std::string what;
  for (std::size_t i = 0; i < count; ++i) {
    auto schema = types[i]->schema();
    auto kind = schema.text("type");
    bool fits = kind.empty() || kind == name_of(in.kind()) || (kind == "number" && in.is_number()) ||
                (kind == "integer" && in.is_integer());
    if (fits) return i;
    what.append(what.empty() ? "must be of type " : " or ").append(kind);
  }
  reader.fail(fmt::format("{}, not {}", what, name_of(in.kind())),
              "value should match only one schema, but matches none");
  return count;
}

Value choice_schema(const Type* const* types, std::size_t count) {
  Array alternatives;
  for (std::size_t i = 0; i < count; ++i) alternatives.push_back(types[i]->schema());
  return Value::object({{"oneOf", std::move(alternatives)}});
}

bool parse_size(std::string_view text, std::uint64_t& bytes) {
  if (text.empty()) return false;
  std::uint64_t unit = 1;
  switch (lower(text.back())) {
    case 'k':
      unit = 1ull << 10;
      break;
    case 'm':
      unit = 1ull << 20;
      break;
    case 'g':
      unit = 1ull << 30;
      break;
    default:
      break;
  }
  if (unit > 1) text.remove_suffix(1);
  auto count = parse_unsigned(text);
  if (!count || *count > (1ull << 62) / unit) return false;
  bytes = *count * unit;
  return true;
}

bool Codec<Seconds>::read(const Value& in, Seconds& out, Reader& reader) {
  if (!in.is_number()) return reader.wrong_type("number", in);
  double seconds = in.as_double();
  if (seconds < 0) {
    return reader.fail(fmt::format("must be at least 0 seconds, not {}", dump(in)),
                       fmt::format("expected {} to be at least 0", dump(in)));
  }
  if (seconds > 1e9) {
    return reader.fail(fmt::format("must be at most 1000000000 seconds, not {}", dump(in)),
                       fmt::format("expected {} to be at most 1000000000", dump(in)));
  }
  out = Seconds(seconds);
  return true;
}

Value Codec<Seconds>::write(Seconds value) { return static_cast<double>(value.value.count()) / 1e9; }
Value Codec<Seconds>::schema() { return type_schema("number"); }

bool Codec<Milliseconds>::read(const Value& in, Milliseconds& out, Reader& reader) {
  std::int64_t count = 0;
  if (!read_integer(in, count, 0, 1'000'000'000'000, reader)) return false;
  out = Milliseconds(count);
  return true;
}

Value Codec<Milliseconds>::write(Milliseconds value) { return value.value.count(); }
Value Codec<Milliseconds>::schema() { return type_schema("integer"); }

bool Codec<ByteSize>::read(const Value& in, ByteSize& out, Reader& reader) {
  if (in.is_string()) {
    if (parse_size(in.as_string(), out.value)) return true;
    auto shown = in.as_string().substr(0, 80);
    return reader.fail(fmt::format("\"{}\" is no size: write bytes, or a number with k, m or g", shown));
  }
  std::int64_t count = 0;
  if (!read_integer(in, count, 0, std::int64_t{1} << 62, reader)) return false;
  out.value = static_cast<std::uint64_t>(count);
  return true;
}

Value Codec<ByteSize>::write(ByteSize value) { return value.value; }

Value Codec<ByteSize>::schema() {
  return Value::object({{"oneOf", Value::array({type_schema("integer"), type_schema("string")})}});
}

}  // namespace sluice::json
