// SPDX-License-Identifier: Apache-2.0
#include "plugin/leaf.h"

#include <fmt/core.h>

namespace sluice::json {

bool Codec<Cidr>::read(const Value& in, Cidr& out, Reader& reader) {
  if (!in.is_string()) return reader.wrong_type("string", in);
  auto parsed = Cidr::parse(in.as_string());
  if (!parsed)
    return reader.fail_plainly({}, parsed.error().what,
                               "invalid ip address: " + in.as_string().substr(0, 80));
  out = *parsed;
  return true;
}

bool Codec<http::FieldName>::read(const Value& in, http::FieldName& out, Reader& reader) {
  if (!in.is_string()) return reader.wrong_type("string", in);
  if (!http::valid_name(in.as_string()))
    return reader.fail("is no name of a header (letters, digits and !#$%&'*+-.^_`|~)");
  out = http::FieldName(in.as_string());
  return true;
}

bool Codec<Regex>::read(const Value& in, Regex& out, Reader& reader) {
  if (!in.is_string()) return reader.wrong_type("string", in);
  auto compiled = Regex::compile(in.as_string());
  if (!compiled) return reader.fail(compiled.error().what);
  out = std::move(*compiled);
  return true;
}

Value Codec<Regex>::write(const Regex& value) { return value ? Value(value.pattern()) : Value(); }

bool Codec<plugin::Template>::read(const Value& in, plugin::Template& out, Reader& reader) {
  if (!in.is_string()) return reader.wrong_type("string", in);
  out = plugin::Template::compile(in.as_string(), plugin::find_variable);
  for (const auto& name : out.unknown()) reader.warn({}, "names $" + name + ", which nothing provides");
  return true;
}

bool Codec<plugin::Conditions>::read(const Value& in, plugin::Conditions& out, Reader& reader) {
  if (!in.is_array()) return reader.wrong_type("array", in);
  auto compiled = plugin::Expression::compile(in, plugin::find_variable);
  if (!compiled) {
    const auto& problem = compiled.error();
    return reader.fail_plainly({}, problem.what + (problem.path.empty() ? "" : " at ") + problem.path,
                               "failed to validate the 'vars' expression: " + problem.what);
  }
  for (const auto& name : compiled->unknown()) reader.warn({}, "names " + name + ", which nothing provides");
  out = {in, std::move(*compiled), true};
  return true;
}

}  // namespace sluice::json
