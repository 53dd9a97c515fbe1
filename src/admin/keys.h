// SPDX-License-Identifier: Apache-2.0
// Who may use the Admin API: keys with a role each, compared in constant time. A key is generated at the
// first start and kept in a file only its owner can read; the defaults that APISIX published are good for
// programs on the same machine at most. Made at start, then immutable; control thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice::admin {

enum class Role : std::uint8_t { admin, viewer };  // a viewer may only GET

struct Key {
  std::string name;  // what the history says
  std::string key;
  Role role = Role::admin;
};

// Who can reach the Admin API.
enum class Reach : std::uint8_t { this_machine, network };

// What a key given with a request is worth.
struct Access {
  const Key* key = nullptr;    // null: none
  const Key* known = nullptr;  // the same, also when it is not allowed to do this
  std::string_view why = {};  // "missing apikey", "wrong apikey", "invalid method for role viewer"
};

class Keys {
 public:
  // Nobody is asked for a key (`admin_key_required: false`).
  Keys() = default;
  // At least one. Error: one is a published default and the network can use it, or too short (16 characters
  // at least), or there is none. A published one that only this machine can use is warned of.
  static Result<Keys> make(std::vector<Key> keys, Reach reach);

  bool required() const { return required_; }
  // `by_page`: a browser sends it for a page from elsewhere, which a published key does not admit.
  Access check(std::string_view given, bool reading, bool by_page = false) const;

 private:
  std::vector<Key> keys_;
  bool required_ = false;
};

// Reads the key kept in `path`, or makes one of 32 bytes from the kernel and keeps it there with mode 0600.
// The error is one sentence.
Result<std::string> load_or_make_key(const std::string& path);

}  // namespace sluice::admin
