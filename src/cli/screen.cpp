// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace sluice::cli {
namespace {

constexpr std::size_t gap = 2;           // between columns
constexpr std::size_t column_min = 6;    // of a column that gives way
constexpr std::size_t width_max = 1000;  // of a terminal

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::size_t columns_of(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continues));
}

// At most `columns` characters, the last of them a mark when something was cut off.
std::string cut(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end) {
    if (!continues(text[end]) && seen++ + 1 == columns) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::red: return "\033[31m";
    case Colour::green: return "\033[32m";
    case Colour::yellow: return "\033[33m";
    case Colour::cyan: return "\033[36m";
    case Colour::bold: return "\033[1m";
    case Colour::dim: return "\033[2m";
    default: return "";
  }
}

}  // namespace

Screen::Look Screen::look_of(std::FILE* stream) {
  const int descriptor = ::fileno(stream);
  if (::isatty(descriptor) != 1) return {};
  Look look;
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  look.colours = (refused == nullptr || *refused == '\0') && terminal != nullptr &&
                 std::string_view(terminal) != "dumb";
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0) look.width = std::min<std::size_t>(size.ws_col, width_max);
  return look;
}

std::string printable(std::string_view text, Lines lines) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool kept = lines == Lines::many && (byte == '\n' || byte == '\t');
    if (byte == 0xc2 && next >= 0x80 && next < 0xa0) out += '?', ++i;  // C1, which terminals obey as well
    else if ((byte < ' ' && !kept) || byte == 0x7f) out += '?';
    else out += text[i];
  }
  return out;
}

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string coloured(std::string_view text, Colour colour, const Screen::Look& look) {
  if (!look.colours || colour == Colour::none) return std::string(text);
  return std::string(code_of(colour)).append(text).append("\033[0m");
}

void Screen::line(std::string_view text, Colour colour) {
  raw(coloured(printable(text, Lines::many), colour, look_));
  raw("\n");
}

void Screen::raw(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream_); }

bool Screen::flush() { return std::fflush(stream_) == 0 && std::ferror(stream_) == 0; }

std::vector<std::size_t> Table::widths(std::size_t room) const {
  std::vector<std::size_t> widths(heads_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  std::size_t all = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (widths[i] == 0) continue;
    widths[i] = std::max(widths[i], columns_of(heads_[i]));
    all += widths[i] + gap;
  }
  while (room > 0 && all > room + gap) {
    const auto widest = std::ranges::max_element(widths);
    if (*widest <= column_min) break;
    --*widest, --all;
  }
  return widths;
}

std::string Table::text(const Screen::Look& look) const {
  const auto columns = widths(look.width);
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i] == 0) continue;
      const std::string cell = cut(printable(i < cells.size() ? cells[i] : ""), columns[i]);
      out.append(cell).append(columns[i] - columns_of(cell) + gap, ' ');
    }
    while (out.ends_with(' ')) out.pop_back();
    return out;
  };
  std::string out = coloured(line(heads_), Colour::bold, look) + "\n";
  for (const auto& row : rows_) out.append(line(row)).append("\n");
  return out;
}

}  // namespace sluice::cli
