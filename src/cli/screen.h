// SPDX-License-Identifier: Apache-2.0
// What people see: lines on a terminal, tables that fit it, colours where there are any to see. Texts come
// from elsewhere, so what would move the cursor is made visible instead. One thread.
#pragma once
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

enum class Colour : std::uint8_t { none, red, green, yellow, cyan, bold, dim };

class Screen {
 public:
  struct Look {
    bool colours = false;
    std::size_t width = 0;  // columns; 0: lines are never cut
  };
  // How `stream` looks: colours and a width when it is a terminal and NO_COLOR is not set.
  static Look look_of(std::FILE* stream);

  explicit Screen(std::FILE* stream) : stream_(stream), look_(look_of(stream)) {}

  const Look& look() const { return look_; }
  void line(std::string_view text, Colour colour = Colour::none);
  void raw(std::string_view text);  // as it is, for programs
  // False when something could not be written: a full disk, a closed pipe.
  bool flush();

 private:
  std::FILE* stream_;
  Look look_;
};

// Control characters as '?'; tabs and line ends too, unless `text` is a whole document.
enum class Lines : std::uint8_t { one, many };
std::string printable(std::string_view text, Lines lines = Lines::one);
std::string coloured(std::string_view text, Colour colour, const Screen::Look& look);

// "1 resource", "2 resources".
std::string counted(std::size_t count, std::string_view noun);

class Table {
 public:
  explicit Table(std::vector<std::string> heads) : heads_(std::move(heads)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // Without the columns that are empty in every row. When the lines are too long for the terminal the widest
  // columns give way.
  std::string text(const Screen::Look& look) const;

 private:
  std::vector<std::size_t> widths(std::size_t room) const;
  std::vector<std::string> heads_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace sluice::cli
