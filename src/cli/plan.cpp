// SPDX-License-Identifier: Apache-2.0
#include "cli/plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

using json::Value;
constexpr std::size_t lines_around = 3;
constexpr std::size_t table_max = 4'000'000;  // cells that a comparison may take

std::vector<std::string_view> lines_of(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::vector<std::string_view> lines;
  if (text.empty()) return lines;
  for (std::string_view line : Split(text, '\n')) lines.push_back(line);
  return lines;
}

// Longest common subsequence, from the end, so that walking goes forward.
class Common {
 public:
  Common(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b)
      : columns_(b.size() + 1), lengths_((a.size() + 1) * columns_) {
    for (std::size_t i = a.size(); i-- > 0;) {
      for (std::size_t j = b.size(); j-- > 0;) {
        at(i, j) = a[i] == b[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  std::uint32_t& at(std::size_t i, std::size_t j) { return lengths_[i * columns_ + j]; }

 private:
  std::size_t columns_;
  std::vector<std::uint32_t> lengths_;
};

std::vector<std::string> marked(const std::vector<std::string_view>& a,
                                const std::vector<std::string_view>& b) {
  std::vector<std::string> out;
  const auto add = [&](char mark, std::string_view line) {
    out.push_back(std::string(1, mark).append(line));
  };
  if (a.size() * b.size() > table_max) {  // too long to compare: all of it goes, all of it comes
    for (auto line : a) add('-', line);
    for (auto line : b) add('+', line);
    return out;
  }
  Common common(a, b);
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) add(' ', a[i]), ++i, ++j;
    else if (j == b.size() || (i < a.size() && common.at(i + 1, j) >= common.at(i, j + 1))) add('-', a[i++]);
    else add('+', b[j++]);
  }
  return out;
}

std::string yaml_of(const Value* value) {
  return value == nullptr || (value->is_object() && value->as_object().empty()) ? ""
                                                                                : json::dump_yaml(*value);
}

// What the Admin API does not tell of a resource, as a certificate's key, cannot be compared.
bool are_same(const Item& there, const Item& wanted) {
  if (there.resource->hidden[0].empty()) return there.body == wanted.body;
  Value told = there.body, wish = wanted.body;
  for (const auto member : there.resource->hidden) told.erase(member), wish.erase(member);
  return told == wish;
}

Colour colour_of(char mark) {
  if (mark == '+') return Colour::green;
  return mark == '-' ? Colour::red : Colour::none;
}

}  // namespace

std::string_view name_of(Action action) {
  constexpr std::string_view names[]{"create", "update", "delete"};
  return names[static_cast<int>(action)];
}

std::vector<std::string> compare_lines(std::string_view before, std::string_view after, std::size_t around) {
  const auto all = marked(lines_of(before), lines_of(after));
  std::vector<bool> shown(all.size(), false);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i][0] == ' ') continue;
    const std::size_t end = std::min(all.size(), i + around + 1);
    for (std::size_t k = i > around ? i - around : 0; k < end; ++k) shown[k] = true;
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (shown[i]) out.push_back(all[i]);
    else if (i == 0 || shown[i - 1]) out.push_back(" …");
  }
  return out;
}

Plan make_plan(const Configuration& now, const Configuration& wanted, Prune prune) {
  Plan plan;
  for (const auto& [key, item] : wanted.items()) {
    const Item* there = now.find(*item.resource, item.id);
    if (there == nullptr) plan.changes.push_back({Action::create, nullptr, &item});
    else if (are_same(*there, item)) ++plan.same;
    else plan.changes.push_back({Action::update, there, &item});
  }
  for (const auto& [key, item] : now.items()) {
    if (wanted.find(*item.resource, item.id) != nullptr) continue;
    if (prune == Prune::yes) plan.changes.push_back({Action::remove, &item, nullptr});
    else ++plan.only_there;
  }
  return plan;
}

void show_change(Screen& screen, Action action, std::string_view name, const Value* before,
                 const Value* after) {
  constexpr std::string_view marks[]{"+", "~", "-"};
  constexpr Colour colours[]{Colour::green, Colour::yellow, Colour::red};
  const auto index = static_cast<std::size_t>(action);
  screen.line(fmt::format("{} {}", marks[index], name), colours[index]);
  for (const auto& line : compare_lines(yaml_of(before), yaml_of(after), lines_around))
    screen.line(fmt::format("  {} {}", line[0], line.substr(1)), colour_of(line[0]));
}

std::string summary_of(const Plan& plan) {
  const auto count = [&](Action action) { return std::ranges::count(plan.changes, action, &Change::action); };
  std::string text =
      fmt::format("{} to create, {} to update, {} to delete; {} the same", count(Action::create),
                  count(Action::update), count(Action::remove), plan.same);
  if (plan.only_there > 0)
    text += fmt::format("; {} on the gateway only, which --prune deletes", plan.only_there);
  return text;
}

Value to_value(const Plan& plan) {
  Value changes = Value::array();
  for (const Change& change : plan.changes) {
    Value told = Value::object({{"resource", change.item().name()}, {"action", name_of(change.action)}});
    if (change.before != nullptr) told.set("before", with_name(*change.before));
    if (change.after != nullptr) told.set("after", with_name(*change.after));
    changes.push_back(std::move(told));
  }
  return Value::object(
      {{"changes", std::move(changes)}, {"same", plan.same}, {"only_there", plan.only_there}});
}

}  // namespace sluice::cli
