// SPDX-License-Identifier: Apache-2.0
#include "store/sealed_store.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "store/sqlite_store.h"
#include "store/testing.h"

namespace sluice::store {
namespace {

// "open" becomes "KEY:nepo"; what another key has sealed is unreadable. New keys are made of the next letter.
class Mirrored final : public Seal {
 public:
  explicit Mirrored(char key) : keys_(1, key) {}
  std::string close(std::string_view, std::string value) const override { return closed(keys_, value); }
  std::string open(std::string_view, std::string value, json::Problems& problems) const override {
    return opened(keys_, std::move(value), &problems);
  }
  Result<> take_new_key() override {
    keys_.insert(keys_.begin(), static_cast<char>(keys_.front() + 1));
    return {};
  }
  Resealer resealer() const override {
    return [keys = keys_](std::string_view, std::string value) {
      return closed(keys, opened(keys, std::move(value), nullptr));
    };
  }
  Result<> forget_old_keys() override { return keys_.resize(1), Result<>(); }

 private:
  static std::string closed(const std::string& keys, const std::string& value) {
    return std::string(1, keys.front()) + ":" + std::string(value.rbegin(), value.rend());
  }
  static std::string opened(const std::string& keys, std::string value, json::Problems* problems) {
    if (value.size() < 2 || value[1] != ':') return value;
    if (keys.find(value[0]) != keys.npos) return {value.rbegin(), value.rend() - 2};
    if (problems != nullptr) problems->push_back({"/secret", "cannot be opened", {}});
    return "{}";
  }

  std::string keys_;
};

struct Sealed {
  explicit Sealed(const std::string& path, char key = 'a', Resealer rewrite = {}) {
    SqliteOptions options{.path = path};
    options.rewrite = std::move(rewrite);
    store = seal_store(*open_sqlite(std::move(options), loop), std::make_unique<Mirrored>(key));
  }
  std::string get(const std::string& key) { return (**wait(loop, store->get(key))).value; }
  std::string scanned() {
    std::string all;
    EXPECT_TRUE(store->scan(
        "/", [&](Entry&& entry) { all += entry.key + "=" + entry.value + entry.unreadable + " "; }));
    return all;
  }
  async::Loop loop;
  std::unique_ptr<Store> store;
};

std::string on_disk(const std::string& path) {
  std::stringstream all;
  for (const char* part : {"", "-wal"}) {
    if (std::ifstream file(path + part, std::ios::binary); file) all << file.rdbuf();
  }
  return all.str();
}

TEST(SealedStore, ShowsInPlainWhatItKeepsSealed) {
  Folder folder;
  Sealed sealed(folder / "store.db");
  std::vector<std::string> told;
  auto watch = sealed.store->watch(0, [&](Result<std::vector<Change>> changes) {
    for (const auto& change : *changes) told.push_back(change.value.value_or("-"));
  });
  ASSERT_TRUE(wait(sealed.loop, sealed.store->transact(put("/a", "first secret")))->done);
  ASSERT_TRUE(wait(sealed.loop, sealed.store->transact(put("/a", "second secret")))->done);
  Transaction removal;
  removal.writes.push_back({"/a", {}, {}});
  EXPECT_EQ(sealed.get("/a"), "second secret");
  EXPECT_EQ(wait(sealed.loop, sealed.store->list("/", "", 10))->entries.front().value, "second secret");
  EXPECT_EQ(sealed.scanned(), "/a=second secret ");
  const auto history = wait(sealed.loop, sealed.store->history({}));
  ASSERT_EQ(history->records.size(), 2u);
  EXPECT_EQ(history->records.front().before, "first secret");
  EXPECT_EQ(history->records.front().after, "second secret");
  ASSERT_TRUE(wait(sealed.loop, sealed.store->transact(std::move(removal)))->done);
  EXPECT_EQ(told, (std::vector<std::string>{"first secret", "second secret", "-"}));
  EXPECT_EQ(on_disk(folder / "store.db").find("secret"), std::string::npos);
}

TEST(SealedStore, ChangesItsKeyInOneStep) {
  Folder folder;
  const std::string path = folder / "store.db";
  {
    Sealed sealed(path);
    for (int i = 0; i < 1200; ++i) {
      auto key = "/k/" + std::to_string(i);
      ASSERT_TRUE(wait(sealed.loop, sealed.store->transact(put(key, "secret " + std::to_string(i))))->done);
    }
    const auto revision = wait(sealed.loop, sealed.store->list("/", "", 1))->revision;
    ASSERT_TRUE(wait(sealed.loop, sealed.store->change_key()));
    EXPECT_EQ(wait(sealed.loop, sealed.store->list("/", "", 1))->revision, revision) << "it is no revision";
    EXPECT_EQ(sealed.get("/k/7"), "secret 7");
    EXPECT_EQ(wait(sealed.loop, sealed.store->history({}))->records.front().after, "secret 1199");
    EXPECT_EQ(on_disk(path).find("a:9911 terces"), std::string::npos) << "the old text is overwritten";
    EXPECT_NE(on_disk(path).find("b:9911 terces"), std::string::npos);
  }
  Sealed with_new(path, 'b');
  EXPECT_EQ(with_new.get("/k/1199"), "secret 1199");
}

TEST(SealedStore, LeavesOutWhatItCannotOpen) {
  Folder folder;
  const std::string path = folder / "store.db";
  {
    Sealed sealed(path, 'a');
    ASSERT_TRUE(wait(sealed.loop, sealed.store->transact(put("/a", "secret")))->done);
  }
  Sealed other(path, 'x');
  EXPECT_EQ(other.scanned(), "/a={}/secret cannot be opened ");
  EXPECT_EQ(other.get("/a"), "{}") << "so that it can be written again";
  std::vector<std::string> told;
  auto watch = other.store->watch(0, [&](Result<std::vector<Change>> changes) {
    for (const auto& change : *changes) told.push_back(change.key + change.unreadable);
  });
  ASSERT_TRUE(wait(other.loop, other.store->transact(put("/b", "secret")))->done);
  EXPECT_EQ(told, (std::vector<std::string>{"/a/secret cannot be opened", "/b"}));
  ASSERT_TRUE(wait(other.loop, other.store->change_key())) << "it stays as it is";
  EXPECT_EQ(other.get("/b"), "secret");
}

// A store from before there were keys.
TEST(SealedStore, SealsAtTheStartWhatWasPlain) {
  Folder folder;
  const std::string path = folder / "store.db";
  {
    async::Loop loop;
    auto plain = *open_sqlite({.path = path}, loop);
    ASSERT_TRUE(wait(loop, plain->transact(put("/a", "first secret")))->done);
    ASSERT_TRUE(wait(loop, plain->transact(put("/a", "second secret")))->done);
  }
  Sealed sealed(path, 'a', Mirrored('a').resealer());
  EXPECT_EQ(on_disk(path).find("secret"), std::string::npos);
  EXPECT_EQ(sealed.get("/a"), "second secret");
  EXPECT_EQ(wait(sealed.loop, sealed.store->history({}))->records.front().before, "first secret");
}

}  // namespace
}  // namespace sluice::store
