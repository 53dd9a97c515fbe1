// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/regex.h"

#include <pcre2.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

#include "base/text.h"

namespace sluice {
namespace {

std::atomic<std::uint64_t> exhausted_count{0};

struct Flags {
  bool ignore_case = false, dot_all = false, multi_line = false, extended = false, utf8 = false,
       anchored = false;
};

Result<Flags> parse_flags(std::string_view text) {
  Flags flags;
  for (const char c : text) {
    switch (c) {
      case 'i':
        flags.ignore_case = true;
        break;
      case 's':
        flags.dot_all = true;
        break;
      case 'm':
        flags.multi_line = true;
        break;
      case 'x':
        flags.extended = true;
        break;
      case 'u':
      case 'U':
        flags.utf8 = true;
        break;
      case 'a':
        flags.anchored = true;
        break;
      case 'j':
      case 'o':
      case 'd':
        break;
      default:
        return fail(ErrorKind::protocol,
                    "unknown regex flag '" + std::string(1, c) + "'; use some of i s m x u a j o");
    }
  }
  return flags;
}

// What RE2 has to be told differently to mean what PCRE means, and what it would silently take for something
// else.
struct Translation {
  std::string pattern;
  bool has_dollar = false;  // a '$' outside a class: PCRE also matches it before a final newline
  bool must_backtrack = false;
};

class Translator {
 public:
  Translator(std::string_view from, const Flags& flags) : from_(from), flags_(flags) {}

  Translation run() {
    out_.must_backtrack = flags_.extended;
    while (at_ < from_.size()) step();
    return std::move(out_);
  }

 private:
  void step() {
    const char c = from_[at_];
    if (c == '\\') return escape();
    if (in_class_) return inside_class(c);
    if (c == '[') {
      in_class_ = true;
      copy(1);
      if (peek() == '^') copy(1);
      if (peek() == ']') out_.pattern += "\\]", ++at_;
      return;
    }
    if (c == '$') out_.has_dollar = true;
    if (static_cast<unsigned char>(c) >= 0x80 && flags_.ignore_case && !flags_.utf8)
      out_.must_backtrack = true;
    if (from_.substr(at_).starts_with("(?<") && at_ + 3 < from_.size() &&
        (is_letter(from_[at_ + 3]) || from_[at_ + 3] == '_')) {
      out_.pattern += "(?P<";
      at_ += 3;
      return;
    }
    copy(1);
  }

  void inside_class(char c) {
    if (c == ']') in_class_ = false;
    if (c == '[' && peek(1) == ':') {  // [[:alpha:]]
      const std::size_t end = from_.find(":]", at_ + 2);
      if (end != std::string_view::npos) return copy(end + 2 - at_);
    }
    copy(1);
  }

  void escape() {
    const char next = peek(1);
    if (next == 'Q') {
      const std::size_t end = from_.find("\\E", at_);
      return copy(end == std::string_view::npos ? from_.size() - at_ : end + 2 - at_);
    }
    if (next == 's') {  // PCRE's \s has the vertical tab, RE2's has not
      out_.pattern += in_class_ ? "\\t\\n\\x0B\\f\\r " : "[\\t\\n\\x0B\\f\\r ]";
      at_ += 2;
      return;
    }
    if (next == 'S' && !in_class_) {
      out_.pattern += "[^\\t\\n\\x0B\\f\\r ]";
      at_ += 2;
      return;
    }
    // \v is any vertical blank in PCRE, \b in a class is a backspace, \p needs Unicode tables, \8 is an odd
    // octal.
    if (next == 'v' || next == 'p' || next == 'P' || (in_class_ && next == 'b') || next == '8' ||
        next == '9') {
      out_.must_backtrack = true;
    }
    copy(std::min<std::size_t>(2, from_.size() - at_));
  }

  char peek(std::size_t ahead = 0) const { return at_ + ahead < from_.size() ? from_[at_ + ahead] : '\0'; }
  void copy(std::size_t count) {
    out_.pattern.append(from_.substr(at_, count));
    at_ += count;
  }

