// SPDX-License-Identifier: Apache-2.0
#include "plugin/header_edits.h"

#include "base/text.h"

namespace sluice::plugin {
namespace {

constexpr std::string_view name_pattern = "^[^:]+$";

// Control bytes become %XX.
void append_safely(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      out.push_back(c);
      continue;
    }
    percent_encode({&c, 1}, out);
  }
}

std::string_view rendered(Exchange& x, const Template& value) {
  if (value.is_constant()) return value.text();
  static thread_local std::string scratch;
  scratch.clear();
  value.render(x, scratch, append_safely);
  return x.arena.copy(trim(scratch));
}

}  // namespace

void RequestHeaderConfig::describe(json::Fields& field) {
  field("add", add, "Fields to add beside those of the same name.")
      .min_properties(1)
      .key_pattern(name_pattern);
  field("set", set, "Fields to set, instead of those of the same name; an empty value removes.")
      .min_properties(1)
      .key_pattern(name_pattern);
  field("remove", remove, "Fields to take off.").min_items(1).items().pattern(name_pattern);
}

void ResponseHeaderConfig::describe(json::Fields& field) {
  field("add", add, "Fields to add, each as \"Name: value\".")
      .min_items(1)
      .items()
      .pattern("^[^:]+:[^:]*[^/]$");
  field("set", set, "Fields to set, instead of those of the same name; an empty value removes.")
      .min_properties(1)
      .key_pattern(name_pattern);
  field("remove", remove, "Fields to take off.").min_items(1).items().pattern(name_pattern);
  field.open();
}

void HeaderEdits::push(Kind kind, std::string name, const std::vector<std::string>& values,
                       const VariableFinder& find) {
  Edit& edit = edits_.emplace_back(Edit{kind, std::move(name), {}});
  for (const auto& value : values) edit.values.push_back(Template::compile(value, find));
}

HeaderEdits::HeaderEdits(const RequestHeaderConfig& config, const VariableFinder& find) {
  for (const auto& [name, values] : config.add) push(Kind::add, name, values.list, find);
  for (const auto& [name, values] : config.set) push(Kind::set, name, values.list, find);
  for (const auto& name : config.remove) push(Kind::remove, name, {}, find);
}

HeaderEdits::HeaderEdits(const ResponseHeaderConfig& config, const VariableFinder& find) {
  for (const auto& line : config.add) {
    const auto colon = line.find(':');
    push(Kind::add, std::string(trim(line.substr(0, colon))), {std::string(trim(line.substr(colon + 1)))},
         find);
  }
  for (const auto& [name, value] : config.set) push(Kind::set, name, {value.text}, find);
  for (const auto& name : config.remove) push(Kind::remove, name, {}, find);
}

void HeaderEdits::apply(Exchange& x, http::Headers& headers) const {
  for (const Edit& edit : edits_) {
    if (edit.kind == Kind::remove) {
      headers.remove(edit.name);
      continue;
    }
    bool replace = edit.kind == Kind::set;
    for (const Template& value : edit.values) {
      const std::string_view text = rendered(x, value);
      if (text.empty()) continue;
      if (replace) headers.set(edit.name, text);
      else headers.add(edit.name, text);
      replace = false;
    }
    if (replace) headers.remove(edit.name);
  }
}

ReplyFields::ReplyFields(const HeaderMap<HeaderText>& config) {
  for (const auto& [name, value] : config)
    fields_.emplace_back(name, Template::compile(value.text, find_variable));
}

void ReplyFields::add_to(List& fields, Exchange& x) const {
  for (const auto& [name, value] : fields_) fields.emplace_back(name, rendered(x, value));
}

}  // namespace sluice::plugin

