// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

TEST(Table, AlignsAndLeavesOutEmptyColumns) {
  Table table({"ID", "NAME", "URI"});
  table.add({"1", "", "/a"});
  table.add({"long-id", "", "/äb/*"});
  EXPECT_EQ(table.text({}), "ID       URI\n1        /a\nlong-id  /äb/*\n");
}

TEST(Table, WidestColumnGivesWayToTheTerminal) {
  Table table({"ID", "URI"});
  table.add({"1", "/a/very/long/path/that/does/not/fit"});
  table.add({"2", "/short"});
  EXPECT_EQ(table.text({.width = 16}), "ID  URI\n1   /a/very/lon…\n2   /short\n");
}

TEST(Table, ColoursOnlyWhereThereAreAny) {
  Table table({"ID"});
  table.add({"1"});
  EXPECT_EQ(table.text({.colours = true}), "\033[1mID\033[0m\n1\n");
}

TEST(Screen, OneIsCountedAsOne) {
  EXPECT_EQ(counted(0, "error") + ", " + counted(1, "note") + ", " + counted(2, "warning"),
            "0 errors, 1 note, 2 warnings");
}

TEST(Screen, WhatWouldMoveTheCursorIsMadeVisible) {
  EXPECT_EQ(printable("a\033[2Jb\x7f\n\xc2\x9b"), "a?[2Jb???");
  EXPECT_EQ(printable("a\tb\nc", Lines::many), "a\tb\nc");
  Table table({"ID"});
  table.add({"\033]0;x\a"});
  EXPECT_EQ(table.text({}), "ID\n?]0;x?\n");
}

}  // namespace
}  // namespace sluice::cli
