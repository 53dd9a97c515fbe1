// SPDX-License-Identifier: Apache-2.0
// One declaration, three readers: a config struct lists its fields once, in `describe(json::Fields& field)`,
// as in
//   field("count", count, "Requests admitted in a window.").required().at_least(1);
// and that list parses JSON into the struct (collecting every problem with its path), prints the struct back
// (secrets masked where asked) and yields the JSON Schema from which docs and console forms are rendered.
// Templates here only carry the type; the work is in fields.cpp, rule.cpp and codec.cpp. Pure, any thread.
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/findings.h"
#include "json/value.h"

namespace sluice::json {

class Fields;
enum class Secrets : std::uint8_t { shown, masked };

// A struct that lists its fields.
template <class T>
concept Described = requires(T& t, Fields& field) { t.describe(field); };

// How one C++ type appears in JSON:
//   static bool read(const Value&, T&, Reader&);   false after reader.fail(…)
//   static Value write(const T&[, Secrets]);       null: nothing to write
//   static Value schema();
// Specialise it for a new leaf type; structs need only `describe`, enums only `enum_names`.
template <class T>
struct Codec;

// The words of an enum whose enumerators count from 0: declare, beside the enum (or as a friend inside its
// class),
//   inline json::Names enum_names(Policy) { static constexpr std::string_view names[]{"local", "redis"};
//   return names; }
using Names = std::span<const std::string_view>;
template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T t) {
  { enum_names(t) } -> std::same_as<Names>;
};

// One C++ type as the machinery sees it.
struct Type {
  bool (*read)(const Value&, void*, Reader&);
  Value (*write)(const void*, Secrets);
  Value (*schema)();
};

template <class T>
Value write_as(const void* value, Secrets secrets) {
  if constexpr (requires(const T& t) { Codec<T>::write(t, secrets); }) {
    return Codec<T>::write(*static_cast<const T*>(value), secrets);
  } else {
    return Codec<T>::write(*static_cast<const T*>(value));
  }
}

template <class T>
inline constexpr Type type_of{[](const Value& in, void* out, Reader& reader) {
                                return Codec<T>::read(in, *static_cast<T*>(out), reader);
                              },
                              &write_as<T>, [] { return Codec<T>::schema(); }};

// The rules that follow a field. Each one checks the value that was read and states itself in the schema.
// Numbers, lengths and counts are those of the JSON value, so a rule speaks in the units the operator writes.
class Rule {
 public:
  Rule& required();
  Rule& range(double least, double most);
  Rule& at_least(double least);
  Rule& at_most(double most);
  Rule& more_than(double bound);
  Rule& length(std::size_t least, std::size_t most);  // of a string, in characters
  Rule& min_items(std::size_t least);
  Rule& max_items(std::size_t most);
  Rule& unique();  // no two equal items
  Rule& min_properties(std::size_t least);
  Rule& max_properties(std::size_t most);
  Rule& pattern(std::string_view regex);      // of a string; searched, so anchor it
  Rule& key_pattern(std::string_view regex);  // of every key of an object
  Rule& one_of(std::initializer_list<Value> values);
  Rule& must_be(Kind kind);                     // for raw `Value` members
  Rule& secret();                               // masked when written back, encrypted at rest
  Rule& references(std::string_view resource);  // the value is the id of such a resource
  Rule& filter();                               // the Admin API's `filter=` may ask for it
  Rule& deprecated(std::string_view instead);   // still read, with a warning
  Rule& default_doc(Value value);               // the default the schema shows, when the member cannot say it
  // The rules after this one are about each item of an array or each value of an object.
  Rule& items();

 private:
  friend class Fields;
  Rule(Fields& fields, std::string_view name, const Value* input, Value* output)
      : fields_(fields), name_(name), input_(input), output_(output) {}
  template <class Check>
  void each(Check check);
  Value& schema();
  void state(std::string_view keyword, Value value);

  Fields& fields_;
  std::string_view name_;
  const Value* input_;  // when reading: the member, if it is there and could be read
  Value* output_;       // when writing or making a schema: the member's value or schema
  bool items_ = false;
};

class Fields {
 public:
  using Group = std::initializer_list<std::string_view>;

  // Names a member, the variable it lives in (which holds the default) and what it is for.
  template <class T>
  Rule operator()(std::string_view name, T& variable, std::string_view doc) {
    return field(name, &variable, type_of<T>, doc);
  }

  // Rules over several members, by presence.
  void exactly_one_of(Group names, std::string_view apisix_opening = {});
  void at_least_one_of(Group names);
  void at_most_one_of(Group names);
  void not_both(std::string_view a, std::string_view b) { at_most_one_of({a, b}); }
  void needs(std::string_view name, Group others);  // if `name` is there the others must be
  void exactly_one_group_of(
      std::initializer_list<Group> groups);  // all members of one group, and of no other
  void at_least_one_group_of(std::initializer_list<Group> groups);

