// SPDX-License-Identifier: Apache-2.0
#include "plugin/sample.h"

#include <cmath>

#include "base/random.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::plugin {
namespace {

using json::Value;

constexpr int depth_max = 32;
constexpr std::size_t values_max = 10'000;  // of one sample

std::string some_letters() {
  std::string letters;
  for (auto left = 1 + thread_random().below(10); left > 0; --left)
    letters.push_back(static_cast<char>('a' + thread_random().below(26)));
  return letters;
}

class Sampler {
 public:
  Value make(const Value& schema, int depth) {
    if (depth > depth_max || ++made_ > values_max) return {};
    const std::string type = lowered(schema.text("type"));
    const Value* example = schema.find("example");
    if (type == "object" || (type.empty() && schema.find("properties") != nullptr))
      return object(schema, depth);
    if (type == "array") return array(schema, depth);
    if (type == "string")
      return example != nullptr && example->is_string() ? *example : Value(some_letters());
    if (type == "boolean")
      return example != nullptr && example->is_bool() ? *example : Value(thread_random().below(2) == 1);
    if (type == "number")
      return example != nullptr && example->is_number() ? *example
                                                        : Value(thread_random().fraction() * 10'000);
    if (type == "integer") return integer(example);
    return {};
  }

 private:
  static Value integer(const Value* example) {
    if (example != nullptr && example->is_integer()) return *example;
    if (example != nullptr && example->is_number()) return Value(std::floor(example->as_double()));
    return static_cast<std::int64_t>(1 + thread_random().below(10'000));
  }

  Value object(const Value& schema, int depth) {
    Value out = Value::object();
    const Value* properties = schema.find("properties");
    if (properties == nullptr || !properties->is_object()) return out;
    for (const auto& [name, member] : properties->as_object()) out.set(name, make(member, depth + 1));
    return out;
  }

  Value array(const Value& schema, int depth) {
    Value out = Value::array();
    const Value* items = schema.find("items");
    if (items == nullptr) return out;
    for (auto left = 1 + thread_random().below(3); left > 0; --left) out.push_back(make(*items, depth + 1));
    return out;
  }

  std::size_t made_ = 0;
};

void append_element(const Value& value, std::string_view name, std::string& out, int depth) {
  if (depth > depth_max) return;
  if (value.is_array()) {
    for (const Value& item : value.as_array()) append_element(item, name, out, depth + 1);
    return;
  }
  out.append("<").append(name).append(">");
  if (value.is_object()) {
    for (const auto& [member, inner] : value.as_object()) append_element(inner, member, out, depth + 1);
  } else {
    append_markup(value.is_string() ? value.as_string() : json::dump(value), out);
  }
  out.append("</").append(name).append(">\n");
}

}  // namespace

Value sample_of(const Value& schema) { return Sampler().make(schema, 0); }

std::string xml_of(const Value& value, std::string_view name) {
  std::string out;
  append_element(value, name, out, 0);
  return out;
}

}  // namespace sluice::plugin
