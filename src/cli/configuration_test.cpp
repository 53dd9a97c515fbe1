// SPDX-License-Identifier: Apache-2.0
#include "cli/configuration.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/plan.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

Loaded load(std::string_view yaml) {
  Loaded loaded;
  auto document = json::parse_yaml(yaml);
  EXPECT_TRUE(document);
  load_document(*document, "a.yaml", loaded);
  return loaded;
}

// A directory of its own, gone with the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("sluice-cli-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_ / "below");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void write(const std::string& name, std::string_view text) const { std::ofstream(path_ / name) << text; }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(Configuration, IsWrittenAsAFileInOneOrder) {
  const auto one = load(
      "routes:\n- {upstream_id: 1, uri: /b, id: 2, create_time: 5}\n- {uri: /a, id: 1, plugins: {b: , a: "
      "{}}}\n"
      "upstreams: [{nodes: {'b:1': 1, 'a:1': 1}, id: 1}]\n"
      "consumers: [{id: jack/credentials/x, plugins: {}}, {username: jack}]\n");
  EXPECT_TRUE(one.problems.empty());
  const std::string text = file_of(one.configuration);
  EXPECT_EQ(text,
            "routes:\n  - id: \"1\"\n    uri: /a\n    plugins:\n      a: {}\n      b: {}\n"
            "  - id: \"2\"\n    uri: /b\n    upstream_id: 1\n"
            "upstreams:\n  - id: \"1\"\n    nodes:\n      \"a:1\": 1\n      \"b:1\": 1\n"
            "consumers:\n  - username: jack\n  - id: jack/credentials/x\n    plugins: {}\n#END\n");
  EXPECT_EQ(file_of(load(text).configuration), text);
}

TEST(Configuration, ProblemsOfFilesAreAllNamed) {
  const auto loaded = load("routes:\n- {uri: /a}\n- 7\n- {id: 1}\n- {id: '1'}\nghosts: []\nservices: 1\n");
  EXPECT_EQ(loaded.problems,
            (std::vector<std::string>{
                "a.yaml /routes/0 has no id: give it one, so that it is "
"found again",
                "a.yaml /routes/1 must be an object",
                "a.yaml /routes/3 is routes/1 a second time: it stands in "
                                      "a.yaml /routes/2 already",
                "a.yaml /ghosts is no kind of resource here", "a.yaml /services must be a list"}));
}

TEST(Configuration, DirectoryIsReadWhole) {
  Folder folder;
  folder.write("a.yaml", "routes: [{id: 1, uri: /a}]\n#END\n");
  folder.write("below/b.json", R"({"routes": [{"id": "2", "uri": "/b"}]})");
  folder.write("notes.txt", "nothing");
  auto loaded = load_files(folder.path());
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->problems.empty());
  EXPECT_EQ(loaded->configuration.size(), 2u);
  folder.write("c.yml", "routes: [\n");
  loaded = load_files(folder.path());
  ASSERT_EQ(loaded->problems.size(), 1u);
  EXPECT_TRUE(loaded->problems[0].starts_with(folder.path() + "/c.yml: line "));
  EXPECT_FALSE(load_files(folder.path() + "/nowhere"));
}

TEST(Plan, OnlyWhatDiffersChanges) {
  const auto now =
      load("routes:\n- {id: 1, uri: /a}\n- {id: 2, uri: /b, update_time: 1}\n- {id: 3, uri: /c}\n");
  const auto wanted = load("routes:\n- {id: 2, uri: /b}\n- {id: 3, uri: /x}\n- {id: 4, uri: /d}\n");
  auto plan = make_plan(now.configuration, wanted.configuration, Prune::no);
  EXPECT_EQ(
      summary_of(plan),
      "1 to create, 1 to update, 0 to delete; 1 the same; 1 on the gateway only, which --prune deletes");
  plan = make_plan(now.configuration, wanted.configuration, Prune::yes);
  EXPECT_EQ(summary_of(plan), "1 to create, 1 to update, 1 to delete; 1 the same");
  EXPECT_EQ(plan.changes.back().item().name(), "routes/1");
  EXPECT_EQ(
      json::dump(*to_value(plan).find("changes")),
      R"([{"resource":"routes/3","action":"update","before":{"id":"3","uri":"/c"},)"
      R"("after":{"id":"3","uri":"/x"}},)"
      R"({"resource":"routes/4","action":"create","after":{"id":"4","uri":"/d"}},)"
      R"({"resource":"routes/1","action":"delete","before":{"id":"1","uri":"/a"}}])");
}

TEST(Plan, LinesAroundAChangeAreShown) {
  EXPECT_EQ(compare_lines("a\nb\nc\nd\ne\n", "a\nb\nc\nx\ne\n", 1),
            (std::vector<std::string>{" …", " c", "-d", "+x", " e"}));
  EXPECT_EQ(compare_lines("", "a\n", 1), (std::vector<std::string>{"+a"}));
  EXPECT_TRUE(compare_lines("a\n", "a\n", 0) == (std::vector<std::string>{" …"}));
}

}  // namespace
}  // namespace sluice::cli
