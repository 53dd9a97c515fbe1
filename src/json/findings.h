// SPDX-License-Identifier: Apache-2.0
// What reading a document of the operator's finds out: every problem at once, each with its path and with
// what to do, warnings, which members are secrets and which other resources they name. A `Reader` walks along
// while a value is read and knows where it is; it costs nothing until something is found. One reading, one
// thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

namespace sluice::json {

// `path` is a JSON pointer ("/plugins/limit-count/count"), `what` a sentence for a person ("must be at least
// 1, not 0"), `sentence` the same in APISIX's words from the top of the document (`property "plugins"
// validation failed: …`).
struct Problem {
  std::string path;
  std::string what;
  std::string sentence;
};
using Problems = std::vector<Problem>;

struct Reference {
  std::string resource;  // "upstreams"
  std::string id;
  std::string path;  // of the member that names it
};

struct Findings {
  static constexpr std::size_t problems_max = 100;  // more are counted, not kept
  Problems problems;
  Problems warnings;
  std::vector<std::string> secrets;  // paths of the members declared secret, where they are strings
  std::vector<Reference> references;

  bool ok() const { return problems.empty(); }
  // The first problem in APISIX's words; empty without problems.
  std::string sentence() const;
};

// [{"path": …, "what": …}, …], as the Admin API answers.
Value to_value(const Problems& problems);

// Texts that stand for a secret kept elsewhere: `$secret://…`, `$env://…`.
bool is_secret_reference(std::string_view text);

class Reader {
 public:
  // `base` is the path of the document read inside a larger one, `opening` what APISIX says before the
  // sentence; `always` what it says even before a plain one.
  explicit Reader(Findings& findings, std::string base = {}, std::string opening = {},
                  std::string always = {})
      : findings_(&findings), base_(std::move(base)), opening_(std::move(opening)),
        always_(std::move(always)) {}

  // A problem of the value being read; always false, so that a codec can return it. `apisix` is APISIX's
  // wording where it differs.
  bool fail(std::string what, std::string apisix = {});
  // A problem of a member of the object being read. `apisix` speaks of the object (`property "x" is
  // required`).
  bool fail_member(std::string_view member, std::string what, std::string apisix = {});
  // The same, where `sentence` is all that APISIX says of it. `member` may be empty: the value itself.
  bool fail_plainly(std::string_view member, std::string what, std::string sentence);
  // Takes over what was found in a part that was read on the side; `sentence` replaces APISIX's words of
  // each.
  bool adopt(Findings found, std::string apisix);
  // "wrong type: expected string, got number".
  bool wrong_type(std::string_view expected, const Value& got);
  void warn(std::string_view member, std::string what);
  void secret() { findings_->secrets.push_back(path()); }
  void refers(std::string_view resource, std::string id);

  // A reference is read as it is, and no rule is about it: what it stands for is not known.
  void let_references_stand() { references_stand_ = true; }
  bool stands(const Value& value) const {
    return references_stand_ && value.is_string() && is_secret_reference(value.as_string());
  }

  std::string path() const;
  std::size_t problem_count() const { return findings_->problems.size() + dropped_; }
  Findings& findings() { return *findings_; }

  // While it lives the reader stands one step deeper. The name outlives the step.
  class Step {
   public:
    Step(Reader& reader, std::string_view member, std::string_view pattern = {}) : reader_(reader) {
      reader_.steps_.push_back({member, pattern, no_index});
    }
    Step(Reader& reader, std::size_t index) : reader_(reader) { reader_.steps_.push_back({{}, {}, index}); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() { reader_.steps_.pop_back(); }

   private:
    Reader& reader_;
  };

 private:
  static constexpr std::size_t no_index = static_cast<std::size_t>(-1);
  struct Place {
    std::string_view member, pattern;
    std::size_t index;
  };
  std::string sentence_start() const;
  bool add(Problem problem);

  Findings* findings_;
  std::string base_, opening_, always_;
  std::vector<Place> steps_;
  std::size_t dropped_ = 0;
  bool references_stand_ = false;
};

}  // namespace sluice::json
