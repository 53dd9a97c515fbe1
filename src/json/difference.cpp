// SPDX-License-Identifier: Apache-2.0
#include "json/difference.h"

#include "json/text.h"

namespace sluice::json {
namespace {

class Comparison {
 public:
  void compare(const Value& before, const Value& after) {
    if (before.is_object() && after.is_object()) return compare_members(before, after);
    const bool by_item =
        before.is_array() && after.is_array() && before.as_array().size() == after.as_array().size();
    if (by_item) return compare_items(before.as_array(), after.as_array());
    if (!(before == after)) add(&before, &after);
  }
  Array take() { return std::move(found_); }

 private:
  void compare_members(const Value& before, const Value& after) {
    for (const auto& [key, value] : before.as_object()) {
      const std::size_t here = descend(pointer_segment(key));
      if (const Value* other = after.find(key)) compare(value, *other);
      else add(&value, nullptr);
      path_.resize(here);
    }
    for (const auto& [key, value] : after.as_object()) {
      if (before.find(key)) continue;
      const std::size_t here = descend(pointer_segment(key));
      add(nullptr, &value);
      path_.resize(here);
    }
  }

  void compare_items(const Array& before, const Array& after) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      const std::size_t here = descend(std::to_string(i));
      compare(before[i], after[i]);
      path_.resize(here);
    }
  }

  // Where to come back to.
  std::size_t descend(const std::string& segment) {
    const std::size_t here = path_.size();
    path_.append("/").append(segment);
    return here;
  }

  void add(const Value* before, const Value* after) {
    Value& line = found_.emplace_back(Value::object({{"path", path_}}));
    if (before) line.set("before", *before);
    if (after) line.set("after", *after);
  }

  std::string path_;
  Array found_;
};

}  // namespace

Value difference(const Value& before, const Value& after) {
  Comparison comparison;
  comparison.compare(before, after);
  return comparison.take();
}

}  // namespace sluice::json