  std::string_view from_;
  Flags flags_;
  Translation out_;
  std::size_t at_ = 0;
  bool in_class_ = false;
};

struct CodeFree {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
using Code = std::unique_ptr<pcre2_code, CodeFree>;

Result<Code> compile_pcre2(std::string_view pattern, const Flags& flags) {
  std::uint32_t options = PCRE2_NEVER_BACKSLASH_C;
  if (flags.ignore_case) options |= PCRE2_CASELESS;
  if (flags.dot_all) options |= PCRE2_DOTALL;
  if (flags.multi_line) options |= PCRE2_MULTILINE;
  if (flags.extended) options |= PCRE2_EXTENDED;
  if (flags.anchored) options |= PCRE2_ANCHORED;
  if (flags.utf8) options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
  int code = 0;
  PCRE2_SIZE offset = 0;
  Code compiled(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &code,
                              &offset, nullptr));
  if (compiled) return compiled;
  unsigned char text[160];
  pcre2_get_error_message(code, text, sizeof text);
  return fail(ErrorKind::protocol, "regular expression \"" + std::string(pattern.substr(0, 200)) +
                                       "\" is not valid at character " + std::to_string(offset) + ": " +
                                       reinterpret_cast<const char*>(text));
}

// The scratch of PCRE2, one a thread: results of one match, and the limits.
struct Scratch {
  pcre2_match_data* data = pcre2_match_data_create(Regex::captures_max, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  Scratch() {
    SLUICE_CHECK(data != nullptr && context != nullptr);
    pcre2_set_match_limit(context, Regex::step_budget);
    pcre2_set_depth_limit(context, Regex::step_budget);
    pcre2_set_heap_limit(context, 16 * 1024);  // KiB
  }
  ~Scratch() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
};

Regex::Outcome run_pcre2(const pcre2_code* code, std::string_view subject, std::size_t from,
                         std::uint32_t options, std::span<std::string_view> groups) {
  thread_local Scratch scratch;
  const char* start = subject.data() == nullptr ? "" : subject.data();
  const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(start), subject.size(), from, options,
                                scratch.data, scratch.context);
  if (found == PCRE2_ERROR_NOMATCH) return Regex::Outcome::no_match;
  if (found < 0) {
    exhausted_count.fetch_add(1, std::memory_order_relaxed);
    return Regex::Outcome::exhausted;
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(scratch.data);
  const std::size_t count = found == 0 ? Regex::captures_max : static_cast<std::size_t>(found);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    // With \K in a look-around the start may lie behind the end: such a group is empty.
    const bool set = i < count && offsets[2 * i] != PCRE2_UNSET && offsets[2 * i] <= offsets[2 * i + 1];
    groups[i] = set ? std::string_view(start + offsets[2 * i], offsets[2 * i + 1] - offsets[2 * i])
                    : std::string_view();
  }
  return Regex::Outcome::match;
}

std::unique_ptr<re2::RE2> compile_re2(const Translation& translation, const Flags& flags) {
  if (translation.must_backtrack) return nullptr;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(flags.utf8 ? re2::RE2::Options::EncodingUTF8 : re2::RE2::Options::EncodingLatin1);
  options.set_case_sensitive(!flags.ignore_case);
  options.set_dot_nl(flags.dot_all);
  options.set_max_mem(2 << 20);
  const std::string pattern = flags.multi_line ? "(?m)" + translation.pattern : translation.pattern;
  auto compiled = std::make_unique<re2::RE2>(pattern, options);
  return compiled->ok() ? std::move(compiled) : nullptr;
}

}  // namespace

struct Regex::Compiled {
  std::string pattern;
  Flags flags;
  std::unique_ptr<re2::RE2> linear;  // null: PCRE2 does it all
  bool has_dollar = false;
  mutable std::once_flag once;
  mutable Code backtracking;

  // Only for patterns of RE2 with '$' when the subject ends with a newline, hence made on first need.
  const pcre2_code* fallback() const {
    std::call_once(once, [this] {
      if (backtracking) return;
      auto compiled = compile_pcre2(pattern, flags);
      if (compiled) backtracking = std::move(*compiled);
    });
    return backtracking.get();
  }

