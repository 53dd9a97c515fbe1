// SPDX-License-Identifier: Apache-2.0
#include "json/path.h"

#include <charconv>

namespace sluice::json {

// Reads a path once, front to back.
class Path::Parser {
 public:
  Parser(std::string_view text, Path& path) : rest_(text), path_(path) {}

  bool run() {
    if (rest_.starts_with('$')) rest_.remove_prefix(1);
    else if (!rest_.starts_with('.') && !rest_.starts_with('[') && !dotted(false)) return false;
    while (!rest_.empty()) {
      if (path_.steps_.size() == steps_max || !step()) return false;
    }
    return !path_.steps_.empty();
  }

 private:
  bool step() {
    bool descends = false;
    if (rest_.starts_with("..")) {
      descends = true;
      rest_.remove_prefix(2);
    } else if (rest_.starts_with('.')) {
      rest_.remove_prefix(1);
    }
    return rest_.starts_with('[') ? bracketed(descends) : dotted(descends);
  }

  bool dotted(bool descends) {
    const std::string_view name = rest_.substr(0, rest_.find_first_of(".["));
    if (name.empty()) return false;
    rest_.remove_prefix(name.size());
    return name == "*" ? add({Kind::all, descends, {}, 0})
                       : add({Kind::name, descends, std::string(name), 0});
  }

  bool bracketed(bool descends) {
    rest_.remove_prefix(1);
    const char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote == '\'' || quote == '"') {
      const std::size_t end = rest_.find(quote, 1);
      if (end == std::string_view::npos || rest_.substr(end + 1, 1) != "]") return false;
      std::string name(rest_.substr(1, end - 1));
      rest_.remove_prefix(end + 2);
      return add({Kind::name, descends, std::move(name), 0});
    }
    const std::size_t end = rest_.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view inside = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    if (inside == "*") return add({Kind::all, descends, {}, 0});
    Step step{Kind::index, descends, {}, 0};
    const auto [stop, error] = std::from_chars(inside.data(), inside.data() + inside.size(), step.index);
    return error == std::errc() && stop == inside.data() + inside.size() && add(std::move(step));
  }

  bool add(Step step) {
    path_.plain_ = path_.plain_ && step.kind == Kind::name && !step.descends;
    path_.steps_.push_back(std::move(step));
    return true;
  }

  std::string_view rest_;
  Path& path_;
};

// Recurses as deep as the document and the path are, which both are bounded.
class Path::Search {
 public:
  Search(const std::vector<Step>& steps, std::vector<const Value*>& found) : steps_(steps), found_(found) {}

  // False when it was given up.
  bool from(const Value& value, std::size_t at) {
    if (++visits_ > visits_max) return false;
    if (at == steps_.size()) {
      found_.push_back(&value);
      return true;
    }
    const Step& step = steps_[at];
    if (!take(value, step, at + 1)) return false;
    return !step.descends || each(value, [&](const Value& child) { return from(child, at); });
  }

 private:
  bool take(const Value& value, const Step& step, std::size_t next) {
    if (step.kind == Kind::all) return each(value, [&](const Value& child) { return from(child, next); });
    if (step.kind == Kind::index) {
      return !value.is_array() || step.index >= value.as_array().size() ||
             from(value.as_array()[step.index], next);
    }
    const Value* member = value.find(step.name);
    return member == nullptr || from(*member, next);
  }

  template <class Visit>
  static bool each(const Value& value, const Visit& visit) {
    if (value.is_array()) {
      for (const Value& item : value.as_array())
        if (!visit(item)) return false;
    } else if (value.is_object()) {
      for (const auto& [key, member] : value.as_object())
        if (!visit(member)) return false;
    }
    return true;
  }

  const std::vector<Step>& steps_;
  std::vector<const Value*>& found_;
  std::size_t visits_ = 0;
};

std::optional<Path> Path::parse(std::string_view text) {
  Path path;
  if (!Parser(text, path).run()) return std::nullopt;
  return path;
}

std::vector<const Value*> Path::find(const Value& root) const {
  std::vector<const Value*> found;
  if (!Search(steps_, found).from(root, 0)) found.clear();
  return found;
}

}  // namespace sluice::json
