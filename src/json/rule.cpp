// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>

#include "base/regex.h"
#include "json/fields.h"
#include "json/text.h"

namespace sluice::json {
namespace {

// The patterns of `describe` are literals, so there are as many as the program has: compiled once a thread.
const Regex& compiled(std::string_view pattern) {
  static thread_local std::unordered_map<std::string_view, Regex> known;
  auto& regex = known[pattern];
  if (!regex) {
    auto made = Regex::compile(pattern);
    SLUICE_CHECK(made.has_value());
    regex = std::move(*made);
  }
  return regex;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string shown(const Value& value) {
  auto text = dump(value);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

std::string number(double value) { return dump(value); }

}  // namespace

template <class Check>
void Rule::each(Check check) {
  if (!fields_.reader_ || !input_) return;
  Reader& reader = *fields_.reader_;
  Reader::Step step(reader, name_);
  const auto checked = [&](const Value& value) {
    if (!reader.stands(value)) check(value, reader);
  };
  if (!items_) return checked(*input_);
  if (input_->is_array()) {
    std::size_t index = 0;
    for (const auto& item : input_->as_array()) {
      Reader::Step inner(reader, index++);
      checked(item);
    }
  }
  if (input_->is_object()) {
    for (const auto& [key, value] : input_->as_object()) {
      Reader::Step inner(reader, key, ".*");
      checked(value);
    }
  }
}

Value& Rule::schema() {
  if (!items_) return *output_;
  std::string_view inner = output_->find("items") ? "items" : "additionalProperties";
  Value* items = output_->find(inner);
  return items ? *items : output_->set(inner, Value::object());
}

void Rule::state(std::string_view keyword, Value value) {
  if (fields_.is_schema_ && output_) schema().set(keyword, std::move(value));
}

Rule& Rule::items() {
  items_ = true;
  return *this;
}

Rule& Rule::required() {
  if (fields_.is_schema_) {
    Value& object = *fields_.out_;
    if (!object.find("required")) object.set("required", Value::array());
    object.find("required")->push_back(name_);
    output_->erase("default");
  } else if (fields_.reader_ && !fields_.has(name_)) {
    fields_.reader_->fail_member(name_, "is required", fmt::format("property \"{}\" is required", name_));
  }
  return *this;
}

Rule& Rule::range(double least, double most) { return at_least(least).at_most(most); }

Rule& Rule::at_least(double least) {
  state("minimum", least);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_number() || value.as_double() >= least) return;
    reader.fail(fmt::format("must be at least {}, not {}", number(least), shown(value)),
                fmt::format("expected {} to be at least {}", shown(value), number(least)));
  });
  return *this;
}

Rule& Rule::at_most(double most) {
  state("maximum", most);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_number() || value.as_double() <= most) return;
    reader.fail(fmt::format("must be at most {}, not {}", number(most), shown(value)),
                fmt::format("expected {} to be at most {}", shown(value), number(most)));
  });
  return *this;
}

Rule& Rule::more_than(double bound) {
  state("exclusiveMinimum", bound);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_number() || value.as_double() > bound) return;
    reader.fail(fmt::format("must be more than {}, not {}", number(bound), shown(value)),
                fmt::format("expected {} to be greater than {}", shown(value), number(bound)));
  });
  return *this;
}

Rule& Rule::length(std::size_t least, std::size_t most) {
  if (least > 0) state("minLength", least);
  state("maxLength", most);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_string()) return;
    auto count = characters(value.as_string());
    if (count < least) {
      reader.fail(
          fmt::format("must have at least {} character{}, not {}", least, least == 1 ? "" : "s", count),
          fmt::format("string too short, expected at least {}, got {}", least, count));
    } else if (count > most) {
      reader.fail(fmt::format("must have at most {} characters, not {}", most, count),
                  fmt::format("string too long, expected at most {}, got {}", most, count));
    }
  });
  return *this;
}

Rule& Rule::min_items(std::size_t least) {
  state("minItems", least);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_array() || value.as_array().size() >= least) return;
    reader.fail(fmt::format("needs at least {} item{}, has {}", least, least == 1 ? "" : "s",
                            value.as_array().size()),
                fmt::format("expect array to have at least {} items", least));
  });
  return *this;
}

Rule& Rule::max_items(std::size_t most) {
  state("maxItems", most);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_array() || value.as_array().size() <= most) return;
    reader.fail(fmt::format("may have at most {} items, has {}", most, value.as_array().size()),
                fmt::format("expect array to have at most {} items", most));
  });
  return *this;
}

