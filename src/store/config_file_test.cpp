// SPDX-License-Identifier: Apache-2.0
// What stands in a stand-alone file, what is left out of it and why, and how a changed file becomes changes.
#include "store/config_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "store/file_store.h"
#include "store/testing.h"

namespace sluice::store {
namespace {

void check_fields(const model::Resource& resource, std::string_view id, const json::Value& body,
                  json::Findings& findings) {
  json::Reader reader(findings);
  resource.check(id, body, reader);
}

struct Read {
  std::string keys;
  std::string error;
  json::Findings findings;
  std::vector<Entry> entries;
};

Read read(std::string_view text, FileFormat format = FileFormat::yaml) {
  Read read;
  auto entries = read_config_file(text, format, check_fields, read.findings);
  if (!entries) return read.error = entries.error().what, read;
  for (const Entry& entry : *entries) read.keys += entry.key + " ";
  read.entries = std::move(*entries);
  return read;
}

// A route must have somewhere to go; which one is of no interest here.
TEST(ConfigFile, NamesItemsByIdUsernameOrPlace) {
  const Read got = read(R"(
routes: [{uri: /a, service_id: s}, {id: 7, uri: /b, service_id: s}, {id: c, uri: /c, service_id: s}]
consumers: [{username: jack}]
plugin_metadata: [{id: http-logger, log_format: {a: b}}]
#END
)");
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.keys,
            "/apisix/routes/arr_1 /apisix/routes/7 /apisix/routes/c /apisix/consumers/jack "
            "/apisix/plugin_metadata/http-logger ");
  EXPECT_EQ(got.entries.at(1).value, R"({"id":"7","uri":"/b","service_id":"s"})");
  EXPECT_TRUE(got.findings.ok());
}

TEST(ConfigFile, AnEmptyPluginHasItsDefaults) {
  const Read got = read("consumers:\n- username: a\n  plugins:\n    key-auth:\n#END");
  ASSERT_EQ(got.entries.size(), 1u) << got.error;
  EXPECT_EQ(got.entries[0].value, R"({"username":"a","plugins":{"key-auth":{}}})");
}

TEST(ConfigFile, TheLastOfEqualIdsCounts) {
  const Read got = read(
      "routes: [{id: 1, uri: /a, service_id: s}, {id: 2, uri: /b, service_id: s}, {id: 1, uri: /c, "
      "service_id: s}]\n#END");
  EXPECT_EQ(got.keys, "/apisix/routes/1 /apisix/routes/2 ");
  EXPECT_NE(got.entries.at(0).value.find("/c"), std::string::npos);
}

TEST(ConfigFile, LeavesOutWhatIsNotValid) {
  const Read got = read(
      "routes: [{uri: 7, service_id: s}, {uri: /b, service_id: s}, 3]\nupstreams: {}\nghosts: []\nplugins: "
      "[]\n#END");
  EXPECT_EQ(got.keys, "/apisix/routes/arr_2 ");
  ASSERT_EQ(got.findings.problems.size(), 3u);
  EXPECT_EQ(got.findings.problems[0].path, "/routes/0/uri");
  EXPECT_EQ(got.findings.problems[1].path, "/routes/2");
  EXPECT_EQ(got.findings.problems[2].path, "/upstreams");
  EXPECT_EQ(got.findings.warnings.size(), 2u);
}

TEST(ConfigFile, NeedsItsEnd) {
  for (auto text : {"", "routes: []", "routes: []\n#END of it", "#EN"})
    EXPECT_NE(read(text).error, "") << text;
  EXPECT_EQ(read("routes: []\n#END \r\n\n").error, "");
  EXPECT_NE(read("#END").error.find("nothing in it"), std::string::npos);
  EXPECT_NE(read("[a]\n#END").error.find("mapping"), std::string::npos);
  EXPECT_NE(read("a: [\n#END").error, "");
  EXPECT_NE(read("{", FileFormat::json).error, "");
}

TEST(ConfigFile, TakesValuesFromTheEnvironment) {
  ::setenv("SLUICE_TEST_URI", "/env", 1);
  ::setenv("SLUICE_TEST_NUMBER", "7", 1);
  Read got = read(
      "routes: [{id: '${{SLUICE_TEST_NUMBER}}', uri: '${{ SLUICE_TEST_URI }}', "
      "priority: ${{SLUICE_TEST_NUMBER}}, name: '${{SLUICE_TEST_NONE:=x y}}', service_id: s}]\n#END");
  ASSERT_EQ(got.entries.size(), 1u) << got.error;
  EXPECT_EQ(got.entries[0].value, R"({"id":"7","uri":"/env","priority":7,"name":"x y","service_id":"s"})");
  got = read(R"({"routes": [{"uri": "${{SLUICE_TEST_URI}}", "priority": "${{SLUICE_TEST_NUMBER}}",
                              "service_id": "s"}]})",
             FileFormat::json);
  ASSERT_EQ(got.entries.size(), 1u) << got.error;
  EXPECT_EQ(got.entries[0].value, R"({"uri":"/env","priority":7,"service_id":"s","id":"arr_1"})");
  EXPECT_NE(read("routes: [{uri: '${{SLUICE_TEST_NONE}}'}]\n#END").error.find("SLUICE_TEST_NONE"),
            std::string::npos);
}

TEST(FileStore, TellsOnlyWhatIsDifferent) {
  Folder folder;
  async::Loop loop;
  const auto write = [&](std::string_view text) {
    std::ofstream(folder / "new") << text << "\n#END\n";
    std::filesystem::rename(folder / "new", folder / "apisix.yaml");
  };
  const auto store = open_file({folder / "apisix.yaml", FileFormat::yaml, check_fields}, loop);
  EXPECT_FALSE(store->standing().loaded);
  std::vector<std::string> told;
  const auto watch = store->watch(0, [&](Result<std::vector<Change>> changes) {
    for (const auto& change : *changes) told.push_back(change.key + (change.value ? "" : " is gone"));
  });
  const auto wait_for = [&](std::size_t count) {
    const Instant end = after(loop.clock().now(), std::chrono::seconds(20));
    while (told.size() < count && loop.clock().now() < end) loop.run_once(std::chrono::milliseconds(100));
    return std::exchange(told, {});
  };
  write("routes: [{id: 1, uri: /a, service_id: s}, {id: 2, uri: /b, service_id: s}]");
  EXPECT_EQ(wait_for(2), (std::vector<std::string>{"/apisix/routes/1", "/apisix/routes/2"}));
  EXPECT_TRUE(store->standing().loaded);
  write("routes: [{id: 1, uri: /a, service_id: s}, {id: 3, uri: /c, service_id: s}]");
  EXPECT_EQ(wait_for(2), (std::vector<std::string>{"/apisix/routes/2 is gone", "/apisix/routes/3"}));
  EXPECT_EQ((*wait(loop, store->get("/apisix/routes/1")))->modified, 1);
  EXPECT_EQ(wait(loop, store->list("/apisix/routes/", "", 1))->more, true);
  EXPECT_FALSE(wait(loop, store->transact(put("/apisix/routes/4", "{}"))));
}

}  // namespace
}  // namespace sluice::store
