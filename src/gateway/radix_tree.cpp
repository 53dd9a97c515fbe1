// SPDX-License-Identifier: Apache-2.0
#include "gateway/radix_tree.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstring>
#include <string>

#include "base/result.h"
#include "base/slab.h"

namespace sluice::gateway::radix {
namespace {

std::size_t bytes_of(std::size_t label_size, std::size_t child_count) {
  return sizeof(Node) + Node::front_size(child_count, label_size) + child_count * sizeof(Node*);
}

void free_node(Node* node) { Slab::give(node, bytes_of(node->label_size, node->child_count)); }

void destroy_node(Counted* value) {
  auto* node = static_cast<Node*>(value);
  for (unsigned i = 0; i < node->child_count; ++i) release(node->children()[i]);
  release(node->values[0]);
  release(node->values[1]);
  free_node(node);
}

Node* make(std::string_view label, unsigned child_count) {
  SLUICE_CHECK(label.size() <= key_bytes_max && child_count <= 256);
  destroyers[static_cast<int>(Kind::node)] = destroy_node;
  return new (Slab::take(bytes_of(label.size(), child_count)))
      Node(static_cast<std::uint16_t>(child_count), label);
}

// Moves or shares what hangs on `from` into `to`, leaving out child `skip` and leaving a gap at child `gap`.
constexpr unsigned none = 256 + 1;
void take_over(Node* from, Node* to, unsigned skip, unsigned gap) {
  const bool last = from->references == 1;
  unsigned target = 0;
  for (unsigned i = 0; i < from->child_count; ++i) {
    if (i == skip) continue;
    if (target == gap) ++target;
    to->children()[target] = from->children()[i];
    to->bytes()[target] = from->bytes()[i];
    if (!last) share(from->children()[i]);
    ++target;
  }
  for (int slot = 0; slot < 2; ++slot) {
    to->values[slot] = from->values[slot];
    if (!last) share(from->values[slot]);
  }
  if (last) {
    free_node(from);
  } else {
    --from->references;
  }
}

// These take the caller's reference to `node` and return one to a node nobody else refers to.
Node* own(Node* node) {
  if (node->references == 1) return node;
  Node* copy = make(node->label(), node->child_count);
  take_over(node, copy, none, none);
  return copy;
}

Node* with_label(Node* node, std::string_view label) {
  Node* copy = make(label, node->child_count);
  take_over(node, copy, none, none);
  return copy;
}

Node* with_child(Node* node, Node* child) {
  const auto byte = static_cast<unsigned char>(child->label()[0]);
  unsigned at = 0;
  while (at < node->child_count && node->bytes()[at] < byte) ++at;
  Node* copy = make(node->label(), node->child_count + 1u);
  take_over(node, copy, none, at);
  copy->children()[at] = child;
  copy->bytes()[at] = byte;
  return copy;
}

// The child's reference has been given away already.
Node* without_child(Node* node, unsigned at) {
  Node* copy = make(node->label(), node->child_count - 1u);
  take_over(node, copy, at, none);
  return copy;
}

// A node without values and with fewer than two children need not exist. `node` is owned alone.
Node* tidy(Node* node) {
  if (node->values[0] != nullptr || node->values[1] != nullptr || node->child_count > 1) return node;
  if (node->child_count == 0) {
    free_node(node);
    return nullptr;
  }
  Node* child = node->children()[0];
  const std::string label = std::string(node->label()) + std::string(child->label());
  free_node(node);
  return with_label(child, label);
}

Node* leaf(std::string_view label, Slot slot, Counted* value) {
  Node* node = make(label, 0);
  node->values[static_cast<int>(slot)] = value;
  return node;
}

std::size_t common_length(std::string_view a, std::string_view b) {
  std::size_t length = 0;
  while (length < a.size() && length < b.size() && a[length] == b[length]) ++length;
  return length;
}

// Which child's label begins with the byte; -1 for none.
int child_index(const Node* node, unsigned char byte) {
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(byte));
  for (unsigned at = 0; at < node->child_count; at += 16) {  // the children stand behind: sixteen are there
    const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(node->bytes() + at));
    const unsigned left = std::min(node->child_count - at, 16u);
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(some, wanted))) &
                       ((1u << left) - 1);
    if (found != 0) return static_cast<int>(at) + __builtin_ctz(found);
  }
  return -1;
#else
  const void* found = std::memchr(node->bytes(), byte, node->child_count);
  return found == nullptr ? -1 : static_cast<int>(static_cast<const unsigned char*>(found) - node->bytes());
#endif
}

// The key leaves the node's label in the middle: a node for what they share goes above both.
Node* split(Node* node, std::string_view key, std::size_t common, Slot slot, Counted* value) {
  Node* upper = make(key.substr(0, common), 0);
  Node* lower = with_label(node, std::string(node->label().substr(common)));
  upper = with_child(upper, lower);
  if (common == key.size()) {
    upper->values[static_cast<int>(slot)] = value;
    return upper;
  }
  return with_child(upper, leaf(key.substr(common), slot, value));
}

}  // namespace

Destroy destroyers[kinds] = {};

Node::Node(std::uint16_t children_wanted, std::string_view text)
    : Counted(Kind::node), child_count(children_wanted), label_size(static_cast<std::uint16_t>(text.size())) {
  if (!text.empty()) std::memcpy(bytes() + child_count, text.data(), text.size());
}

const Node* Node::child(unsigned char byte) const {
  const int at = child_index(this, byte);
  return at < 0 ? nullptr : children()[at];
}

Node* update(Node* node, std::string_view key, Slot slot, Change& change) {
  if (node == nullptr) {
    Counted* value = change.apply(nullptr);
    return value == nullptr ? nullptr : leaf(key, slot, value);
  }
  const std::size_t common = common_length(node->label(), key);
  if (common < node->label_size) {
    Counted* value = change.apply(nullptr);
    return value == nullptr ? node : split(node, key, common, slot, value);
  }
  const std::string_view rest = key.substr(common);
  if (rest.empty()) {
    node = own(node);
    Counted*& value = node->values[static_cast<int>(slot)];
    value = change.apply(value);
    return tidy(node);
  }
  const int at = child_index(node, static_cast<unsigned char>(rest[0]));
  if (at < 0) {
    Counted* value = change.apply(nullptr);
    return value == nullptr ? node : with_child(node, leaf(rest, slot, value));
  }
  node = own(node);
  Node* child = update(node->children()[at], rest, slot, change);
  if (child == nullptr) return tidy(without_child(node, static_cast<unsigned>(at)));
  node->children()[at] = child;
  return node;
}

void walk(const Node* node, std::string_view text, std::size_t longest, Walk& into) {
  std::size_t depth = 0;
  std::size_t compared = 0;  // of the label: its first byte chose the child
  while (node != nullptr) {
    __builtin_prefetch(reinterpret_cast<const char*>(node) + Slab::line);
    const std::string_view label = node->label();
    if (text.size() - depth < label.size()) return;
    const std::size_t more = label.size() - compared;
    if (more > 0 && std::memcmp(text.data() + depth + compared, label.data() + compared, more) != 0) return;
    depth += label.size();
    if (node->values[static_cast<int>(Slot::prefix)] != nullptr && depth <= longest) {
      into.prefixes[into.met++ % Walk::hits_max] = {node->values[static_cast<int>(Slot::prefix)], depth};
    }
    if (depth == text.size()) {
      into.exact = node->values[static_cast<int>(Slot::exact)];
      return;
    }
    node = node->child(static_cast<unsigned char>(text[depth]));
    compared = 1;
  }
}

}  // namespace sluice::gateway::radix
