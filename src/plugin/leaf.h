// SPDX-License-Identifier: Apache-2.0
// Leaf types of plugin configurations that are compiled while they are read: networks, names of headers,
// regular expressions, templates and conditions. A config struct holds them as plain members and no plugin
// parses or compiles one itself. Read on the control thread, immutable afterwards.
#pragma once
#include <string>

#include "base/cidr.h"
#include "base/regex.h"
#include "http/headers.h"
#include "json/fields.h"
#include "plugin/expression.h"
#include "plugin/template.h"

namespace sluice::plugin {

// Conditions over variables ([] always holds); `given` tells whether the operator wrote any.
struct Conditions {
  json::Value written;
  Expression compiled;
  bool given = false;
  bool hold(Exchange& x) const { return !given || compiled.matches(x); }
};

}  // namespace sluice::plugin

namespace sluice::json {

// "10.0.0.0/8" or a single address.
template <>
struct Codec<Cidr> {
  static bool read(const Value& in, Cidr& out, Reader& reader);
  static Value write(const Cidr& value) { return value.text(); }
  static Value schema() { return type_schema("string"); }
};

// The name of a header: a token (RFC 9110 §5.6.2).
template <>
struct Codec<http::FieldName> {
  static bool read(const Value& in, http::FieldName& out, Reader& reader);
  static Value write(const http::FieldName& value) { return std::string(value.text()); }
  static Value schema() { return type_schema("string"); }
};

// A pattern without flags.
template <>
struct Codec<Regex> {
  static bool read(const Value& in, Regex& out, Reader& reader);
  static Value write(const Regex& value);
  static Value schema() { return type_schema("string"); }
};

// Text with $variables; a name that nothing provides is a warning.
template <>
struct Codec<plugin::Template> {
  static bool read(const Value& in, plugin::Template& out, Reader& reader);
  static Value write(const plugin::Template& value) { return value.text(); }
  static Value schema() { return type_schema("string"); }
};

template <>
struct Codec<plugin::Conditions> {
  static bool read(const Value& in, plugin::Conditions& out, Reader& reader);
  static Value write(const plugin::Conditions& value) { return value.written; }
  static Value schema() { return type_schema("array"); }
};

}  // namespace sluice::json
