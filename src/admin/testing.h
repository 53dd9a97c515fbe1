// SPDX-License-Identifier: Apache-2.0
// What the tests of the Admin API share: an API over either store, a plugin that does nothing, a status that
// says what it was told. Tests only.
#pragma once
#include "admin/api.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "admin/control.h"
#include "async/loop.h"
#include "json/text.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

namespace sluice::admin {

using json::Value;
using plugin::PluginType;

class Sample final : public plugin::Plugin {
 public:
  struct Config {
    std::int64_t count = 1;
    std::string unit = "piece";
    void describe(json::Fields& field) {
      field("count", count, "How many.").required().at_least(1);
      field("unit", unit, "Of what.");
    }
  };
  struct Consumer {
    std::string key;
    std::string credential() const { return key; }
    void describe(json::Fields& field) { field("key", key, "The key.").required(); }
  };
  explicit Sample(Config) {}
  plugin::VerdictTask access(plugin::Exchange&) const override { return plugin::pass(); }
};

inline const PluginType sample = plugin::plugin<Sample>({.name = "sample",
                                                  .summary = "Tries things.",
                                                  .priority = 7,
                                                  .example = R"({"count": 1})",
                                                  .authenticates = true});

class FakeStatus final : public plugin::Status {
 public:
  void take_up_settings() override { ++taken_up; }
  int taken_up = 0;
  async::Task<Result<Duration>> applied(std::int64_t revision) override {
    asked = revision;
    if (refuses) return Result<Duration>(fail(ErrorKind::timeout, "worker 1 is late"));
    return Result<Duration>(Duration(1'500));
  }
  bool started() const override { return true; }
  bool ready() const override { return is_ready; }
  Value health() const override {
    const Value node = Value::object({{"ip", "127.0.0.1"},
                                      {"port", 80},
                                      {"hostname", "<here>"},
                                      {"status", "unhealthy"},
                                      {"counter", Value::object({{"tcp_failure", 3}})}});
    const Value nodes = Value::array({node});
    return Value::array(
        {Value::object({{"name", "/apisix/upstreams/1"}, {"type", "http"}, {"nodes", nodes}})});
  }
  std::int64_t asked = -1;
  bool refuses = false, is_ready = false;
};

class TextBody final : public http::Body {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  async::Task<Result<std::string_view>> next() override {
    auto piece = std::string_view(text_).substr(at_, 1000);
    at_ += piece.size();
    return Result<std::string_view>(piece);
  }
  bool ended() const override { return at_ == text_.size(); }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

inline constexpr std::string_view admin_key = "0123456789abcdef-admin";
inline constexpr std::string_view viewer_key = "0123456789abcdef-viewer";

inline async::Task<> keep(async::Task<http::Reply> task, std::optional<http::Reply>& into) {
  auto reply = co_await task;
  into.emplace(std::move(reply));
}

// An API over a store on disk or in memory.
class TestApi {
 protected:
  explicit TestApi(bool on_disk) : validator_({&sample}) {
    std::string name = std::filesystem::temp_directory_path() / "sluice-admin-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    if (on_disk) {
      auto opened = store::open_sqlite({folder_ + "/store.db"}, loop_);
      SLUICE_CHECK(opened.has_value());
      store_ = std::move(*opened);
    } else {
      store_ = std::make_unique<store::MemoryStore>(loop_);
    }
    Settings settings;
    settings.keys = *Keys::make(
        {{"boss", std::string(admin_key), Role::admin}, {"guest", std::string(viewer_key), Role::viewer}},
        Reach::network);
    settings.allow = *CidrSet::parse(std::vector<std::string>{"127.0.0.0/24"});
    api_ = std::make_unique<Api>(*store_, validator_, status_, clock_, std::move(settings));
  }
  ~TestApi() { std::filesystem::remove_all(folder_); }

  struct Asked {
    std::string method = "GET", target, body;
    std::vector<std::pair<std::string, std::string>> headers{{"X-API-KEY", std::string(admin_key)}};
    IpAddress peer = IpAddress::loopback();
  };

  http::Reply ask(const Asked& asked, bool of_control = false) {
    Arena arena;
    http::Request request(arena);
    request.method = asked.method;
    request.method_id = http::method_of(asked.method);
    request.target = asked.target;
    std::string_view target = asked.target;
    auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != target.npos) request.query = target.substr(mark + 1);
    for (const auto& [header, value] : asked.headers) request.headers.add(header, value);
    TextBody body(asked.body);
    request.content_length = static_cast<std::int64_t>(asked.body.size());
    if (!asked.body.empty()) request.body = &body;
    Control control(*store_, validator_, secret_places_, status_);
    std::optional<http::Reply> reply;
    loop_.spawn(keep(of_control ? control.handle(request) : api_->handle(request, asked.peer), reply));
    while (!reply) loop_.run_once(std::chrono::seconds(10));
    return std::move(*reply);
  }

  // "STATUS BODY", the body without its line end.
  std::string call(std::string method, std::string path, std::string body = {}) {
    auto reply = ask({std::move(method), "/apisix/admin/" + std::move(path), std::move(body)});
    if (reply.body.ends_with('\n')) reply.body.pop_back();
    return std::to_string(reply.status) + " " + reply.body;
  }
  Value value(std::string path) {
    return *json::parse(ask({"GET", "/apisix/admin/" + std::move(path)}).body);
  }
  std::string error_of(const std::string& answer) {
    auto body = json::parse(answer.substr(answer.find(' ') + 1));
    return answer.substr(0, 3) + " " + std::string(body ? body->text("error_msg") : answer);
  }

  std::string folder_;
  async::Loop loop_;
  ManualClock clock_;
  FakeStatus status_;
  plugin::Validator validator_;
  plugin::SecretPlaces secret_places_{validator_.plugins()};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Api> api_;
};

}  // namespace sluice::admin
