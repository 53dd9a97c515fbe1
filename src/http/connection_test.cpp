// SPDX-License-Identifier: Apache-2.0
// Both sides of HTTP/1.1 over a network in memory: what goes in is bytes, what is looked at is bytes.
#include <gtest/gtest.h>

#include <functional>

#include "async/child.h"
#include "http/client_connection.h"
#include "http/server_connection.h"
#include "net/loopback.h"

namespace sluice::http {
namespace {

class TextBody final : public Body {
 public:
  TextBody(async::Loop& loop, std::vector<std::string> pieces, Duration pause)
      : loop_(loop), pieces_(std::move(pieces)), pause_(pause) {}
  async::Task<Result<std::string_view>> next() override {
    if (pause_ > Duration::zero()) co_await loop_.sleep(pause_);
    if (at_ == pieces_.size()) co_return fail(ErrorKind::reset, "the source broke");
    co_return std::string_view(pieces_[at_++]);
  }
  bool ended() const override { return at_ > 0 && at_ <= pieces_.size() && pieces_[at_ - 1].empty(); }

 private:
  async::Loop& loop_;
  std::vector<std::string> pieces_;
  Duration pause_;
  std::size_t at_ = 0;
};

// A server that says what it read, or does what the test asks for.
class ServerTest : public testing::Test {
 protected:
  using Answer = std::function<void(Request&, Response&)>;
  void SetUp() override { options.server_header = "test"; }
  void TearDown() override { hang_up(); }

  // The serving frame ends with its stream, before the stream's other end is made anew.
  void hang_up() {
    near.reset();
    settle();
    pass(1min);
    ASSERT_EQ(connection, nullptr);
  }

  void open() {
    hang_up();
    auto [client, server] = network.pair(loop);
    near = std::move(client);
    connection = std::make_unique<ServerConnection>(
        net::Accepted{std::move(server), {IpAddress::loopback(), 1}, {IpAddress::loopback(), 2}}, options);
    loop.spawn(serve(*this));
  }

  static async::Task<> serve(ServerTest& self) {
    ServerConnection& connection = *self.connection;
    for (bool again = true; again;) {
      ssize_t waited = 0;
      if (!connection.has_input()) {
        waited = co_await connection.wait_idle();
      }
      if (waited < 0) break;
      Arena arena;
      Request request(arena);
      Response response(arena);
      const auto head = co_await connection.read_head(request);
      if (head == ServerConnection::Head::closed) break;
      std::string text;
      if (head == ServerConnection::Head::refused) {
        connection.stop_after_this();
        response.status = connection.refusal().status;
      } else {
        response.status = 200;
        if (self.reads_bodies && request.body != nullptr) {
          while (!request.body->ended()) {
            auto piece = co_await request.body->next();
            if (!piece) {
              self.body_error = piece.error();
              break;
            }
            text += *piece;
          }
        }
        text = std::string(request.method) + " " + std::string(request.target) + " " + text;
        response.content = text;
        if (self.answer) self.answer(request, response);
      }
      ServerConnection::Sent sent;
      auto written = co_await connection.send(request, response, sent);
      again = written && connection.finish(request);
      if (written && !again) co_await connection.close();
    }
    self.closed = true;
    self.connection.reset();
  }

  void send(std::string_view bytes) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    EXPECT_EQ(near->try_write(&piece, 1), static_cast<ssize_t>(bytes.size()));
    settle();
  }
  std::string received() {
    settle();
    std::string all;
    char bytes[4096];
    for (ssize_t count; (count = near->try_read(bytes, sizeof bytes)) > 0; settle()) {
      all.append(bytes, static_cast<std::size_t>(count));
    }
    return without_dates(std::move(all));
  }
  static std::string without_dates(std::string text) {
    for (std::size_t at; (at = text.find("Date: ")) != text.npos;)
      text.erase(at, text.find('\n', at) + 1 - at);
    return text;
  }
  std::string say(std::string_view bytes) {
    send(bytes);
    return received();
  }
  void settle() {
    while (loop.run_once()) {
    }
  }
  void pass(Duration time) {
    clock.advance(time);
    settle();
  }