  // Unknown members are kept, with a warning, rather than refused.
  void open() { open_ = true; }
  // A member of older versions that does nothing here: accepted with a warning that says why.
  void dropped(std::string_view name, std::string_view why);
  // A member that would change behaviour and that this build cannot honour: refused with a sentence.
  void refused(std::string_view name, std::string_view why);
  // A check of one's own, after the fields it looks at. `what` is about the member ("" for the whole object);
  // `apisix` its wording there, said of the whole object.
  void check(bool good, std::string_view member, std::string what, std::string apisix = {});

  // The same, where `sentence` is all that APISIX says.
  void check_plainly(bool good, std::string_view member, std::string what, std::string sentence);

  bool reading() const { return reader_ != nullptr; }
  // Reading: whether the operator wrote this member. Else false.
  bool has(std::string_view name) const { return in_ && in_->find(name); }
  // Reading: whether a problem was found in this object so far. Own checks that compute with values ask
  // first.
  bool failed() const { return reader_ && reader_->problem_count() > problems_before_; }
  Reader* reader() { return reader_; }

  using Describe = void (*)(void*, Fields&);
  static bool read_object(const Value& in, void* out, Describe describe, Reader& reader);
  static Value write_object(const void* value, Describe describe, Secrets secrets);
  static Value schema_object(void* fresh, Describe describe);

 private:
  friend class Rule;
  Fields() = default;
  Rule field(std::string_view name, void* variable, const Type& type, std::string_view doc);
  Rule schema_field(std::string_view name, const void* variable, const Type& type, std::string_view doc);
  void finish();
  std::string nearest(std::string_view unknown) const;
  std::size_t present(Group names) const;
  void state_alternatives(std::string_view keyword, std::initializer_list<Group> groups);
  void state_alternatives(std::string_view keyword, Group names);
  void fail_alternatives(std::string_view apisix, std::string what);

  Reader* reader_ = nullptr;
  const Object* in_ = nullptr;
  Value* out_ = nullptr;  // the object written or its schema
  bool is_schema_ = false;
  bool open_ = false;
  Secrets secrets_ = Secrets::shown;
  bool stands_ = false;   // a member is a reference, so checks of one's own would look at what is not there
  std::size_t used_ = 0;  // members of in_ that a field took
  std::size_t problems_before_ = 0;
  std::vector<std::string_view> names_;
};

// ---- the types that JSON knows, and what is made of them ----

bool read_bool(const Value& in, bool& out, Reader& reader);
bool read_integer(const Value& in, std::int64_t& out, std::int64_t least, std::int64_t most, Reader& reader);
bool read_double(const Value& in, double& out, Reader& reader);
bool read_string(const Value& in, std::string& out, Reader& reader);
bool read_name(const Value& in, std::size_t& out, Names names, Reader& reader);
Value names_schema(Names names);
Value type_schema(std::string_view type);

template <>
struct Codec<bool> {
  static bool read(const Value& in, bool& out, Reader& reader) { return read_bool(in, out, reader); }
  static Value write(bool value) { return value; }
  static Value schema() { return type_schema("boolean"); }
};

template <std::integral T>
struct Codec<T> {
  static constexpr std::int64_t most = sizeof(T) == 8
                                           ? std::numeric_limits<std::int64_t>::max()
                                           : static_cast<std::int64_t>(std::numeric_limits<T>::max());
  static bool read(const Value& in, T& out, Reader& reader) {
    std::int64_t whole = 0;
    if (!read_integer(in, whole, static_cast<std::int64_t>(std::numeric_limits<T>::min()), most, reader))
      return false;
    out = static_cast<T>(whole);
    return true;
  }
  static Value write(T value) { return value; }
  static Value schema() { return type_schema("integer"); }
};

template <>
struct Codec<double> {
  static bool read(const Value& in, double& out, Reader& reader) { return read_double(in, out, reader); }
  static Value write(double value) { return value; }
  static Value schema() { return type_schema("number"); }
};

template <>
struct Codec<std::string> {
  static bool read(const Value& in, std::string& out, Reader& reader) { return read_string(in, out, reader); }
  static Value write(const std::string& value) { return value; }
  static Value schema() { return type_schema("string"); }
};

// Raw: whoever holds it knows what it means.
template <>
struct Codec<Value> {
  static bool read(const Value& in, Value& out, Reader&) { return out = in, true; }
  static Value write(const Value& value) { return value; }
  static Value schema() { return Value::object(); }
};

template <NamedEnum T>
struct Codec<T> {
  static bool read(const Value& in, T& out, Reader& reader) {
    std::size_t index = 0;
    if (!read_name(in, index, enum_names(T{}), reader)) return false;
    out = static_cast<T>(index);
    return true;
  }
  static Value write(T value) { return enum_names(value)[static_cast<std::size_t>(value)]; }
  static Value schema() { return names_schema(enum_names(T{})); }
};

