// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_reading.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "json/text.h"
#include "net/loopback.h"
#include "store/testing.h"

namespace sluice::store {
namespace {

constexpr int entries_max = 25'000;
const Endpoint etcd_at{IpAddress::v4(0x0A000001), 2379};

std::string key_of(int index) { return fmt::format("/apisix/k{:05}", index); }

std::string encoded(std::string_view bytes) {
  std::string text;
  base64_encode(bytes, text);
  return text;
}

std::string decoded(std::string_view text) {
  std::string bytes;
  SLUICE_CHECK(base64_decode(text, bytes));
  return bytes;
}

// Answers as etcd does, with as many entries as it is told to have.
class Etcd {
 public:
  Etcd(async::Loop& loop, net::Network& network) : loop_(loop) {
    listener_ = std::move(*network.listen(loop, etcd_at, {}, [this](net::Accepted accepted) {
      loop_.spawn(serve(*this, std::move(accepted.stream)));
    }));
  }
  int entries = 0;
  std::string space;                 // behind each ':'
  std::string tail;                  // in an answer, behind its entries
  std::int64_t limit_most = 10'000;  // of a question; more is answered with more bytes than a client takes
  std::vector<std::string> asked;    // "limit from" of each question
  bool answered = false;             // the first page, and so the revision of all

 private:
  static async::Task<> serve(Etcd& self, std::unique_ptr<net::Stream> stream) {
    std::string got;
    for (;;) {
      char bytes[4096];
      const ssize_t count = co_await stream->read(bytes, sizeof bytes, never);
      if (count <= 0) co_return;
      got.append(bytes, static_cast<std::size_t>(count));
      const std::size_t head = got.find("\r\n\r\n");
      if (head == got.npos) continue;
      const auto question = json::parse(std::string_view(got).substr(head + 4));
      if (!question) continue;  // its end is not here yet
      got.clear();
      const std::string answer = self.answer(*question);
      co_await stream->write(answer, std::chrono::seconds(10));
    }
  }

  std::string answer(const json::Value& question) {
    const std::string from = decoded(question.text("key"));
    const std::int64_t limit = *parse_integer(question.text("limit"));
    asked.push_back(fmt::format("{} {}", limit, from.substr(0, from.find('\0'))));
    EXPECT_EQ(question.text("revision"), answered ? "7" : "");
    answered = limit <= limit_most;
    std::string body = answered ? page(from, limit) : std::string(65u << 20, ' ');
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  }

  std::string page(const std::string& from, std::int64_t limit) const {
    int next = 0;
    while (next < entries && key_of(next) < from) ++next;
    const int end = static_cast<int>(std::min<std::int64_t>(entries, next + limit));
    std::string list;
    for (int i = next; i < end; ++i) {
      list += fmt::format(R"({}{{"key":{}"{}","create_revision":"3","mod_revision":"5","value":"{}"}})",
                          i == next ? "" : ",", space, encoded(key_of(i)), encoded("v"));
    }
    return fmt::format(R"({{"header":{{"cluster_id":"9","revision":"7"}},"kvs":[{}]{},{}"count":"{}"}})",
                       list, tail, end < entries ? "\"more\":true," : "", entries - next);
  }

  async::Loop& loop_;
  std::unique_ptr<net::Listener> listener_;
};

class EtcdReadingTest : public testing::Test {
 protected:
  EtcdReadingTest() {
    options_.members.push_back(*parse_member("http://10.0.0.1:2379"));
    client_ = std::make_unique<EtcdClient>(loop_, network_, options_, http::Client::Resolve());
  }
  static async::Task<Result<std::vector<Entry>>> all(EtcdReading& reading) {
    std::vector<Entry> entries;
    while (!reading.ended()) {
      auto page = co_await reading.next();
      if (!page) co_return std::unexpected(page.error());
      for (Entry& entry : *page) entries.push_back(std::move(entry));
    }
    co_return entries;
  }
  // Reads all, which must be every entry once.
  void expect_whole() {
    EtcdReading reading(*client_, etcd::below("/apisix/"));
    const auto entries = wait(loop_, all(reading));
    ASSERT_TRUE(entries) << entries.error().what;
    ASSERT_EQ(entries->size(), static_cast<std::size_t>(etcd_.entries));
    for (int i = 0; i < etcd_.entries; ++i) EXPECT_EQ((*entries)[static_cast<std::size_t>(i)].key, key_of(i));
    EXPECT_EQ(reading.revision(), 7);
    EXPECT_EQ(reading.cluster(), "9");
  }

  async::Loop loop_;
  net::Loopback network_;
  Etcd etcd_{loop_, network_};
  EtcdOptions options_;
  std::unique_ptr<EtcdClient> client_;
  using Asked = std::vector<std::string>;
};

TEST_F(EtcdReadingTest, AsksOnceForWhatFitsAPage) {
  etcd_.entries = 1'000;
  expect_whole();
  EXPECT_EQ(etcd_.asked, Asked({"1000 /apisix/"}));
}

TEST_F(EtcdReadingTest, ReadsNothingWhereNothingIs) {
  expect_whole();
  EXPECT_EQ(etcd_.asked, Asked({"1000 /apisix/"}));
}

TEST_F(EtcdReadingTest, ReadsPageByPageAsOfOneRevision) {
  etcd_.entries = entries_max;
  expect_whole();
  EXPECT_EQ(etcd_.asked, Asked({"1000 /apisix/", "10000 /apisix/k00999", "10000 /apisix/k10999",
                                "10000 /apisix/k20999"}));
}

TEST_F(EtcdReadingTest, ReadsWhatIsWrittenInAnotherWay) {
  etcd_.entries = entries_max;
  etcd_.space = " ";
  expect_whole();
  EXPECT_EQ(etcd_.asked.size(), 4u);
}

// What is found at a glance is a guess.
TEST_F(EtcdReadingTest, AsksAgainWhereAGlanceWasWrong) {
  etcd_.entries = entries_max;
  etcd_.tail = R"(,"other":{"key":")" + encoded(key_of(1)) + "\"}";
  expect_whole();
  EXPECT_NE(std::ranges::find(etcd_.asked, "10000 /apisix/k00001"), etcd_.asked.end());
}

TEST_F(EtcdReadingTest, TellsWhatIsNoAnswer) {
  etcd_.entries = 3'000;
  for (const auto* tail : {"}", R"(,"kvs":{})", R"(,"kvs":[{"key":"***"}])"}) {
    etcd_.tail = tail;
    etcd_.answered = false;
    EtcdReading reading(*client_, etcd::below("/apisix/"));
    const auto entries = wait(loop_, all(reading));
    ASSERT_FALSE(entries) << tail;
    EXPECT_EQ(entries.error().kind, ErrorKind::protocol);
    EXPECT_TRUE(entries.error().what.starts_with("etcd's answer is none: ")) << entries.error().what;
  }
}

TEST_F(EtcdReadingTest, TakesFewerAtOnceWhenTheyAreLarge) {
  etcd_.entries = 300;
  etcd_.limit_most = 200;
  expect_whole();
  EXPECT_EQ(etcd_.asked,
            Asked({"1000 /apisix/", "125 /apisix/", "125 /apisix/k00124", "125 /apisix/k00249"}));
}

}  // namespace
}  // namespace sluice::store
