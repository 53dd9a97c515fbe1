// SPDX-License-Identifier: Apache-2.0
#include "secrets/secrets.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "json/text.h"

namespace sluice::secrets {
namespace {

// Answers by method and URL, after the loop has turned; remembers what it was asked.
class FakeAsker final : public Asker {
 public:
  explicit FakeAsker(async::Loop& loop) : loop_(loop) {}
  async::Task<Result<Answer>> ask(Question question) override {
    asked.push_back(question);
    co_await loop_.sleep(Duration(1));
    const auto found = answers.find(question.method + " " + question.url);
    if (found == answers.end()) co_return fail(ErrorKind::refused, "nobody listens", Fault::peer);
    co_return found->second;
  }
  const Clock& clock() const override { return loop_.clock(); }
  std::string field(std::string_view name) const {
    for (const auto& [known, value] : asked.back().headers) {
      if (known == name) return value;
    }
    return "-";
  }

  std::map<std::string, Answer> answers;
  std::vector<Question> asked;

 private:
  async::Loop& loop_;
};

class SecretsTest : public testing::Test {
 protected:
  SecretsTest() {
    Secrets::Events events{[this](std::string_view reference) { changed.emplace_back(reference); },
                           [this](std::string_view) { return used; }};
    secrets = std::make_unique<Secrets>(loop, asker, Lifetimes{}, std::move(events));
  }
  void settle() {
    for (int i = 0; i < 1000; ++i) {
      clock.advance(Duration(1));
      loop.run_once(Duration::zero());
    }
  }
  void pass(Duration time) {
    clock.advance(time);
    settle();
  }
  void manager(std::string_view id, std::string_view body) {
    const auto parsed = *json::parse(body);
    secrets->set_manager(id, &parsed);
  }
  // The value, or "?" and why there is none.
  std::string wanted(std::string_view reference) {
    (void)secrets->want(reference);
    settle();
    auto found = secrets->known(reference);
    return found ? *found : "?" + found.error().what;
  }

