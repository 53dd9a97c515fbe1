// SPDX-License-Identifier: Apache-2.0
#include "json/fields.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::json {
namespace {

Value required_names(Fields::Group names) {
  Array list;
  for (auto name : names) list.push_back(name);
  return Value::object({{"required", std::move(list)}});
}

std::string joined(Fields::Group names, std::string_view between) {
  std::string text;
  for (auto name : names) {
    if (!text.empty()) text += between;
    text += name;
  }
  return text;
}

// How many letters have to change (Levenshtein), for words a person may have mistyped.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

// A default worth showing: an empty one says nothing, and that of an object is said by its members.
bool is_telling(const Value& value) {
  if (value.is_null() || value.is_object()) return false;
  if (value.is_string()) return !value.as_string().empty();
  return !value.is_array() || !value.as_array().empty();
}

}  // namespace

bool Fields::read_object(const Value& in, void* out, Describe describe, Reader& reader) {
  if (!in.is_object()) return reader.wrong_type("object", in);
  Fields fields;
  fields.reader_ = &reader;
  fields.in_ = &in.as_object();
  fields.problems_before_ = reader.problem_count();
  describe(out, fields);
  fields.finish();
  return !fields.failed();
}

Value Fields::write_object(const void* value, Describe describe, Secrets secrets) {
  Value out = Value::object();
  Fields fields;
  fields.out_ = &out;
  fields.secrets_ = secrets;
  describe(const_cast<void*>(value), fields);  // in this mode `describe` only looks
  return out;
}

Value Fields::schema_object(void* fresh, Describe describe) {
  Value out = type_schema("object");
  out.set("properties", Value::object());
  Fields fields;
  fields.out_ = &out;
  fields.is_schema_ = true;
  describe(fresh, fields);
  if (!fields.open_) out.set("additionalProperties", false);
  return out;
}

Rule Fields::field(std::string_view name, void* variable, const Type& type, std::string_view doc) {
  if (reader_) {
    names_.push_back(name);
    const Value* input = in_->find(name);
    if (!input) return {*this, name, nullptr, nullptr};
    ++used_;
    if (reader_->stands(*input)) {
      stands_ = true;
      Findings scratch;
      Reader quiet(scratch);
      type.read(*input, variable, quiet);
      return {*this, name, input, nullptr};
    }
    Reader::Step step(*reader_, name);
    return {*this, name, type.read(*input, variable, *reader_) ? input : nullptr, nullptr};
  }
  if (is_schema_) return schema_field(name, variable, type, doc);
  Value written = type.write(variable, secrets_);
  return {*this, name, nullptr, written.is_null() ? nullptr : &out_->set(name, std::move(written))};
}

Rule Fields::schema_field(std::string_view name, const void* variable, const Type& type,
                          std::string_view doc) {
  Value schema = type.schema();
  if (!doc.empty()) schema.set("description", doc);
  if (Value standard = type.write(variable, Secrets::shown); is_telling(standard)) {
    schema.set("default", std::move(standard));
  }
  return {*this, name, nullptr, &out_->find("properties")->set(name, std::move(schema))};
}

void Fields::finish() {
  if (used_ == in_->size()) return;
  for (const auto& [key, value] : *in_) {
    if (std::ranges::find(names_, key) != names_.end()) continue;
    auto hint = nearest(key);
    if (open_) {
      reader_->warn(key, "is not a known field and has no effect" + hint);
    } else {
      reader_->fail_member(key, "is not a field here" + hint,
                           "additional properties forbidden, found " + key);
    }
  }
}

std::string Fields::nearest(std::string_view unknown) const {
  if (unknown.size() > 64) return {};
  std::string_view best;
  std::size_t least = std::min<std::size_t>(3, unknown.size() / 2 + 1);
  for (auto name : names_) {
    if (auto steps = distance(unknown, name); steps < least) least = steps, best = name;
  }
  return best.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", best);
}

std::size_t Fields::present(Group names) const {
  return static_cast<std::size_t>(std::ranges::count_if(names, [&](auto name) { return has(name); }));
}

void Fields::state_alternatives(std::string_view keyword, std::initializer_list<Group> groups) {
  Array list;
  for (auto group : groups) list.push_back(required_names(group));
  if (!out_->find(keyword)) {
    out_->set(keyword, std::move(list));
    return;
  }
  if (!out_->find("allOf")) out_->set("allOf", Value::array());
  Value more = Value::object();
  more.set(keyword, std::move(list));
  out_->find("allOf")->push_back(std::move(more));
}

void Fields::state_alternatives(std::string_view keyword, Group names) {
  Array list;
  for (auto name : names) list.push_back(required_names({name}));
  if (!out_->find("allOf")) out_->set("allOf", Value::array());
  Value more = Value::object();
  more.set(keyword, std::move(list));
  out_->find("allOf")->push_back(std::move(more));
}

