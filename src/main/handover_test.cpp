// SPDX-License-Identifier: Apache-2.0
#include "main/handover.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "main/life.h"

namespace sluice::main {
namespace {

const Endpoint here{IpAddress::loopback(), 9080};

int file_with(std::string_view text) {
  const int file = ::memfd_create("test", MFD_CLOEXEC);
  EXPECT_EQ(::write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return file;
}

Handover example() {
  Handover handover;
  handover.version = "1.2.3";
  handover.program = "/usr/bin/sluice";
  handover.image = 3;
  handover.pid_file = 4;
  handover.outcomes = 7;
  handover.config = "apisix:\n  node_listen: 9080\n";
  handover.sockets[{Port::data, here}] = {5, 6};
  handover.sockets[{Port::metrics, {IpAddress::v6(0, 1), 0}}] = {8};
  handover.served.push_back({100, 9, 1500ms, "wr", true});
  handover.served.push_back({99, -1, 2h, "wrgsle", false});
  return handover;
}

TEST(Handover, IsReadAsItWasWritten) {
  const Handover written = example();
  const auto file = write_handover(written);
  ASSERT_TRUE(file);
  const auto read = read_handover(*file);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_TRUE(read_handover(*file)) << "it cannot be read twice";
  ::close(*file);
  EXPECT_EQ(read->version, written.version);
  EXPECT_EQ(read->program, written.program);
  EXPECT_EQ(read->outcomes, written.outcomes);
  EXPECT_EQ(read->config, written.config);
  EXPECT_EQ(read->refused, "");
  EXPECT_EQ(read->sockets, written.sockets);
  ASSERT_EQ(read->served.size(), 2u);
  EXPECT_EQ(read->served[0].pid, 100);
  EXPECT_EQ(read->served[0].age, 1500ms);
  EXPECT_TRUE(read->served[0].current);
  EXPECT_EQ(read->served[1].heard, "wrgsle");
  EXPECT_EQ(read->served[1].line, -1);
  EXPECT_EQ(read->descriptors(), (std::vector<int>{3, 4, 5, 6, 8, 9}));
}

TEST(Handover, IsRefusedWhenItIsOfAnotherFormOrNotWhole) {
  for (const std::string_view text :
       {"", "[]", "{}", "not JSON", R"({"form": 2})", R"({"form": "1"})", R"({"form": 1, "version": "1"})"}) {
    const int file = file_with(text);
    EXPECT_FALSE(read_handover(file)) << text;
    ::close(file);
  }
  EXPECT_FALSE(read_handover(-1));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_FALSE(read_handover(ends[0]));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Handover, IsTakenOnceAndLeavesNothingOpenForOthers) {
  EXPECT_FALSE(take_handover());
  Handover handover = example();
  handover.sockets.clear();
  handover.served.clear();
  handover.image = ::open("/dev/null", O_RDONLY);
  handover.pid_file = ::open("/dev/null", O_RDONLY);
  const auto file = write_handover(handover);
  ASSERT_TRUE(file);
  ::setenv("SLUICE_HANDOVER", std::to_string(*file).c_str(), 1);
  ASSERT_TRUE(given_handover());
  const auto taken = take_handover();
  ASSERT_TRUE(taken && *taken) << (taken ? taken->error().what : "none");
  EXPECT_EQ(::fcntl(handover.image, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(*file, F_GETFD), -1);
  EXPECT_FALSE(take_handover());
  ::close(handover.image);
  ::close(handover.pid_file);

  ::setenv("SLUICE_HANDOVER", "0x", 1);
  const auto none = take_handover();
  EXPECT_TRUE(none && !*none);
}

TEST(Handover, StaysWithTheProgramThatCannotBecomeAnother) {
  Handover handover;
  handover.image = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  handover.pid_file = ::dup(handover.image);
  const Error error = become("/nonexistent/sluice", {"sluice", "run"}, handover);
  EXPECT_EQ(error.what, "cannot begin sluice: No such file or directory");
  EXPECT_EQ(::fcntl(handover.image, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(std::getenv("SLUICE_HANDOVER"), nullptr);
  ::close(handover.image);
  ::close(handover.pid_file);
}

TEST(Life, GoesOnWhereItWasWhenAdopted) {
  auto ends = Line::make();
  ASSERT_TRUE(ends);
  Life life = Life::adopt(1, std::move(ends->first), 5s, "wr");
  EXPECT_TRUE(life.wants_store() && life.is_ready());
  EXPECT_FALSE(life.has_let_go() || life.has_left());
  EXPECT_GE(life.age(), 5s);
  ends->second.say(Word::has_left);
  ends->second.say(Word::has_left);
  life.listen();
  EXPECT_TRUE(life.has_left());
  EXPECT_EQ(life.heard(), "wre");
}

}  // namespace
}  // namespace sluice::main
