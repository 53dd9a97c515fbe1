// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

TEST(Completion, EveryVerbAndKindIsInIt) {
  const Verb own[] = {{"start", "Serve"}};
  for (const auto& script : {bash_completion(own), zsh_completion(own)}) {
    EXPECT_NE(script.find("' start')"), script.npos);
    for (const Verb& verb : verbs())
      EXPECT_NE(script.find("' " + std::string(verb.name) + "')"), script.npos);
    for (const auto& resource : model::resources()) {
      for (const auto& name : names_of(resource))
        EXPECT_NE(script.find("' " + name + " list')"), script.npos);
    }
    EXPECT_NE(script.find("' history show')"), script.npos);
    EXPECT_NE(script.find("--prune"), script.npos);
  }
}

TEST(Verbs, EachHasAnExampleThatBeginsWithItsName) {
  for (const Verb& verb : verbs())
    EXPECT_NE(verb.example.find("sluice " + std::string(verb.name)), verb.example.npos);
  for (const Verb& verb : resource_verbs()) EXPECT_NE(verb.example.find(verb.name), verb.example.npos);
}

}  // namespace
}  // namespace sluice::cli
