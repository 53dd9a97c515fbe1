// SPDX-License-Identifier: Apache-2.0
// A persistent radix tree: a change copies the nodes on its path and shares the rest, so that old versions
// stay whole for readers while the next is made. Counts of references are plain numbers: only the control
// thread makes, shares and releases anything here. Readers on other threads follow raw pointers of a version
// that is pinned for them and touch no count. Every key carries two values, for what matches exactly and for
// what matches as a prefix.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace sluice::gateway::radix {

// What may hang in a tree; freed when the last reference is released.
enum class Kind : std::uint8_t { node, bucket, route };
inline constexpr int kinds = 3;

struct Counted {
  explicit Counted(Kind what) : kind(what) {}
  std::uint32_t references = 1;
  Kind kind;
};

using Destroy = void (*)(Counted*);
// How each kind is freed; the file that knows the kind sets it before the first of them is made.
extern Destroy destroyers[kinds];

inline Counted* share(Counted* value) {
  if (value != nullptr) ++value->references;
  return value;
}
inline void release(Counted* value) {
  if (value != nullptr && --value->references == 0) destroyers[static_cast<int>(value->kind)](value);
}

enum class Slot : std::uint8_t { exact, prefix };

// One allocation: the header, the first bytes of the children, the label, then (aligned) the children. What a
// walk compares stands together at the front, in one cache line as a rule.
struct Node : Counted {
  std::uint16_t child_count;
  std::uint16_t label_size;
  Counted* values[2] = {nullptr, nullptr};  // by Slot

  unsigned char* bytes() { return reinterpret_cast<unsigned char*>(this + 1); }
  const unsigned char* bytes() const { return reinterpret_cast<const unsigned char*>(this + 1); }
  std::string_view label() const {
    return {reinterpret_cast<const char*>(bytes() + child_count), label_size};
  }
  Node** children() { return reinterpret_cast<Node**>(bytes() + front_size(child_count, label_size)); }
  Node* const* children() const {
    return reinterpret_cast<Node* const*>(bytes() + front_size(child_count, label_size));
  }
  // The child whose label begins with that byte, or null.
  const Node* child(unsigned char byte) const;

  static constexpr std::size_t front_size(std::size_t child_count, std::size_t label_size) {
    return (child_count + label_size + alignof(Node*) - 1) & ~(alignof(Node*) - 1);
  }
  Node(std::uint16_t children_wanted, std::string_view text);
};

inline constexpr std::size_t key_bytes_max = 0xFFFF;

// Turns the value at a key (owned by the callee, may be null) into the next one (owned by the caller, null:
// none).
class Change {
 public:
  virtual Counted* apply(Counted* old) = 0;

 protected:
  ~Change() = default;
};

// Takes the caller's reference to `root` (null: an empty tree) and returns one to the changed tree.
Node* update(Node* root, std::string_view key, Slot slot, Change& change);

// What a walk met: values of keys that are the text or a prefix of it.
struct Hit {
  const Counted* value;
  std::size_t length;  // of the key
};
struct Walk {
  static constexpr std::size_t hits_max = 32;

  const Counted* exact = nullptr;      // the exact value of the whole text
  std::array<Hit, hits_max> prefixes;  // a ring of the longest, shortest first
  std::size_t met = 0;                 // how many there were
};
// Prefix values longer than `longest` are left out.
void walk(const Node* root, std::string_view text, std::size_t longest, Walk& into);

}  // namespace sluice::gateway::radix
