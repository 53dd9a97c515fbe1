// SPDX-License-Identifier: Apache-2.0
#include "plugin/secret_places.h"

#include <gtest/gtest.h>

#include "json/text.h"

namespace sluice::plugin {
namespace {

struct Server {
  std::string host, password;
  void describe(json::Fields& field) {
    field("host", host, "Where.");
    field("password", password, "What it asks for.").secret();
  }
};

class Keeper final : public Plugin {
 public:
  struct Config {
    std::vector<Server> servers;
    std::map<std::string, std::string> headers;
    std::vector<std::string> tokens;
    json::Value open;
    void describe(json::Fields& field) {
      field("servers", servers, "Several.");
      field("headers", headers, "Sent along.").secret();
      field("tokens", tokens, "One of them.").items().secret();
      field("open", open, "Anything.");
    }
  };
  struct Consumer {
    std::string key;
    std::string credential() const { return key; }
    void describe(json::Fields& field) { field("key", key, "The key.").required().secret(); }
  };
  struct Metadata {
    std::string master;
    void describe(json::Fields& field) { field("master", master, "A key for all.").secret(); }
  };
  explicit Keeper(Config) {}
  VerdictTask access(Exchange&) const override { return pass(); }
};

const PluginType keeper =
    plugin<Keeper>({.name = "keeper", .summary = "Keeps secrets.", .priority = 1, .example = "{}"});
const PluginType* const all[]{&keeper};

// What is visited, as "path=text" (in brackets: of the resource itself), and what `body` becomes when every
// text is replaced by x, those that begin with "bad" erased.
std::string visited(std::string_view path, std::string_view body, std::string_view id = "1") {
  const SecretPlaces places(all);
  const auto& resource = *model::find_resource(path);
  auto value = *json::parse(body);
  std::string told;
  places.visit(resource, id, value, [&](std::string& text, const std::string& at, SecretPlaces::Of of) {
    told += of == SecretPlaces::Of::resource ? "(" + at + "=" + text + ") " : at + "=" + text + " ";
    const bool bad = text.starts_with("bad");
    text = "x";
    return bad ? SecretPlaces::Then::erase : SecretPlaces::Then::keep;
  });
  EXPECT_TRUE(told.empty() || places.may_be_in(resource, id, body)) << body;
  return told + json::dump(value);
}

TEST(SecretPlaces, Table) {
  struct {
    std::string_view path, body, told;
  } table[]{
      {"routes", R"({"uri":"/a"})", R"({"uri":"/a"})"},
      {"routes", R"({"plugins":{"keeper":{"servers":[{"host":"h","password":"p"},{"password":"q"},7]}}})",
       R"(/plugins/keeper/servers/0/password=p /plugins/keeper/servers/1/password=q )"
       R"({"plugins":{"keeper":{"servers":[{"host":"h","password":"x"},{"password":"x"},7]}}})"},
      {"services", R"({"plugins":{"keeper":{"headers":{"a":"1","b/c":"2","d":3},"open":{"password":"p"}}}})",
       R"(/plugins/keeper/headers/a=1 /plugins/keeper/headers/b~1c=2 )"
       R"({"plugins":{"keeper":{"headers":{"a":"x","b/c":"x","d":3},"open":{"password":"p"}}}})"},
      {"plugin_configs", R"({"plugins":{"keeper":{"tokens":["a","bad","c"]}}})",
       R"(/plugins/keeper/tokens/0=a /plugins/keeper/tokens/1=bad /plugins/keeper/tokens/2=c )"
       R"({"plugins":{"keeper":{"tokens":["x","x"]}}})"},
      {"routes", R"({"plugins":{"keeper":{"key":"k"},"other":{"key":"k"}}})",
       R"({"plugins":{"keeper":{"key":"k"},"other":{"key":"k"}}})"},
      {"consumers", R"({"plugins":{"keeper":{"key":"k"}}})",
       R"(/plugins/keeper/key=k {"plugins":{"keeper":{"key":"x"}}})"},
      {"credentials", R"({"plugins":{"keeper":{"key":"bad"}}})",
       R"(/plugins/keeper/key=bad {"plugins":{"keeper":{}}})"},
      {"plugin_metadata", R"({"master":"m","key":"k"})", R"({"master":"m","key":"k"})"},
      {"ssls", R"({"cert":"c","key":"k","keys":["a","b"]})",
       R"((/key=k) (/keys/0=a) (/keys/1=b) {"cert":"c","key":"x","keys":["x","x"]})"},
      {"upstreams", R"({"tls":{"client_cert":"c","client_key":"k"}})",
       R"((/tls/client_key=k) {"tls":{"client_cert":"c","client_key":"x"}})"},
      {"routes", R"({"upstream":{"tls":{"client_key":"k"}}})",
       R"((/upstream/tls/client_key=k) {"upstream":{"tls":{"client_key":"x"}}})"},
      {"secrets", R"({"uri":"u","token":"t"})", R"((/token=t) {"uri":"u","token":"x"})"},
      {"secrets", R"({"access_key_id":"i","secret_access_key":"s"})",
       R"((/secret_access_key=s) {"access_key_id":"i","secret_access_key":"x"})"},
      {"secrets", R"({"auth_config":{"client_email":"e","private_key":"p"}})",
       R"((/auth_config/private_key=p) {"auth_config":{"client_email":"e","private_key":"x"}})"},
      {"ssls", R"([])", R"([])"},
      {"routes", R"({"plugins":7})", R"({"plugins":7})"},
  };
  for (const auto& row : table) EXPECT_EQ(visited(row.path, row.body), row.told) << row.body;
  EXPECT_EQ(visited("plugin_metadata", R"({"master":"m","key":"k"})", "keeper"),
            R"(/master=m {"master":"x","key":"k"})");
}

TEST(SecretPlaces, SaysWhereThereIsNone) {
  const SecretPlaces places(all);
  const auto in = [&](std::string_view path, std::string_view text) {
    return places.may_be_in(*model::find_resource(path), "1", text);
  };
  EXPECT_FALSE(in("routes", R"({"uri":"/a","plugins":{"other":{}},"upstream":{"nodes":{}}})"));
  EXPECT_TRUE(in("routes", R"({"plugins":{"keeper":{}}})"));
  EXPECT_TRUE(in("routes", R"({"upstream":{"tls":{"client_key":"k"}}})"));
  EXPECT_FALSE(in("protos", R"({"content":"\"key\""})"));
  EXPECT_TRUE(in("ssls", R"({"key":"k"})"));
}

}  // namespace
}  // namespace sluice::plugin
