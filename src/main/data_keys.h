// SPDX-License-Identifier: Apache-2.0
// The keys that seal secrets in the embedded store: a file of mode 0600 beside it, a line for each key, its
// id and 64 hexadecimal digits. The first seals, all open. There is more than one only while the store is
// sealed anew, and after a crash then. Control thread; copies go where they like.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice::main {

class DataKeys {
 public:
  struct Key {
    std::string id;     // 8 hexadecimal digits
    std::string bytes;  // 32
  };
  // Makes the file with one key when it is not there. The error is one sentence for the operator.
  static Result<DataKeys> load_or_make(const std::string& path);

  const Key& current() const { return keys_.front(); }
  const Key* find(std::string_view id) const;
  // What is stored may be sealed with an older key, or not at all.
  bool stale() const { return made_ || keys_.size() > 1; }
  const std::string& path() const { return path_; }

  // Both are on disk when they return.
  Result<> add_new();
  Result<> keep_current_only();

 private:
  Result<> write() const;
  static Result<std::vector<Key>> parse(const std::string& text, const std::string& path);

  std::string path_;
  std::vector<Key> keys_;
  bool made_ = false;
};

}  // namespace sluice::main