  Outcome run(std::string_view subject, std::size_t from, std::uint32_t options,
              std::span<std::string_view> groups) const {
    const bool final_newline = has_dollar && subject.ends_with('\n');
    if (linear && !final_newline && options == 0) return run_linear(subject, from, groups);
    const pcre2_code* code = linear ? fallback() : backtracking.get();
    if (code == nullptr) return run_linear(subject, from, groups);
    return run_pcre2(code, subject, from, options, groups);
  }

  Outcome run_linear(std::string_view subject, std::size_t from, std::span<std::string_view> groups) const {
    std::array<re2::StringPiece, captures_max> pieces;
    const auto wanted = std::min<std::size_t>(
        {groups.size(), captures_max, static_cast<std::size_t>(linear->NumberOfCapturingGroups()) + 1});
    const char* start = subject.data() == nullptr ? "" : subject.data();
    const auto anchor = flags.anchored ? re2::RE2::ANCHOR_START : re2::RE2::UNANCHORED;
    if (!linear->Match(re2::StringPiece(start, subject.size()), from, subject.size(), anchor, pieces.data(),
                       static_cast<int>(wanted))) {
      return Outcome::no_match;
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
      groups[i] = i < wanted && pieces[i].data() ? std::string_view(pieces[i].data(), pieces[i].size())
                                                 : std::string_view();
    }
    return Outcome::match;
  }
};

Result<Regex> Regex::compile(std::string_view pattern, std::string_view flag_letters) {
  if (pattern.size() > pattern_bytes_max) {
    return fail(ErrorKind::limit, "a regular expression of " + std::to_string(pattern.size()) +
                                      " bytes is longer than the " + std::to_string(pattern_bytes_max) +
                                      " allowed");
  }
  const auto flags = parse_flags(flag_letters);
  if (!flags) return std::unexpected(flags.error());
  auto compiled = std::make_shared<Compiled>();
  compiled->pattern = pattern;
  compiled->flags = *flags;
  const Translation translation = Translator(pattern, *flags).run();
  compiled->has_dollar = translation.has_dollar;
  compiled->linear = compile_re2(translation, *flags);
  if (!compiled->linear) {
    auto code = compile_pcre2(pattern, *flags);
    if (!code) return std::unexpected(std::move(code.error()));
    compiled->backtracking = std::move(*code);
  }
  return Regex(std::move(compiled));
}

Regex::Outcome Regex::match(std::string_view subject) const {
  return compiled_ ? compiled_->run(subject, 0, 0, {}) : Outcome::no_match;
}

Regex::Outcome Regex::captures(std::string_view subject, std::span<std::string_view> groups) const {
  return compiled_ ? compiled_->run(subject, 0, 0, groups) : Outcome::no_match;
}

Regex::Outcome Regex::replace(std::string_view subject, const Replacement& by, Mode mode, std::string& out,
                              std::size_t* count) const {
  std::array<std::string_view, captures_max> groups;
  const std::size_t wanted = std::min(captures_max, std::max<std::size_t>(by.highest_group() + 1, 1));
  const std::size_t rollback = out.size();
  std::size_t from = 0, copied = 0, replaced = 0;
  while (compiled_ && from <= subject.size() && (mode == Mode::global || replaced == 0)) {
    const Outcome outcome = compiled_->run(subject, from, 0, std::span(groups).first(wanted));
    if (outcome == Outcome::exhausted) {
      out.resize(rollback);
      return outcome;
    }
    if (outcome == Outcome::no_match) break;
    const std::size_t start =
        groups[0].data() ? static_cast<std::size_t>(groups[0].data() -
                                                    (subject.data() ? subject.data() : groups[0].data()))
                         : from;
    out.append(subject.substr(copied, start - copied));
    by.append(std::span(groups).first(wanted), out);
    copied = start + groups[0].size();
    // An empty match moves on by one byte, which is copied unchanged.
    from = groups[0].empty() ? copied + 1 : copied;
    ++replaced;
  }
  out.append(subject.substr(std::min(copied, subject.size())));
  if (count) *count = replaced;
  return replaced > 0 ? Outcome::match : Outcome::no_match;
}

Regex::Engine Regex::engine() const { return compiled_ && compiled_->linear ? Engine::re2 : Engine::pcre2; }

const std::string& Regex::pattern() const {
  static const std::string none;
  return compiled_ ? compiled_->pattern : none;
}

std::size_t Regex::group_count() const {
  if (!compiled_) return 0;
  if (compiled_->linear) return static_cast<std::size_t>(compiled_->linear->NumberOfCapturingGroups());
  std::uint32_t count = 0;
  pcre2_pattern_info(compiled_->backtracking.get(), PCRE2_INFO_CAPTURECOUNT, &count);
  return count;
}

std::vector<Regex::Name> Regex::group_names() const {
  std::vector<Name> names;
  if (!compiled_) return names;
  if (compiled_->linear) {
    for (const auto& [name, index] : compiled_->linear->NamedCapturingGroups())
      names.push_back({name, static_cast<std::size_t>(index)});
    return names;
  }
  std::uint32_t count = 0, size = 0;
  PCRE2_SPTR table = nullptr;
  pcre2_pattern_info(compiled_->backtracking.get(), PCRE2_INFO_NAMECOUNT, &count);
  pcre2_pattern_info(compiled_->backtracking.get(), PCRE2_INFO_NAMEENTRYSIZE, &size);
  pcre2_pattern_info(compiled_->backtracking.get(), PCRE2_INFO_NAMETABLE, &table);
  for (std::uint32_t i = 0; i < count; ++i, table += size) {
    names.push_back(
        {reinterpret_cast<const char*>(table + 2), static_cast<std::size_t>(table[0]) << 8 | table[1]});
  }
  return names;
}

std::optional<std::size_t> Regex::group_index(std::string_view name) const {
  for (const Name& entry : group_names()) {
    if (entry.name == name) return entry.index;
  }
  return std::nullopt;
}

std::uint64_t Regex::exhausted_total() { return exhausted_count.load(std::memory_order_relaxed); }

Result<Replacement> Replacement::compile(std::string_view text) {
  Replacement result;
  Part part;
  const auto bad = [&](std::string_view why) {
    return fail(ErrorKind::protocol,
                "replacement \"" + std::string(text.substr(0, 200)) + "\": " + std::string(why));
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      part.literal.push_back(text[at++]);
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == '$') {
      part.literal.push_back('$');
      at += 2;
      continue;
    }
    const bool braced = at + 1 < text.size() && text[at + 1] == '{';
    std::size_t digit = at + (braced ? 2 : 1);
    const std::size_t first = digit;
    int group = 0;
    while (digit < text.size() && is_digit(text[digit]) && digit - first < 4)
      group = group * 10 + (text[digit++] - '0');
    if (digit == first)
      return bad("after a $ a group number is expected, as in $1 or ${1}; write $$ for a dollar");
    if (braced && (digit >= text.size() || text[digit++] != '}'))
      return bad("the closing } of ${ is missing");
    if (group >= static_cast<int>(Regex::captures_max)) return bad("group numbers go up to 31");
    part.group = group;
    result.parts_.push_back(std::move(part));
    part = Part{};
    at = digit;
  }
  if (!part.literal.empty()) result.parts_.push_back(std::move(part));
  return result;
}

void Replacement::append(std::span<const std::string_view> groups, std::string& out) const {
  for (const Part& part : parts_) {
    out += part.literal;
    if (part.group >= 0 && static_cast<std::size_t>(part.group) < groups.size())
      out += groups[static_cast<std::size_t>(part.group)];
  }
}

std::size_t Replacement::highest_group() const {
  int highest = 0;
  for (const Part& part : parts_) highest = std::max(highest, part.group);
  return static_cast<std::size_t>(highest);
}

}  // namespace sluice
