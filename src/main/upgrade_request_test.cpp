// SPDX-License-Identifier: Apache-2.0
#include "main/upgrade_request.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sluice::main {
namespace {

class UpgradeRequest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/sluice-request-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    prefix = pattern;
    std::filesystem::create_directory(prefix + "/logs");
  }
  void TearDown() override { std::filesystem::remove_all(prefix); }

  void write(std::string_view text, mode_t mode) {
    std::ofstream(prefix + "/logs/upgrade") << text;
    ::chmod((prefix + "/logs/upgrade").c_str(), mode);
  }
  bool refused() {
    const auto taken = take_requested_program(prefix);
    return taken && !*taken;
  }

  std::string prefix;
};

TEST_F(UpgradeRequest, IsTakenOnce) {
  EXPECT_FALSE(take_requested_program(prefix));
  ASSERT_TRUE(request_program(prefix, "/opt/new/sluice"));
  const auto taken = take_requested_program(prefix);
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ(**taken, "/opt/new/sluice");
  EXPECT_FALSE(take_requested_program(prefix));
}

TEST_F(UpgradeRequest, IsWithdrawnByOneForNoProgram) {
  ASSERT_TRUE(request_program(prefix, "/opt/new/sluice"));
  ASSERT_TRUE(request_program(prefix, ""));
  EXPECT_FALSE(take_requested_program(prefix));
}

TEST_F(UpgradeRequest, IsRefusedWhenOthersMayHaveWrittenIt) {
  write("/opt/new/sluice", 0666);
  EXPECT_TRUE(refused());
  write("relative", 0600);
  EXPECT_TRUE(refused());
  write("", 0600);
  EXPECT_TRUE(refused());
  std::filesystem::create_symlink("/etc/hostname", prefix + "/logs/upgrade");
  EXPECT_TRUE(refused());
  write("/opt/new/sluice", 0600);
  std::filesystem::create_hard_link(prefix + "/logs/upgrade", prefix + "/logs/other");
  EXPECT_TRUE(refused());
  if (::geteuid() == 0) {
    write("/opt/new/sluice", 0644);
    ASSERT_EQ(::chown((prefix + "/logs/upgrade").c_str(), 65534, 65534), 0);
    EXPECT_TRUE(refused());
  }
  EXPECT_FALSE(take_requested_program(prefix)) << "a refused one stays";
}

TEST(UpgradeSignal, IsUnderstoodByWhoWaitsForIt) {
  EXPECT_FALSE(understands_upgrade(::getpid()));
  EXPECT_FALSE(understands_upgrade(0));
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR2);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  EXPECT_TRUE(understands_upgrade(::getpid()));
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

TEST(ProgramCalled, IsAbsolute) {
  EXPECT_EQ(program_called("/opt/./sluice"), "/opt/sluice");
  EXPECT_TRUE(program_called("./sluice").starts_with('/'));
  EXPECT_TRUE(program_called("sh").ends_with("/sh"));
  EXPECT_TRUE(program_called("no-such-program-here").starts_with('/'));
}

}  // namespace
}  // namespace sluice::main
