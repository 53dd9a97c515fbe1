// SPDX-License-Identifier: Apache-2.0
#include "base/bounded.h"
#include "json/text.h"
#include "plugin/batch.h"
#include "plugin/log_entry.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

enum class Concat : std::uint8_t { json, new_line };
inline json::Names enum_names(Concat) {
  static constexpr std::string_view names[]{"json", "new_line"};
  return names;
}

}  // namespace

// Posts log entries in batches to an HTTP server.
class HttpLogger final : public plugin::Plugin {
 public:
  struct Config {
    std::string uri, auth_header;
    std::int64_t timeout = 3;
    Concat concat_method = Concat::json;
    bool ssl_verify = false;
    plugin::LogConfig entries;
    plugin::BatchConfig batch;

    void describe(json::Fields& field) {
      field("uri", uri, "Where to post: http:// or https://.")
          .required()
          .pattern(R"(^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?)");
      field("auth_header", auth_header, "The Authorization header of each post.").secret();
      field("timeout", timeout, "Seconds for one post.").at_least(1);
      field("concat_method", concat_method,
            "json: a list of entries; new_line: an entry a line, as text/plain.");
      field("ssl_verify", ssl_verify, "Verifies the server's certificate.");
      entries.describe(field);
      batch.describe(field, "http logger");
      field.open();
      if (!field.reading() || field.failed()) return;
      field.check(uri.starts_with("http://") || uri.starts_with("https://"), "uri",
                  "must begin with http:// or https://, not " + uri.substr(0, uri.find("://")));
    }
  };
  using Metadata = plugin::LogMetadata;

  explicit HttpLogger(Config config) : config_(std::move(config)) {}

  plugin::VerdictTask access(Exchange& x) const override {
    config_.entries.watch_request(x, *this);
    return plugin::pass();
  }
  void body(Exchange& x) const override { config_.entries.watch_response(x, *this); }

  void log(Exchange& x) const override {
    auto& batch = x.local<plugin::Batch>(*this);
    if (!batch.is_set_up()) {
      batch.set_up(config_.batch, [this](plugin::Worker& worker, const std::vector<std::string>& entries) {
        return post(worker, entries);
      });
    }
    const auto& metadata = x.metadata<HttpLogger>();
    json::Value entry = plugin::log_entry(x, *this, config_.entries, metadata);
    if (entry.find("route_id") == nullptr) entry.set("route_id", "no-matched");
    batch.add(json::dump(entry), metadata.max_pending_entries);
  }

 private:
  async::Task<Result<>> post(plugin::Worker& worker, const std::vector<std::string>& entries) const {
    plugin::Outbound request;
    request.method = "POST";
    request.url = config_.uri;
    const bool json = config_.concat_method == Concat::json;
    request.headers.emplace_back("Content-Type", json ? "application/json" : "text/plain");
    if (!config_.auth_header.empty()) request.headers.emplace_back("Authorization", config_.auth_header);
    request.body = joined(entries, json);
    request.timeout = bounded_seconds(config_.timeout);
    request.verify = config_.ssl_verify;
    auto asking = worker.ask(std::move(request));
    auto reply = co_await asking;
    if (!reply) co_return std::unexpected(std::move(reply.error()));
    if (reply->status >= 400) {
      co_return Result<>(fail(ErrorKind::protocol,
                              config_.uri + " answered " + std::to_string(reply->status) + ": " +
                                  reply->body.substr(0, 200),
                              Fault::peer));
    }
    co_return Result<>();
  }

  std::string joined(const std::vector<std::string>& entries, bool json) const {
    const bool list = json && config_.batch.batch_max_size > 1;
    std::string text = list ? "[" : "";
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) text += json ? "," : "\n";
      text += entries[i];
    }
    if (list) text += "]";
    return text;
  }

  Config config_;
};

extern constexpr plugin::PluginType http_logger = plugin::plugin<HttpLogger>({
    .name = "http-logger",
    .summary = "Posts log entries in batches to an HTTP server.",
    .priority = 410,
    .example = R"({"uri": "http://127.0.0.1:3000/log", "batch_max_size": 100})",
});

}  // namespace sluice::plugins
