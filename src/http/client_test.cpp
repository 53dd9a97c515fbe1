// SPDX-License-Identifier: Apache-2.0
// The client of the gateway's own requests, against a server made of bytes, in memory.
#include "http/client.h"

#include <gtest/gtest.h>

#include <deque>

#include "async/child.h"
#include "net/loopback.h"

namespace sluice::http {
namespace {

const Endpoint place{IpAddress::loopback(), 2379};

class AskingTest : public testing::Test {
 protected:
  AskingTest() { listen(); }
  ~AskingTest() override { settle(); }

  // Each head that comes gets the next of `answers`; without one the connection is closed.
  void listen() {
    listener_ = std::move(*network_.listen(loop_, place, {}, [this](net::Accepted accepted) {
      ++connections_;
      lives_.push_back(std::make_unique<async::Child>());
      lives_.back()->start(serve(*this, std::move(accepted.stream)));
    }));
  }
  static async::Task<> serve(AskingTest& self, std::unique_ptr<net::Stream> taken) {
    const auto stream = std::move(taken);
    std::string read;
    char bytes[4096];
    for (;;) {
      const ssize_t count = co_await stream->read(bytes, sizeof bytes, never);
      if (count <= 0) co_return;
      read.append(bytes, static_cast<std::size_t>(count));
      if (read.find("\r\n\r\n") == read.npos) continue;
      self.seen_.push_back(std::exchange(read, {}));
      if (self.answers_.empty()) co_return;
      const std::string answer = std::move(self.answers_.front());
      self.answers_.pop_front();
      const ssize_t written = co_await stream->write(answer, 1h);
      if (written < 0) co_return;
    }
  }
  void settle() {
    for (int i = 0; i < 10'000 && loop_.run_once(); ++i) {
    }
  }

  template <class T>
  static async::Task<> keep(async::Task<T> task, std::optional<T>& into) {
    auto value = co_await task;
    into.emplace(std::move(value));
  }
  template <class T>
  T wait(async::Task<T> task) {
    std::optional<T> result;
    loop_.spawn(keep(std::move(task), result));
    settle();
    for (int i = 0; i < 100 && !result; ++i) {
      clock_.advance(1s);
      settle();
    }
    return std::move(*result);
  }
  Client::Question question(bool repeatable = false) {
    Client::Question question;
    question.target = "/v3/kv/range";
    question.body = "{}";
    question.deadline = after(loop_.now(), 10s);
    question.answer_max = 100;
    question.repeatable = repeatable;
    return question;
  }

  ManualClock clock_;
  async::Loop loop_{clock_};
  net::Loopback network_;
  std::deque<std::string> answers_;
  std::vector<std::string> seen_;
  int connections_ = 0;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<async::Child>> lives_;
  Client client_{loop_, network_, {"127.0.0.1", 2379, "etcd:2379", nullptr, ""}, {}};
};

TEST_F(AskingTest, AsksAgainOverTheSameConnection) {
  answers_ = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none",
              "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"};
  const auto one = wait(client_.ask(question()));
  ASSERT_TRUE(one) << one.error().what;
  EXPECT_EQ(one->status, 200);
  EXPECT_EQ(one->body, "one");
  const auto two = wait(client_.ask(question()));
  ASSERT_TRUE(two) << two.error().what;
  EXPECT_EQ(two->status, 404);
  EXPECT_EQ(two->body, "two");
  EXPECT_EQ(connections_, 1);
  EXPECT_EQ(seen_.at(0), "POST /v3/kv/range HTTP/1.1\r\nHost: etcd:2379\r\nContent-Length: 2\r\n\r\n{}");
}

TEST_F(AskingTest, DoesNotAskAgainWhatMayHaveBeenDone) {
  const auto lost = wait(client_.ask(question(true)));
  ASSERT_FALSE(lost);
  EXPECT_FALSE(lost.error().may_retry);
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(AskingTest, SaysWhenNothingWasSent) {
  listener_.reset();
  const auto refused = wait(client_.ask(question()));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().may_retry);
  network_.black_hole(place);
  const auto late = wait(client_.ask(question()));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::timeout);
}

TEST_F(AskingTest, BoundsAnswers) {
  answers_ = {"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')};
  EXPECT_EQ(wait(client_.ask(question())).error().kind, ErrorKind::limit);
  answers_ = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
  EXPECT_EQ(wait(client_.ask(question())).error().kind, ErrorKind::timeout);
  answers_ = {"nothing of HTTP\r\n\r\n"};
  EXPECT_EQ(wait(client_.ask(question())).error().kind, ErrorKind::protocol);
}

TEST_F(AskingTest, DoesNotKeepAConnectionWithSomethingLeft) {
  answers_ = {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na and more",
              "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"};
  EXPECT_EQ(wait(client_.ask(question()))->body, "a");
  EXPECT_EQ(wait(client_.ask(question()))->body, "b");
  EXPECT_EQ(connections_, 2);
}

TEST_F(AskingTest, ReadsAStreamWhileItComes) {
  answers_ = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"};
  auto stream = wait(client_.open(question(), 5s));
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->status(), 200);
  EXPECT_EQ(*wait((*stream)->next()), "ab");
  EXPECT_EQ(wait((*stream)->next()).error().kind, ErrorKind::timeout);
}

}  // namespace
}  // namespace sluice::http
