// SPDX-License-Identifier: Apache-2.0
// A JSON value as configuration needs it: 16 bytes, owned by whoever holds it, cheap to move, members of an
// object in the order they were written. Integers stay integers (int64) and numbers with a fraction are
// doubles; 7 and 7.0 are equal. Not for the data path: a plugin compiles its config into plain members. Any
// thread, one at a time.
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::json {

class Value;
class Object;
struct Member;
using Array = std::vector<Value>;

enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };

// "null", "boolean", "integer", "number", "string", "array", "object".
std::string_view name_of(Kind kind);

class Value {
 public:
  Value() noexcept : kind_(Kind::null), whole_(0) {}
  Value(std::nullptr_t) noexcept : Value() {}
  template <std::same_as<bool> T>
  Value(T truth) noexcept : kind_(Kind::boolean), whole_(truth) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Value(T whole) noexcept : kind_(Kind::integer), whole_(static_cast<std::int64_t>(whole)) {}
  Value(double number) noexcept : kind_(Kind::number), number_(number) {}
  Value(std::string text);
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(Array items);
  Value(Object members);
  Value(const Value& other);
  Value(Value&& other) noexcept : kind_(other.kind_), whole_(other.whole_) { other.kind_ = Kind::null; }
  Value& operator=(Value other) noexcept { return swap(other), *this; }
  ~Value() {
    if (kind_ >= Kind::string) destroy();
  }

  static Value array(std::initializer_list<Value> items = {});
  static Value object(std::initializer_list<Member> members = {});

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_bool() const { return kind_ == Kind::boolean; }
  bool is_number() const { return kind_ == Kind::integer || kind_ == Kind::number; }
  // An integer, or a number without a fraction that fits one (7.0): Lua knows no difference.
  bool is_integer() const;
  bool is_string() const { return kind_ == Kind::string; }
  bool is_array() const { return kind_ == Kind::array; }
  bool is_object() const { return kind_ == Kind::object; }

  // Each ends the process when the value is of another kind: ask first.
  bool as_bool() const;
  std::int64_t as_int() const;
  double as_double() const;  // of any number
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  // The member of an object; null pointer when there is none or this is no object.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  // The member as text, or `otherwise` when it is absent or no string.
  std::string_view text(std::string_view key, std::string_view otherwise = {}) const;
  // Adds or replaces a member; a null value becomes an object first.
  Value& set(std::string_view key, Value value);
  bool erase(std::string_view key);
  // Appends to an array; a null value becomes an array first.
  Value& push_back(Value item);

  void swap(Value& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(whole_, other.whole_);
  }
  friend bool operator==(const Value& a, const Value& b);

 private:
  void destroy() noexcept;
  Kind kind_;
  union {
    std::int64_t whole_;  // also the truth of a boolean
    double number_;
    std::string* text_;
    Array* items_;
    Object* members_;
  };
  static_assert(sizeof(double) == sizeof(std::int64_t) && sizeof(void*) == sizeof(std::int64_t));
};

struct Member {
  std::string key;
  Value value;
};

// Members in the order they were written. Looking up is linear: configuration objects are small, and whoever
// may meet a large one (parse, merge_patch) builds an index.
class Object {
 public:
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  Value& set(std::string_view key, Value value);
  bool erase(std::string_view key);
  // Without looking for an equal key: the caller knows there is none.
  Value& append(std::string key, Value value);

  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }
  auto begin() { return members_.begin(); }
  auto end() { return members_.end(); }
  std::size_t size() const { return members_.size(); }
  bool empty() const { return members_.empty(); }
  // Keeps, of members with equal keys, the place of the first and the value of the last.
  void remove_duplicates();
  void clear() { members_.clear(); }

 private:
  std::vector<Member> members_;
};

}  // namespace sluice::json
