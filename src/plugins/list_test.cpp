// SPDX-License-Identifier: Apache-2.0
// One test holds every plugin to the same promises.
#include "plugins/list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "plugin/config_mutator.h"
#include "plugin/testing.h"

namespace sluice::plugins {
namespace {

using json::Value;
using plugin::ConfigType;
using plugin::PluginType;
using plugin::testing::Mutator;

class EveryPlugin : public testing::TestWithParam<const PluginType*> {
 protected:
  const PluginType& type() const { return *GetParam(); }
  // Every kind of config the plugin has.
  std::vector<std::pair<const char*, const ConfigType*>> configs() const {
    std::vector<std::pair<const char*, const ConfigType*>> all{{"config", &type().config}};
    if (type().make_consumer) all.emplace_back("consumer", &type().consumer);
    if (type().make_metadata) all.emplace_back("metadata", &type().metadata);
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(All, EveryPlugin, testing::ValuesIn(all().begin(), all().end()),
                         [](const auto& info) {
                           std::string name(info.param->name);
                           std::erase(name, '-');
                           return name;
                         });

TEST(PluginList, is_the_order) {
  std::set<std::string_view> names;
  int last = INT_MAX;
  for (const PluginType* type : all()) {
    EXPECT_LT(type->priority, last) << type->name << " does not stand where its priority puts it";
    last = type->priority;
    EXPECT_TRUE(names.insert(type->name).second) << type->name;
  }
}

// The members of a schema and of what is inside them, that nothing is said about.
void undescribed(const Value& schema, const std::string& path, std::vector<std::string>& found) {
  if (const auto* properties = schema.find("properties")) {
    for (const auto& [name, member] : properties->as_object()) {
      const auto said = member.text("description");
      if (said.size() < 12 || said.back() != '.') found.push_back(path + "/" + name);
      undescribed(member, path + "/" + name, found);
    }
  }
  for (const std::string_view inner : {"items", "additionalProperties"}) {
    if (const auto* member = schema.find(inner)) undescribed(*member, path + "/" + std::string(inner), found);
  }
  for (const std::string_view list : {"anyOf", "oneOf"}) {
    const auto* members = schema.find(list);
    if (members == nullptr || !members->is_array()) continue;
    for (const auto& member : members->as_array()) undescribed(member, path, found);
  }
}

TEST_P(EveryPlugin, is_described) {
  EXPECT_FALSE(type().name.empty());
  EXPECT_EQ(type().summary.back(), '.');
  for (const auto& [what, config] : configs()) {
    std::vector<std::string> found;
    undescribed(config->schema(), "", found);
    EXPECT_EQ(found, std::vector<std::string>()) << type().name << "'s " << what;
  }
}

// Whether all that `less` says is in `more`.
bool holds(const Value& more, const Value& less) {
  if (less.is_array() && more.is_array())
    return std::ranges::equal(more.as_array(), less.as_array(), holds);
  if (!less.is_object() || !more.is_object()) return more == less;
  for (const auto& [name, value] : less.as_object()) {
    const auto* member = more.find(name);
    if (member == nullptr || !holds(*member, value)) return false;
  }
  return true;
}

TEST_P(EveryPlugin, has_an_example_that_is_read_as_it_is_written) {
  const Value example = plugin::testing::parsed(type().example);
  ASSERT_TRUE(example.is_object());
  json::Findings findings;
  json::Reader reader(findings);
  const Value written = type().config.written(example, reader);
  EXPECT_TRUE(findings.ok()) << findings.sentence();
  EXPECT_TRUE(findings.warnings.empty());
  EXPECT_TRUE(holds(written, example)) << json::dump(written);
  EXPECT_NE(type().make(example, reader, "/apisix/routes/1"), nullptr);
}

TEST_P(EveryPlugin, refuses_unknown_fields_or_warns) {
  Value config = plugin::testing::parsed(type().example);
  config.set("no_such_field", 1);
  json::Findings findings;
  json::Reader reader(findings);
  const bool taken = type().config.check(config, reader);
  const auto* additional = type().config.schema().find("additionalProperties");
  const bool closed = additional != nullptr && additional->is_bool() && !additional->as_bool();
  EXPECT_EQ(taken, !closed);
  EXPECT_EQ(findings.warnings.size(), closed ? 0U : 1U);
}

// A plugin that was made does its work on a request.
void run(plugin::testing::Bench& bench, const plugin::Plugin& plugin) {
  plugin::testing::Call call(bench, "/a%20b?x=1&apikey=k");
  call.header("Origin", "http://a.com").header("apikey", "k");
  auto verdict = bench.wait(plugin.rewrite(call.x));
  if (verdict == nullptr) verdict = bench.wait(plugin.access(call.x));
  if (verdict == nullptr) verdict = bench.wait(plugin.before_proxy(call.x));
  plugin::testing::PiecedBody body({"some ", "body"});
  call.respond(200);
  call.x.response.body = &body;
  plugin.response(call.x);
  plugin.body(call.x);
  if (call.x.response.body != nullptr) bench.wait(plugin::testing::read_all(*call.x.response.body));
  plugin.log(call.x);
}

TEST_P(EveryPlugin, survives_any_config) {
  constexpr int rounds = 1500;
  const Value example = plugin::testing::parsed(type().example);
  const Value schema = type().config.schema();
  int made = 0;
  for (int round = 0; round < rounds; ++round) {
    Mutator mutator(static_cast<std::uint64_t>(round));
    Value config = example;
    for (int changes = round % 4; changes >= 0; --changes) mutator.change(config, schema);
    json::Findings findings;
    json::Reader reader(findings);
    const auto plugin = type().make(config, reader, "/apisix/routes/1");
    EXPECT_EQ(plugin == nullptr, !findings.ok()) << json::dump(config);
    if (plugin == nullptr) continue;
    ++made;
    if (made % 4 != 0) continue;
    plugin::testing::Bench bench;
    run(bench, *plugin);
  }
  EXPECT_GT(made, rounds / 50);
  EXPECT_LT(made, rounds);
}

TEST_P(EveryPlugin, survives_any_consumer_and_metadata) {
  for (std::uint64_t round = 0; round < 500; ++round) {
    json::Findings findings;
    json::Reader reader(findings);
    std::string credential;
    Mutator mutator(round);
    Value config = Value::object();
    for (const auto& [what, kind] : configs()) mutator.change(config, kind->schema());
    if (type().make_consumer) (void)type().make_consumer(config, reader, credential);
    if (type().make_metadata) (void)type().make_metadata(config, reader);
  }
}

}  // namespace
}  // namespace sluice::plugins