Rule& Rule::unique() {
  state("uniqueItems", true);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_array()) return;
    std::unordered_map<std::string, std::size_t> seen;
    std::size_t index = 0;
    for (const auto& item : value.as_array()) {
      auto [first, fresh] = seen.emplace(dump(item), ++index);
      if (fresh) continue;
      reader.fail(fmt::format("items {} and {} are equal ({})", first->second, index, shown(item)),
                  fmt::format("expected unique items but items {} and {} are equal", first->second, index));
      return;
    }
  });
  return *this;
}

Rule& Rule::min_properties(std::size_t least) {
  state("minProperties", least);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_object() || value.as_object().size() >= least) return;
    reader.fail(fmt::format("needs at least {} member{}", least, least == 1 ? "" : "s"),
                fmt::format("expect object to have at least {} properties", least));
  });
  return *this;
}

Rule& Rule::max_properties(std::size_t most) {
  state("maxProperties", most);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_object() || value.as_object().size() <= most) return;
    reader.fail(fmt::format("may have at most {} members, has {}", most, value.as_object().size()),
                fmt::format("expect object to have at most {} properties", most));
  });
  return *this;
}

Rule& Rule::pattern(std::string_view regex) {
  state("pattern", regex);
  each([&](const Value& value, Reader& reader) {
    if (!value.is_string() || compiled(regex).match(value.as_string()) == Regex::Outcome::match) return;
    reader.fail(fmt::format("{} does not match the pattern {}", shown(value), regex),
                fmt::format("failed to match pattern \"{}\" with \"{}\"", regex, value.as_string()));
  });
  return *this;
}

Rule& Rule::key_pattern(std::string_view regex) {
  if (fields_.is_schema_ && output_) {
    Value names = Value::object();
    names.set("pattern", regex);
    state("propertyNames", std::move(names));
  }
  each([&](const Value& value, Reader& reader) {
    if (!value.is_object()) return;
    for (const auto& member : value.as_object()) {
      if (compiled(regex).match(member.key) == Regex::Outcome::match) continue;
      reader.fail_member(member.key, fmt::format("is a name that does not match the pattern {}", regex),
                         "additional properties forbidden, found " + member.key);
    }
  });
  return *this;
}

Rule& Rule::one_of(std::initializer_list<Value> values) {
  state("enum", Array(values));
  each([&](const Value& value, Reader& reader) {
    if (std::ranges::find(values, value) != values.end()) return;
    std::string listed;
    for (const auto& allowed : values) listed += (listed.empty() ? "" : ", ") + dump(allowed);
    reader.fail(fmt::format("{} is not one of: {}", shown(value), listed), "matches none of the enum values");
  });
  return *this;
}

Rule& Rule::must_be(Kind kind) {
  state("type", name_of(kind));
  each([&](const Value& value, Reader& reader) {
    bool good = value.kind() == kind || (kind == Kind::number && value.is_number()) ||
                (kind == Kind::integer && value.is_integer());
    if (!good) reader.wrong_type(name_of(kind), value);
  });
  return *this;
}

Rule& Rule::secret() {
  state("writeOnly", true);
  each([](const Value& value, Reader& reader) {
    if (value.is_string()) reader.secret();
  });
  if (output_ && !fields_.is_schema_ && fields_.secrets_ == Secrets::masked) {
    if (!items_) {
      *output_ = "******";
    } else if (output_->is_array()) {
      for (auto& item : output_->as_array()) item = "******";
    } else if (output_->is_object()) {
      for (auto& [key, value] : output_->as_object()) value = "******";
    }
  }
  return *this;
}

Rule& Rule::references(std::string_view resource) {
  state("x-references", resource);
  each([&](const Value& value, Reader& reader) {
    if (value.is_string()) reader.refers(resource, value.as_string());
    if (value.is_integer()) reader.refers(resource, std::to_string(value.as_int()));
  });
  return *this;
}

Rule& Rule::filter() {
  state("x-filter", true);
  return *this;
}

Rule& Rule::deprecated(std::string_view instead) {
  state("deprecated", true);
  if (fields_.reader_ && fields_.has(name_)) {
    fields_.reader_->warn(name_, fmt::format("is deprecated: {}", instead));
  }
  return *this;
}

Rule& Rule::default_doc(Value value) {
  state("default", std::move(value));
  return *this;
}

}  // namespace sluice::json