  ManualClock clock;
  async::Loop loop{clock};
  net::Loopback network{1 << 20};
  ServerOptions options;
  std::unique_ptr<net::Stream> near;
  std::unique_ptr<ServerConnection> connection;
  Answer answer;
  std::optional<Error> body_error;
  bool reads_bodies = true;
  bool closed = false;
};

std::string ok(std::string_view content, std::string_view connection = "keep-alive") {
  return "HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: " + std::to_string(content.size()) +
         "\r\nConnection: " + std::string(connection) + "\r\n\r\n" + std::string(content);
}

TEST_F(ServerTest, ServesOneRequestAfterTheOther) {
  open();
  EXPECT_EQ(say("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"), ok("GET /1 "));
  EXPECT_EQ(say("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"), ok("POST /2 hi"));
  EXPECT_EQ(say("GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), ok("GET /3 ", "close"));
  near->shutdown_write();
  settle();
  EXPECT_TRUE(closed);
}

TEST_F(ServerTest, ServesPipelinedRequestsInOrderHoweverTheyAreCut) {
  const std::string_view wire =
      "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nyou"
      "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    open();
    std::string got;
    if (cut > 0) got = say(wire.substr(0, cut));
    if (cut < wire.size()) got += say(wire.substr(cut));
    ASSERT_EQ(got, ok("POST /1 hi") + ok("POST /2 you") + ok("GET /3 ")) << cut;
  }
}

TEST_F(ServerTest, SkipsBodiesNobodyReadWhenTheyAreThere) {
  reads_bodies = false;
  open();
  EXPECT_EQ(
      say("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"),
      ok("POST /1 ") + ok("GET /2 "));
  EXPECT_EQ(say("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi"), ok("POST /3 ", "close"));
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  open();
  EXPECT_EQ(say("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n");
  for (const int status : {204, 304}) {
    answer = [status](Request&, Response& response) {
      response.status = status;
      response.content = {};
    };
    const std::string got = say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
    EXPECT_EQ(got.find("Transfer-Encoding"), got.npos) << got;
  }
}

TEST_F(ServerTest, ClosesBehindHttp10UnlessAskedNotTo) {
  open();
  EXPECT_EQ(say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), ok("GET / "));
  EXPECT_EQ(say("GET / HTTP/1.0\r\n\r\n"), ok("GET / ", "close"));
}

TEST_F(ServerTest, StreamsInChunksAndToHttp10UntilTheEnd) {
  auto streamed = [this](Request& request, Response& response) {
    response.body =
        request.arena.make<TextBody>(loop, std::vector<std::string>{"he", "llo", ""}, Duration::zero());
  };
  answer = streamed;
  open();
  EXPECT_EQ(say("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nServer: test\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
            "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
  EXPECT_EQ(say("GET / HTTP/1.0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nServer: test\r\nConnection: close\r\n\r\nhello");
}

TEST_F(ServerTest, SendsTheHeadBeforeASlowBody) {
  answer = [this](Request& request, Response& response) {
    response.body = request.arena.make<TextBody>(loop, std::vector<std::string>{"late", ""}, 1s);
  };
  open();
  EXPECT_TRUE(say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("keep-alive\r\n\r\n"));
  pass(1s);
  EXPECT_EQ(received(), "4\r\nlate\r\n");
}

TEST_F(ServerTest, NeverEndsABrokenBodyAsIfWhole) {
  answer = [this](Request& request, Response& response) {
    response.body = request.arena.make<TextBody>(loop, std::vector<std::string>{"half"}, Duration::zero());
  };
  open();
  const std::string got = say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(got.ends_with("4\r\nhalf\r\n")) << got;
  EXPECT_TRUE(closed);
}

TEST_F(ServerTest, AsksToContinueOnlyWhenTheBodyIsWanted) {
  open();
  EXPECT_EQ(say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(say("hi"), ok("POST / hi"));
  reads_bodies = false;
  EXPECT_EQ(say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            ok("POST / ", "close"));
}

TEST_F(ServerTest, AnswersAClientThatOnlyStoppedSending) {
  open();
  send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  near->shutdown_write();
  EXPECT_EQ(received(), ok("GET / "));
  EXPECT_TRUE(closed);
}

TEST_F(ServerTest, KeepsItsTimes) {
  open();
  send("GET / HT");
  pass(options.header_timeout + 1s);
  EXPECT_TRUE(received().starts_with("HTTP/1.1 408 "));

  open();
  pass(options.header_timeout + 1s);
  EXPECT_EQ(received(), "");
  EXPECT_EQ(near->try_read(nullptr, 0), 0);

  open();
  EXPECT_EQ(say("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), ok("GET / "));
  pass(options.keepalive_timeout + 1s);
  EXPECT_EQ(connection, nullptr);

  open();
  send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
  pass(options.body_timeout + 1s);
  ASSERT_TRUE(body_error);
  EXPECT_EQ(body_error->kind, ErrorKind::timeout);
}

TEST_F(ServerTest, KeepsItsLimits) {
  options.body_bytes_max = 4;
  options.requests_max = 2;
  options.head.head_bytes_max = 1000;
  options.head.target_bytes_max = 100;
  struct {
    std::string bytes;
    std::string_view status;
  } cases[] = {
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "413"},
      {"GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
      {"GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(1000, 'a') + "\r\n\r\n", "431"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"GET / HTTP/3.0\r\n\r\n", "505"},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", "417"},
  };
  for (const auto& test : cases) {
    open();
    const std::string got = say(test.bytes);
    EXPECT_EQ(got.substr(0, 12), "HTTP/1.1 " + std::string(test.status)) << test.bytes;
    EXPECT_NE(got.find("Connection: close"), got.npos) << got;
  }
  open();
  EXPECT_EQ(say("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"), ok("GET /1 "));
  EXPECT_EQ(say("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"), ok("GET /2 ", "close"));
}

// What still comes is read over, lest a reset overtake the answer: until there is silence, or for a while.
TEST_F(ServerTest, SaysGoodbyeWithoutCuttingOffWhatItSaid) {
  for (const bool silent : {true, false}) {
    closed = false;
    open();
    EXPECT_EQ(say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), ok("GET / ", "close"));
    int seconds = 0;
    for (; seconds < 60 && !closed; ++seconds) {
      if (!silent) send(std::string(128 << 10, 'x'));
      pass(1s);
    }
    EXPECT_EQ(seconds, silent ? 5 : 30);
  }
}

// ---- the client's side ----

struct Asked {
  std::optional<Error> error;
  int status = 0;
  std::vector<int> interim;
  std::string body;
  bool reusable = false, done = false;
};

async::Task<> ask(ClientConnection& connection, Method method, Arena& arena, Asked& asked) {
  Response response(arena);
  connection.count_request();
  do {
    auto read = co_await connection.read_head(response, {}, after(connection.stream().loop().now(), 5s));
    if (!read) {
      asked.error = read.error();
      co_return;
    }
    if (response.status < 200) asked.interim.push_back(response.status);
  } while (response.status < 200);
  asked.status = response.status;
  connection.open_body(method, response, arena, 5s);
  while (response.body != nullptr && !response.body->ended()) {
    auto piece = co_await response.body->next();
    if (!piece) {
      asked.error = piece.error();
      co_return;
    }
    asked.body += *piece;
  }
  asked.reusable = connection.reusable();
  asked.done = true;
}

class ClientTest : public testing::Test {
 protected:
  Asked read(std::string_view bytes, bool ends = false, Method method = Method::get) {
    auto [near, far] = network.pair(loop);
    Arena arena;
    Asked asked;
    ClientConnection connection(std::move(near));
    async::Child life;
    life.start(ask(connection, method, arena, asked));
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    if (!bytes.empty()) far->try_write(&piece, 1);
    if (ends) far->shutdown_write();
    settle();
    if (!asked.done && !asked.error) {
      clock.advance(6s);
      settle();
    }
    return asked;
  }
  void settle() {
    while (loop.run_once()) {
    }
  }
  ManualClock clock;
  async::Loop loop{clock};
  net::Loopback network;
};

TEST_F(ClientTest, ReadsResponsesAndKnowsWhatMayFollow) {
  struct {
    std::string_view bytes;
    bool ends;
    Method method;
    std::string_view body;
    bool reusable;
  } cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, Method::get, "hello", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", false, Method::get, "hello",
       false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, Method::get, "hello", false},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, Method::get,
       "hello", true},
      {"HTTP/1.1 200 OK\r\n\r\nhello", true, Method::get, "hello", false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, Method::head, "", true},
      {"HTTP/1.1 204 No Content\r\n\r\n", false, Method::get, "", true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, Method::get, "", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, Method::get, "", true},
      // More than was asked for: the next request must not take it for its answer.
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n", false, Method::get, "hi", false},
      {"HTTP/1.1 204 No Content\r\n\r\nextra", false, Method::get, "", false},
  };
  for (const auto& test : cases) {
    const Asked asked = read(test.bytes, test.ends, test.method);
    EXPECT_TRUE(asked.done) << test.bytes << (asked.error ? asked.error->what : "");
    EXPECT_EQ(asked.body, test.body) << test.bytes;
    EXPECT_EQ(asked.reusable, test.reusable) << test.bytes;
  }
}

TEST_F(ClientTest, ReadsInterimResponsesFirst) {
  const Asked asked = read(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(asked.interim, (std::vector<int>{100, 103}));
  EXPECT_EQ(asked.body, "hi");
  EXPECT_TRUE(asked.reusable);
}

TEST_F(ClientTest, SaysWhatWentWrongAndWhetherToAskAgain) {
  struct {
    std::string_view bytes;
    bool ends;
    ErrorKind kind;
    bool may_retry;
  } cases[] = {
      {"", true, ErrorKind::closed, true},
      {"HTTP/1.1 2", true, ErrorKind::closed, false},
      {"", false, ErrorKind::timeout, false},
      {"nonsense\r\n\r\n", false, ErrorKind::protocol, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", true, ErrorKind::closed, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", false, ErrorKind::timeout, false},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", false, ErrorKind::protocol, false},
  };
  for (const auto& test : cases) {
    const Asked asked = read(test.bytes, test.ends);
    ASSERT_TRUE(asked.error) << test.bytes;
    EXPECT_EQ(asked.error->kind, test.kind) << asked.error->what;
    EXPECT_EQ(asked.error->fault, Fault::peer) << asked.error->what;
    EXPECT_EQ(asked.error->may_retry, test.may_retry) << asked.error->what;
  }
}

}  // namespace
}  // namespace sluice::http