void Fields::fail_alternatives(std::string_view apisix, std::string what) {
  reader_->fail(std::move(what), std::string(apisix));
}

void Fields::exactly_one_of(Group names, std::string_view apisix_opening) {
  if (is_schema_) return state_alternatives("oneOf", names);
  if (!reader_) return;
  auto count = present(names);
  if (count == 0) {
    fail_alternatives(std::string(apisix_opening) + "value should match only one schema, but matches none",
                      fmt::format("needs one of: {}", joined(names, ", ")));
  }
  if (count <= 1) return;
  std::string numbers, found;
  std::size_t index = 0, listed = 0;
  for (auto name : names) {
    ++index;
    if (!has(name)) continue;
    found += (found.empty() ? "" : " and ") + std::string(name);
    if (++listed <= 2) numbers += (numbers.empty() ? "" : " and ") + std::to_string(index);
  }
  auto both = "value should match only one schema, but matches both schemas " + numbers;
  fail_alternatives(std::string(apisix_opening) + both, fmt::format("has {}: keep one of them", found));
}

void Fields::at_least_one_of(Group names) {
  if (is_schema_) return state_alternatives("anyOf", names);
  if (!reader_ || present(names) > 0) return;
  std::string listed;
  for (auto name : names) listed += fmt::format("{}[\"{}\"]", listed.empty() ? "" : " or ", name);
  fail_alternatives("object matches none of the required: " + listed,
                    fmt::format("needs at least one of: {}", joined(names, ", ")));
}

void Fields::at_most_one_of(Group names) {
  if (is_schema_) {
    if (!out_->find("allOf")) out_->set("allOf", Value::array());
    for (auto a = names.begin(); a != names.end(); ++a) {
      for (auto b = a + 1; b != names.end(); ++b) {
        out_->find("allOf")->push_back(Value::object({{"not", required_names({*a, *b})}}));
      }
    }
    return;
  }
  if (!reader_ || present(names) <= 1) return;
  fail_alternatives("value wasn't supposed to match schema",
                    fmt::format("may have only one of: {}", joined(names, ", ")));
}

void Fields::needs(std::string_view name, Group others) {
  if (is_schema_) {
    if (!out_->find("dependencies")) out_->set("dependencies", Value::object());
    out_->find("dependencies")->set(name, *required_names(others).find("required"));
    return;
  }
  if (!has(name)) return;
  for (auto other : others) {
    if (has(other)) continue;
    reader_->fail_member(
        other, fmt::format("is required when {} is given", name),
        fmt::format("failed to validate dependent schema for \"{}\": property \"{}\" is required", name,
                    other));
  }
}

void Fields::exactly_one_group_of(std::initializer_list<Group> groups) {
  if (is_schema_) return state_alternatives("oneOf", groups);
  if (!reader_) return;
  std::string choices;
  std::size_t whole = 0;
  for (auto group : groups) {
    whole += present(group) == group.size();
    choices += (choices.empty() ? "" : ", or ") + joined(group, " + ");
  }
  if (whole == 1) return;
  fail_alternatives(whole == 0 ? "value should match only one schema, but matches none"
                               : "value should match only one schema, but matches both schemas 1 and 2",
                    fmt::format("needs exactly one of these sets of members: {}", choices));
}

void Fields::at_least_one_group_of(std::initializer_list<Group> groups) {
  if (is_schema_) return state_alternatives("anyOf", groups);
  if (!reader_) return;
  std::string choices, listed;
  for (auto group : groups) {
    if (present(group) == group.size()) return;
    choices += (choices.empty() ? "" : ", or ") + joined(group, " + ");
    listed += fmt::format("{}[\"{}\"]", listed.empty() ? "" : " or ", joined(group, "\",\""));
  }
  fail_alternatives("object matches none of the required: " + listed,
                    fmt::format("needs one of these sets of members: {}", choices));
}

void Fields::dropped(std::string_view name, std::string_view why) {
  if (!has(name)) return;
  names_.push_back(name);
  reader_->warn(name, std::string(why));
}

void Fields::refused(std::string_view name, std::string_view why) {
  if (!has(name)) return;
  names_.push_back(name);
  reader_->fail_member(name, std::string(why));
}

void Fields::check(bool good, std::string_view member, std::string what, std::string apisix) {
  if (good || !reader_ || stands_) return;
  if (member.empty()) {
    reader_->fail(std::move(what), std::move(apisix));
  } else {
    reader_->fail_member(member, std::move(what), std::move(apisix));
  }
}

void Fields::check_plainly(bool good, std::string_view member, std::string what, std::string sentence) {
  if (!good && reader_ && !stands_) reader_->fail_plainly(member, std::move(what), std::move(sentence));
}

}  // namespace sluice::json