namespace sluice::json {
namespace {

bool read_text(const Value& in, std::string& out, Reader& reader) {
  if (in.is_string()) out = in.as_string();
  else if (in.is_integer()) out = std::to_string(in.as_int());
  else if (in.is_number()) append_number(out, in.as_double());
  else
    return reader.fail_plainly({}, "must be a text or a number", "invalid type as header value");
  if (http::valid_value(out)) return true;
  return reader.fail_plainly({}, "holds a control character, which no header value may",
                             "invalid value character in header");
}

Value text_schema() {
  return Value::object({{"oneOf", Value::array({type_schema("string"), type_schema("number")})}});
}

bool check_name(std::string_view name, Reader& reader) {
  if (name.empty())
    return reader.fail_plainly(name, "is an empty name of a header", "invalid field length in header");
  if (http::valid_name(name)) return true;
  return reader.fail_plainly(name,
                             "is no name of a header (RFC 9110 §5.6.2: letters, digits and !#$%&'*+-.^_`|~)",
                             "invalid field character in header");
}

template <class T>
bool check_names(const plugin::HeaderMap<T>& map, Reader& reader) {
  bool good = true;
  for (const auto& [name, value] : map) good &= check_name(name, reader);
  return good;
}

bool is_edits(const Value& in) {
  for (const std::string_view key : {"add", "set", "remove"}) {
    const auto* member = in.find(key);
    if (member != nullptr && (member->is_object() || member->is_array())) return true;
  }
  return false;
}

// {"Name": "value"}: each is set.
template <class T>
bool read_flat(const Value& in, plugin::HeaderMap<T>& set, Reader& reader) {
  if (in.as_object().empty())
    return reader.fail("must name at least one header", "expect object to have at least 1 properties");
  return json::read(in, set, reader) && check_names(set, reader);
}

Value both_ways(Value edits, Value flat) {
  return Value::object({{"anyOf", Value::array({std::move(edits), std::move(flat)})}});
}

}  // namespace

bool Codec<plugin::HeaderText>::read(const Value& in, plugin::HeaderText& out, Reader& reader) {
  return read_text(in, out.text, reader);
}
Value Codec<plugin::HeaderText>::schema() { return text_schema(); }

bool Codec<plugin::HeaderTexts>::read(const Value& in, plugin::HeaderTexts& out, Reader& reader) {
  if (!in.is_array()) return read_text(in, out.list.emplace_back(), reader);
  if (in.as_array().empty()) return reader.fail("must hold at least one value");
  bool good = true;
  std::size_t index = 0;
  for (const Value& item : in.as_array()) {
    Reader::Step step(reader, index++);
    good &= read_text(item, out.list.emplace_back(), reader);
  }
  return good;
}
Value Codec<plugin::HeaderTexts>::write(const plugin::HeaderTexts& value) {
  if (value.list.size() == 1) return value.list.front();
  Array list(value.list.begin(), value.list.end());
  return list;
}
Value Codec<plugin::HeaderTexts>::schema() {
  Value list = type_schema("array");
  list.set("items", text_schema());
  return Value::object({{"oneOf", Value::array({type_schema("string"), type_schema("number"), list})}});
}

bool Codec<RequestHeaders>::read(const Value& in, RequestHeaders& out, Reader& reader) {
  if (!in.is_object()) return reader.wrong_type("object", in);
  if (!is_edits(in)) return read_flat(in, out.edits.set, reader);
  return json::read(in, out.edits, reader) && check_names(out.edits.add, reader) &&
         check_names(out.edits.set, reader);
}
Value Codec<RequestHeaders>::write(const RequestHeaders& value) {
  const auto& edits = value.edits;
  if (edits.add.empty() && edits.set.empty() && edits.remove.empty()) return {};
  Value out = json::write(edits);
  for (const std::string_view key : {"add", "set", "remove"}) {
    const auto* member = out.find(key);
    if (member && ((member->is_object() && member->as_object().empty()) ||
                   (member->is_array() && member->as_array().empty())))
      out.erase(key);
  }
  return out;
}
Value Codec<RequestHeaders>::schema() {
  return both_ways(json::schema<plugin::RequestHeaderConfig>(),
                   json::schema<plugin::HeaderMap<plugin::HeaderText>>());
}

bool Codec<ResponseHeaders>::read(const Value& in, ResponseHeaders& out, Reader& reader) {
  if (!in.is_object()) return reader.wrong_type("object", in);
  if (!is_edits(in)) return read_flat(in, out.edits.set, reader);
  if (!json::read(in, out.edits, reader) || !check_names(out.edits.set, reader)) return false;
  for (const auto& line : out.edits.add) {
    if (!check_name(trim(std::string_view(line).substr(0, line.find(':'))), reader)) return false;
    if (!http::valid_value(line)) return reader.fail("holds a control character, which no header value may");
  }
  return true;
}
Value Codec<ResponseHeaders>::write(const ResponseHeaders& value) {
  return Codec<RequestHeaders>::write({{{}, {}, value.edits.remove}}).is_null() && value.edits.add.empty() &&
                 value.edits.set.empty()
             ? Value()
             : json::write(value.edits);
}
Value Codec<ResponseHeaders>::schema() {
  return both_ways(json::schema<plugin::ResponseHeaderConfig>(),
                   json::schema<plugin::HeaderMap<plugin::HeaderText>>());
}

}  // namespace sluice::json
