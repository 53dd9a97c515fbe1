// SPDX-License-Identifier: Apache-2.0
// Options of the bench's programs: --name value, with a default each. A program asks for what it knows; what
// is left over ends it with a sentence. Made in main, read on its one thread.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

class Options {
 public:
  Options(int count, char** words) {
    for (int at = 1; at < count; at++) {
      const std::string word = words[at];
      if (word.rfind("--", 0) != 0 || at + 1 >= count) fail("options are written --name value, not " + word);
      given_[word.substr(2)].emplace_back(words[++at]);
    }
  }
  std::string text(const std::string& name, const std::string& otherwise) {
    auto found = given_.find(name);
    if (found == given_.end()) return otherwise;
    std::string value = found->second.back();
    given_.erase(found);
    return value;
  }
  std::vector<std::string> list(const std::string& name) {
    auto found = given_.find(name);
    if (found == given_.end()) return {};
    auto values = found->second;
    given_.erase(found);
    return values;
  }
  long number(const std::string& name, long otherwise) {
    const std::string value = text(name, "");
    return value.empty() ? otherwise : std::atol(value.c_str());
  }
  double real(const std::string& name, double otherwise) {
    const std::string value = text(name, "");
    return value.empty() ? otherwise : std::atof(value.c_str());
  }
  void nothing_left() const {
    if (!given_.empty()) fail("there is no option --" + given_.begin()->first);
  }
  [[noreturn]] static void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(2);
  }

 private:
  std::map<std::string, std::vector<std::string>> given_;
};
