// SPDX-License-Identifier: Apache-2.0
#include "main/seals.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "plugins/list.h"

namespace sluice::main {
namespace {

constexpr std::string_view consumer = "/apisix/consumers/jack", ssl = "/apisix/ssls/1";
const std::string jack = R"({"username":"jack","plugins":{"key-auth":{"key":"auth-one"}}})";

class Seals : public testing::Test {
 protected:
  Seals() : places_(plugins::all()) {
    std::string name = std::filesystem::temp_directory_path() / "sluice-seals-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~Seals() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/data.key"; }
  std::unique_ptr<store::Seal> embedded(bool enabled = true) {
    return seal_with_data_keys(places_, *DataKeys::load_or_make(path()), enabled);
  }
  std::unique_ptr<store::Seal> keyring(std::vector<std::string> keys, bool enabled = true) {
    return seal_with_keyring(places_, {enabled, std::move(keys)});
  }
  // What is opened, and behind it the paths of problems.
  static std::string opened(const store::Seal& seal, std::string_view key, std::string value) {
    json::Problems problems;
    std::string told = seal.open(key, std::move(value), problems);
    for (const auto& problem : problems) told += " P" + problem.path;
    return told;
  }

  plugin::SecretPlaces places_;
  std::string folder_;
};

TEST_F(Seals, TheFileIsMadeOnceAndIsNobodyElses) {
  const auto made = *DataKeys::load_or_make(path());
  EXPECT_TRUE(made.stale()) << "nothing is sealed with it yet";
  struct stat about{};
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  const auto read = *DataKeys::load_or_make(path());
  EXPECT_FALSE(read.stale());
  EXPECT_EQ(read.current().bytes, made.current().bytes);
  EXPECT_EQ(read.current().bytes.size(), 32u);
  ::chmod(path().c_str(), 0644);
  EXPECT_TRUE(DataKeys::load_or_make(path()));
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  std::ofstream(path()) << "a key of somebody's\n";
  EXPECT_FALSE(DataKeys::load_or_make(path()));
}

TEST_F(Seals, SealsSecretsAndNothingElse) {
  const auto seal = embedded();
  const auto sealed = seal->close(consumer, jack);
  EXPECT_EQ(sealed.find("auth-one"), sealed.npos);
  EXPECT_NE(sealed.find(R"("username":"jack")"), sealed.npos);
  EXPECT_EQ(opened(*seal, consumer, sealed), jack);
  EXPECT_EQ(opened(*seal, "/apisix/consumers/jill", sealed),
            R"({"username":"jack","plugins":{"key-auth":{}}} P/plugins/key-auth/key)")
      << "it opens in its own place only";
  EXPECT_EQ(opened(*seal, consumer, jack), jack) << "from before there were keys";
  const std::string route = R"({"uri":"/a", "plugins":{"cors":{}}})";
  EXPECT_EQ(seal->close("/apisix/routes/1", route), route) << "untouched, blanks too";
  EXPECT_EQ(seal->close("/apisix/gen_id", "1"), "1");
  EXPECT_EQ(opened(*embedded(false), consumer, sealed), jack);
  EXPECT_EQ(embedded(false)->close(consumer, jack), jack);
}

TEST_F(Seals, AKeyIsChanged) {
  auto seal = embedded();
  const auto before = seal->close(consumer, jack);
  ASSERT_TRUE(seal->take_new_key());
  EXPECT_EQ(opened(*seal, consumer, before), jack) << "the old key opens until all is sealed again";
  EXPECT_TRUE(DataKeys::load_or_make(path())->stale()) << "a crash now is noticed at the next start";
  EXPECT_EQ(opened(*embedded(), consumer, before), jack);
  const auto again = seal->resealer()(consumer, before);
  EXPECT_NE(again, before);
  EXPECT_EQ(seal->resealer()(consumer, again), again) << "is as it should be";
  ASSERT_TRUE(seal->forget_old_keys());
  EXPECT_FALSE(DataKeys::load_or_make(path())->stale());
  EXPECT_EQ(opened(*embedded(), consumer, again), jack);
  EXPECT_NE(opened(*seal, consumer, before), jack);
  EXPECT_EQ(seal->resealer()(consumer, before), before) << "what nobody can open stays";
}

// "4y+J…" is what openssl makes of auth-one with the published key, "6XS2…" with the other.
TEST_F(Seals, TheKeyringIsApisixs) {
  const std::string own = "0123456789abcdef0123456789ABCDEF";
  const auto with = [](std::string_view key) {
    return R"({"username":"jack","plugins":{"key-auth":{"key":")" + std::string(key) + R"("}}})";
  };
  const auto seal = keyring({own});
  EXPECT_EQ(seal->close(consumer, jack), with("6XS2Cpox/m7xSwx6BUx5cQ=="));
  EXPECT_EQ(opened(*seal, consumer, with("6XS2Cpox/m7xSwx6BUx5cQ==")), jack);
  EXPECT_EQ(opened(*seal, consumer, with("4y+JvURBE6ZwRbbgaryrhg==")), jack) << "published keys decrypt";
  EXPECT_EQ(keyring({})->close(consumer, jack), jack) << "and do not encrypt";
  EXPECT_EQ(opened(*keyring({}), consumer, with("4y+JvURBE6ZwRbbgaryrhg==")), jack);
  EXPECT_EQ(keyring({"qeddd145sfvddff3"})->close(consumer, jack), with("4y+JvURBE6ZwRbbgaryrhg=="))
      << "unless it is asked for";
  EXPECT_EQ(opened(*keyring({"another key, 16B", own}), consumer, with("6XS2Cpox/m7xSwx6BUx5cQ==")), jack);
  EXPECT_EQ(opened(*keyring({"another key, 16B"}), consumer, with("6XS2Cpox/m7xSwx6BUx5cQ==")),
            R"({"username":"jack","plugins":{"key-auth":{}}} P/plugins/key-auth/key)");
  for (const std::string plain :
       {"auth-one", "abcdefghijkl", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"})
    EXPECT_EQ(opened(*seal, consumer, with(plain)), with(plain));
  const auto base64 = with("6XS2Cpox/m7xSwx6BUx5cA==");
  EXPECT_EQ(opened(*keyring({}), consumer, base64), base64) << "without a keyring our own are plain";
  EXPECT_EQ(opened(*keyring({own}, false), consumer, base64), base64);
  EXPECT_EQ(keyring({own}, false)->close(consumer, jack), jack);
}

TEST_F(Seals, KeysOfCertificatesAreEncryptedAsApisixDoes) {
  const auto seal = keyring({"0123456789abcdef"});
  const std::string plain =
      R"({"cert":"c","key":"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n"})";
  const auto closed = seal->close(ssl, plain);
  EXPECT_EQ(closed.find("BEGIN"), closed.npos);
  EXPECT_EQ(opened(*seal, ssl, closed), plain);
  EXPECT_EQ(opened(*seal, ssl, plain), plain);
  const std::string reference = R"({"cert":"c","key":"$secret://vault/1/a/key"})";
  EXPECT_EQ(seal->close(ssl, reference), reference);
  EXPECT_EQ(opened(*seal, ssl, reference), reference);
  EXPECT_EQ(opened(*seal, ssl, R"({"cert":"c","key":"?"})"), R"({"cert":"c"} P/key)");
  const std::string vault = R"({"uri":"http://v","prefix":"p","token":"t"})";
  EXPECT_EQ(seal->close("/apisix/secrets/vault/1", vault), vault) << "APISIX could not read it";
  EXPECT_NE(embedded()->close("/apisix/secrets/vault/1", vault), vault);
}

}  // namespace
}  // namespace sluice::main
