// SPDX-License-Identifier: Apache-2.0
// A map from text to values whose versions share what they have in common: a changed copy costs two small
// tables and one bucket, whatever its size. Readers in other threads use a version that is pinned for them,
// through plain pointers; versions are made and destroyed on one thread.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace sluice {

template <class Value>
class PersistentMap {
 public:
  const Value* find(std::string_view key) const {
    const std::uint64_t hash = hash64(key);
    const Bucket* bucket = bucket_of(hash);
    if (bucket == nullptr) return nullptr;
    for (const auto& entry : bucket->entries) {
      if (entry.hash == hash && entry.key == key) return &entry.value;
    }
    return nullptr;
  }

  // The next version, with `key` set.
  PersistentMap with(std::string_view key, Value value) const {
    const std::uint64_t hash = hash64(key);
    return changed(hash, [&](Bucket& bucket) {
      for (auto& entry : bucket.entries) {
        if (entry.hash != hash || entry.key != key) continue;
        entry.value = std::move(value);
        return 0;
      }
      bucket.entries.push_back({hash, std::string(key), std::move(value)});
      return 1;
    });
  }

  // The next version, without `key`.
  PersistentMap without(std::string_view key) const {
    if (find(key) == nullptr) return *this;
    const std::uint64_t hash = hash64(key);
    return changed(hash, [&](Bucket& bucket) {
      return -static_cast<int>(
          std::erase_if(bucket.entries, [&](const Entry& e) { return e.hash == hash && e.key == key; }));
    });
  }

  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t fanout = 64;
  struct Entry {
    std::uint64_t hash;
    std::string key;
    Value value;
  };
  struct Bucket {
    std::vector<Entry> entries;
  };
  struct Table {
    std::array<std::shared_ptr<const Bucket>, fanout> buckets;
  };
  struct Root {
    std::array<std::shared_ptr<const Table>, fanout> tables;
  };

  const Bucket* bucket_of(std::uint64_t hash) const {
    if (root_ == nullptr) return nullptr;
    const Table* table = root_->tables[hash % fanout].get();
    return table == nullptr ? nullptr : table->buckets[hash / fanout % fanout].get();
  }

  template <class Edit>
  PersistentMap changed(std::uint64_t hash, Edit edit) const {
    auto root = root_ == nullptr ? std::make_shared<Root>() : std::make_shared<Root>(*root_);
    auto& table_slot = root->tables[hash % fanout];
    auto table = table_slot == nullptr ? std::make_shared<Table>() : std::make_shared<Table>(*table_slot);
    auto& bucket_slot = table->buckets[hash / fanout % fanout];
    auto bucket =
        bucket_slot == nullptr ? std::make_shared<Bucket>() : std::make_shared<Bucket>(*bucket_slot);
    PersistentMap next;
    next.size_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(size_) + edit(*bucket));
    bucket_slot = std::move(bucket);
    table_slot = std::move(table);
    next.root_ = std::move(root);
    return next;
  }

  std::shared_ptr<const Root> root_;
  std::size_t size_ = 0;
};

}  // namespace sluice
