// SPDX-License-Identifier: Apache-2.0
// Edits of header fields as operators write them for requests and responses: fields to add, to set, to
// remove, with variables in the values. Compiled with the plugin, applied to one message; what variables
// bring can never start another field. Immutable, any thread.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "plugin/exchange.h"
#include "plugin/leaf.h"

namespace sluice::plugin {

// A field's value, written as text or as a number.
struct HeaderText {
  std::string text;
};
// One value or a list of them: as many fields of the same name.
struct HeaderTexts {
  std::vector<std::string> list;
};
template <class T>
using HeaderMap = std::vector<std::pair<std::string, T>>;

// {"add": {…}, "set": {…}, "remove": […]}, or the older {"Name": "value", …}, which sets.
struct RequestHeaderConfig {
  HeaderMap<HeaderTexts> add, set;
  std::vector<std::string> remove;
  void describe(json::Fields& field);
};
// The same, where "add" is a list of "Name: value".
struct ResponseHeaderConfig {
  std::vector<std::string> add;
  HeaderMap<HeaderText> set;
  std::vector<std::string> remove;
  void describe(json::Fields& field);
};

class HeaderEdits {
 public:
  HeaderEdits() = default;
  HeaderEdits(const RequestHeaderConfig& config, const VariableFinder& find);
  HeaderEdits(const ResponseHeaderConfig& config, const VariableFinder& find);

  // Adds, then sets, then removes. Setting a field to nothing removes it.
  void apply(Exchange& x, http::Headers& headers) const;
  bool empty() const { return edits_.empty(); }

 private:
  enum class Kind : std::uint8_t { add, set, remove };
  struct Edit {
    Kind kind;
    std::string name;
    std::vector<Template> values;
  };
  void push(Kind kind, std::string name, const std::vector<std::string>& values, const VariableFinder& find);
  std::vector<Edit> edits_;
};

// Fields of a reply made here, with variables in their values.
class ReplyFields {
 public:
  ReplyFields() = default;
  explicit ReplyFields(const HeaderMap<HeaderText>& config);
  using List = std::vector<std::pair<std::string, std::string>>;
  void add_to(List& fields, Exchange& x) const;
  void add_to(http::Reply& reply, Exchange& x) const { add_to(reply.headers, x); }

 private:
  std::vector<std::pair<std::string, Template>> fields_;
};

}  // namespace sluice::plugin

namespace sluice::json {

template <>
struct Codec<plugin::HeaderText> {
  static bool read(const Value& in, plugin::HeaderText& out, Reader& reader);
  static Value write(const plugin::HeaderText& value) { return value.text; }
  static Value schema();
};
template <>
struct Codec<plugin::HeaderTexts> {
  static bool read(const Value& in, plugin::HeaderTexts& out, Reader& reader);
  static Value write(const plugin::HeaderTexts& value);
  static Value schema();
};

// Leaves that stand for both ways of writing.
struct RequestHeaders {
  plugin::RequestHeaderConfig edits;
};
struct ResponseHeaders {
  plugin::ResponseHeaderConfig edits;
};
template <>
struct Codec<RequestHeaders> {
  static bool read(const Value& in, RequestHeaders& out, Reader& reader);
  static Value write(const RequestHeaders& value);
  static Value schema();
};
template <>
struct Codec<ResponseHeaders> {
  static bool read(const Value& in, ResponseHeaders& out, Reader& reader);
  static Value write(const ResponseHeaders& value);
  static Value schema();
};

}  // namespace sluice::json