template <Described T>
struct Codec<T> {
  static void describe(void* value, Fields& field) { static_cast<T*>(value)->describe(field); }
  static bool read(const Value& in, T& out, Reader& reader) {
    return Fields::read_object(in, &out, &describe, reader);
  }
  static Value write(const T& value, Secrets secrets) {
    return Fields::write_object(&value, &describe, secrets);
  }
  static Value schema() {
    T fresh{};
    return Fields::schema_object(&fresh, &describe);
  }
};

// An absent optional is not written; present it is its value. JSON null is no value of it.
template <class T>
struct Codec<std::optional<T>> {
  static bool read(const Value& in, std::optional<T>& out, Reader& reader) {
    return Codec<T>::read(in, out.emplace(), reader);
  }
  static Value write(const std::optional<T>& value, Secrets secrets) {
    return value ? write_as<T>(&*value, secrets) : Value();
  }
  static Value schema() { return Codec<T>::schema(); }
};

struct ListType {
  const Type* item;
  void (*clear)(void*);
  void* (*append)(void*);
  std::size_t (*size)(const void*);
  const void* (*at)(const void*, std::size_t);
};
bool read_list(const Value& in, void* out, const ListType& type, Reader& reader);
Value write_list(const void* value, const ListType& type, Secrets secrets);
Value list_schema(const Type& item);

template <class T>
struct Codec<std::vector<T>> {
  using List = std::vector<T>;
  static constexpr ListType type{
      &type_of<T>, [](void* list) { static_cast<List*>(list)->clear(); },
      [](void* list) -> void* { return &static_cast<List*>(list)->emplace_back(); },
      [](const void* list) { return static_cast<const List*>(list)->size(); },
      [](const void* list, std::size_t i) -> const void* { return &(*static_cast<const List*>(list))[i]; }};
  static bool read(const Value& in, List& out, Reader& reader) { return read_list(in, &out, type, reader); }
  static Value write(const List& value, Secrets secrets) { return write_list(&value, type, secrets); }
  static Value schema() { return list_schema(type_of<T>); }
};

struct MapType {
  using Visit = void (*)(void*, const std::string&, const void*);
  const Type* item;
  void (*clear)(void*);
  void* (*append)(void*, const std::string&);
  void (*each)(const void*, Visit, void*);
};
bool read_map(const Value& in, void* out, const MapType& type, Reader& reader);
Value write_map(const void* value, const MapType& type, Secrets secrets);
Value map_schema(const Type& item);

template <class T>
struct Codec<std::map<std::string, T>> {
  using Map = std::map<std::string, T>;
  static constexpr MapType type{
      &type_of<T>, [](void* map) { static_cast<Map*>(map)->clear(); },
      [](void* map, const std::string& key) -> void* { return &(*static_cast<Map*>(map))[key]; },
      [](const void* map, MapType::Visit visit, void* to) {
        for (const auto& [key, value] : *static_cast<const Map*>(map)) visit(to, key, &value);
      }};
  static bool read(const Value& in, Map& out, Reader& reader) { return read_map(in, &out, type, reader); }
  static Value write(const Map& value, Secrets secrets) { return write_map(&value, type, secrets); }
  static Value schema() { return map_schema(type_of<T>); }
};

// An object whose members keep the order in which the operator wrote them.
template <class T>
struct Codec<std::vector<std::pair<std::string, T>>> {
  using Map = std::vector<std::pair<std::string, T>>;
  static constexpr MapType type{&type_of<T>, [](void* map) { static_cast<Map*>(map)->clear(); },
                                [](void* map, const std::string& key) -> void* {
                                  return &static_cast<Map*>(map)->emplace_back(key, T{}).second;
                                },
                                [](const void* map, MapType::Visit visit, void* to) {
                                  for (const auto& [key, value] : *static_cast<const Map*>(map))
                                    visit(to, key, &value);
                                }};
  static bool read(const Value& in, Map& out, Reader& reader) { return read_map(in, &out, type, reader); }
  static Value write(const Map& value, Secrets secrets) { return write_map(&value, type, secrets); }
  static Value schema() { return map_schema(type_of<T>); }
};

// ---- the three readings ----

template <class T>
bool read(const Value& in, T& out, Reader& reader) {
  return Codec<T>::read(in, out, reader);
}
template <class T>
bool read(const Value& in, T& out, Findings& findings) {
  Reader reader(findings);
  return Codec<T>::read(in, out, reader);
}
template <class T>
Value write(const T& value, Secrets secrets = Secrets::shown) {
  return write_as<T>(&value, secrets);
}
template <class T>
Value schema() {
  return Codec<T>::schema();
}

}  // namespace sluice::json