  ManualClock clock;
  async::Loop loop{clock};
  std::shared_ptr<FakeAsker> asker = std::make_shared<FakeAsker>(loop);
  std::vector<std::string> changed;
  bool used = true;
  std::unique_ptr<Secrets> secrets;
};

constexpr std::string_view vault = R"({"uri":"http://v:8200/","prefix":"/kv/apisix/","token":"t"})";
constexpr std::string_view jack = "$secret://vault/1/jack/key";
constexpr std::string_view jack_url = "GET http://v:8200/v1/kv/apisix/jack";

TEST_F(SecretsTest, AnAnswerIsKeptAndAskedForAgain) {
  manager("vault/1", vault);
  asker->answers[std::string(jack_url)] = {200, R"({"data":{"key":"one"}})"};
  EXPECT_EQ(wanted(jack), "one");
  EXPECT_EQ(asker->field("X-Vault-Token"), "t");
  EXPECT_EQ(wanted(jack), "one");
  EXPECT_EQ(asker->asked.size(), 1u);
  asker->answers[std::string(jack_url)] = {200, R"({"data":{"key":"two"}})"};
  pass(299s);
  EXPECT_EQ(wanted(jack), "one");
  pass(2s);
  EXPECT_EQ(wanted(jack), "two");
  EXPECT_EQ(changed.size(), 2u);
  asker->answers.clear();
  pass(301s);
  EXPECT_EQ(asker->asked.size(), 3u);
  EXPECT_EQ(wanted(jack), "two") << "what is known stays";
  asker->answers[std::string(jack_url)] = {200, R"({"data":{"key":"three"}})"};
  pass(61s);
  EXPECT_EQ(wanted(jack), "three") << "a failure is tried again sooner";
  used = false;
  pass(301s);
  EXPECT_EQ(secrets->known(jack).has_value(), false) << "nobody needs it any more";
}

TEST_F(SecretsTest, AFailureSaysWhy) {
  struct {
    std::string_view body;
    int status;
    std::string_view why;
  } table[]{
      {R"({"data":{"other":"x"}})", 200, "has no member key"},
      {R"({"data":{"key":7}})", 200, "that is no text"},
      {R"({"errors":["permission denied"]})", 403, "answered 403"},
      {"{}", 404, "does not exist"},
      {"no json", 200, "is not as Vault answers"},
  };
  EXPECT_TRUE(wanted(jack).contains("there is no secrets/vault/1"));
  manager("vault/1", R"({"uri":"http://v:8200"})");
  EXPECT_TRUE(wanted(jack).contains("/prefix is required")) << wanted(jack);
  for (const auto& row : table) {
    asker->answers[std::string(jack_url)] = {row.status, std::string(row.body)};
    manager("vault/1", vault);
    settle();
    EXPECT_TRUE(wanted(jack).contains(row.why)) << wanted(jack);
  }
  EXPECT_TRUE(wanted("$secret://vault/1/key").contains("PATH/NAME"));
  EXPECT_TRUE(wanted("$secret://vault/1").contains("names no id"));
  EXPECT_TRUE(changed.empty());
}

// Somebody waits for an answer before a write is checked; a failure of before is tried anew then.
TEST_F(SecretsTest, AskingWaitsForTheAnswer) {
  bool done = false;
  const auto ask = [](Secrets& asked, bool& ended) -> async::Task<> {
    std::vector<std::string> references{std::string(jack)};
    co_await asked.ask(std::move(references));
    ended = true;
  };
  loop.spawn(ask(*secrets, done));
  settle();
  EXPECT_TRUE(done);
  EXPECT_FALSE(secrets->known(jack));
  asker->answers[std::string(jack_url)] = {200, R"({"data":{"key":"one"}})"};
  manager("vault/1", vault);
  done = false;
  loop.spawn(ask(*secrets, done));
  EXPECT_FALSE(done);
  settle();
  EXPECT_TRUE(done);
  EXPECT_EQ(*secrets->known(jack), "one");
}

TEST_F(SecretsTest, VaultsSecondVersionWrapsOnceMore) {
  manager("vault/2", R"({"uri":"http://v","prefix":"secret/data","token":"t","namespace":"n"})");
  asker->answers["GET http://v/v1/secret/data/a/b%20c"] = {
      200, R"({"data":{"data":{"key":"one"},"metadata":{"version":1}}})"};
  EXPECT_EQ(wanted("$secret://vault/2/a/b c/key"), "one");
  EXPECT_EQ(asker->field("X-Vault-Namespace"), "n");
}

TEST_F(SecretsTest, AwsTriesTheLongestName) {
  manager("aws/1", R"({"access_key_id":"id","secret_access_key":"s","session_token":"st",)"
                   R"("region":"eu-west-1","endpoint_url":"http://aws:4566"})");
  asker->answers["POST http://aws:4566/"] = {400, R"({"__type":"ResourceNotFoundException"})"};
  EXPECT_TRUE(wanted("$secret://aws/1/a/b/c").contains("answered 400"));
  ASSERT_EQ(asker->asked.size(), 3u);
  EXPECT_EQ(asker->asked[0].body, R"({"SecretId":"a/b/c","VersionStage":"AWSCURRENT"})");
  EXPECT_EQ(asker->asked[2].body, R"({"SecretId":"a","VersionStage":"AWSCURRENT"})");
  EXPECT_EQ(asker->field("x-amz-target"), "secretsmanager.GetSecretValue");
  EXPECT_EQ(asker->field("x-amz-security-token"), "st");
  EXPECT_TRUE(asker->field("authorization")
      .contains("Credential=id/20231114/eu-west-1/secretsmanager/aws4_request, SignedHeaders="
                            "content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="));
  asker->answers["POST http://aws:4566/"] = {200, R"({"SecretString":"{\"user\":\"u\"}"})"};
  EXPECT_EQ(wanted("$secret://aws/1/plain"), R"({"user":"u"})");
  asker->answers["POST http://aws:4566/"] = {403, R"({"__type":"AccessDeniedException"})"};
  EXPECT_TRUE(wanted("$secret://aws/1/x/y").contains("AccessDenied"));
}

TEST_F(SecretsTest, GoogleWantsAKeyThatSigns) {
  manager("gcp/1", R"({"auth_config":{"client_email":"a@b","private_key":"none","project_id":"p"}})");
  EXPECT_TRUE(wanted("$secret://gcp/1/name").contains("no RSA key"));
  manager("gcp/2", R"({"auth_file":"/nowhere/to/be/found.json"})");
  EXPECT_TRUE(wanted("$secret://gcp/2/name").contains("cannot be read"));
  EXPECT_TRUE(asker->asked.empty());
}

TEST_F(SecretsTest, HoldsABoundedNumber) {
  used = false;
  for (std::size_t i = 0; i <= Secrets::references_max; ++i)
    (void)secrets->want("$secret://vault/1/a/" + std::to_string(i));
  EXPECT_TRUE(secrets->want("$secret://vault/1/b/c").error().what.contains("are not kept"));
}

}  // namespace
}  // namespace sluice::secrets
