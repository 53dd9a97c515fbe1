// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "base/bounded.h"
#include "json/text.h"
#include "plugin/batch.h"
#include "plugin/log_entry.h"
#include "plugin/socket_sender.h"
#include "plugin/syslog_line.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

// The lines of one plugin object on one worker, on their way.
class Lines final : public plugin::Local {
 public:
  explicit Lines(plugin::Worker& worker) : worker_(worker), batch_(worker) {}
  void set_up(const plugin::BatchConfig& config, plugin::SocketSender::To to) {
    if (sender_) return;
    sender_.emplace(worker_, std::move(to));
    batch_.set_up(config, [this](plugin::Worker&, const std::vector<std::string>& lines) {
      return sender_->send(lines);
    });
  }
  plugin::Batch& batch() { return batch_; }
  async::Task<> close() override { return batch_.close(); }

 private:
  plugin::Worker& worker_;
  std::optional<plugin::SocketSender> sender_;
  plugin::Batch batch_;  // last: its tasks refer to the sender
};

}  // namespace

// Sends log entries to a syslog server, of requests and of connections below HTTP.
class Syslog final : public plugin::Plugin {
 public:
  struct Config {
    std::string host;
    std::uint16_t port = 0;
    plugin::SocketType sock_type = plugin::SocketType::tcp;
    bool tls = false, ssl_verify = false;
    std::int64_t timeout = 3000;
    std::int64_t flush_limit = 4096, drop_limit = 1'048'576, pool_size = 5;
    plugin::LogConfig entries;
    plugin::BatchConfig batch;

    void describe(json::Fields& field) {
      field("host", host, "The server: a name or an address.").required().length(1, 255);
      field("port", port, "The port it listens on.").required().range(1, 65535);
      field("sock_type", sock_type, "tcp: an entry a line; udp: an entry a datagram.");
      field("tls", tls, "Speaks TLS to it, over tcp.");
      field("ssl_verify", ssl_verify, "Verifies its certificate.");
      field("timeout", timeout,
            "Milliseconds to connect within, and for which the server may take nothing.")
          .at_least(1);
      field("drop_limit", drop_limit, "Bytes that wait on one worker to be sent; what is beyond is dropped.")
          .at_least(1);
      field("flush_limit", flush_limit, "Taken and without effect: a batch is sent at once.").at_least(1);
      field("pool_size", pool_size, "Taken and without effect: a worker keeps one connection.").at_least(5);
      entries.describe(field);
      batch.describe(field, "sys logger");
      field.open();
      if (field.reading() && tls && sock_type == plugin::SocketType::udp)
        field.check(false, "tls", "is for sock_type tcp; over udp nothing would be encrypted");
    }
  };
  using Metadata = plugin::LogMetadata;

  explicit Syslog(Config config) : config_(std::move(config)) {}

  plugin::VerdictTask access(Exchange& x) const override {
    config_.entries.watch_request(x, *this);
    return plugin::pass();
  }
  void body(Exchange& x) const override { config_.entries.watch_response(x, *this); }
  void log(Exchange& x) const override { add(x, x.request.host); }
  void stream_log(Exchange& x) const override { add(x, {}); }

 private:
  void add(Exchange& x, std::string_view host) const {
    auto& lines = x.local<Lines>(*this);
    lines.set_up(config_.batch, {config_.host, config_.port, config_.sock_type, config_.tls,
                                 config_.ssl_verify, bounded_milliseconds(config_.timeout)});
    const auto& metadata = x.metadata<Syslog>();
    const json::Value entry = plugin::log_entry(x, *this, config_.entries, metadata);
    lines.batch().add(plugin::syslog_line(x.worker.loop.wall(), host, json::dump(entry)),
                      metadata.max_pending_entries, config_.drop_limit);
  }

  Config config_;
};

extern constexpr plugin::PluginType syslog = plugin::plugin<Syslog>({
    .name = "syslog",
    .summary = "Sends log entries of requests, or of connections of a stream route, to a syslog server.",
    .priority = 401,
    .example = R"({"host": "127.0.0.1", "port": 5044, "sock_type": "tcp"})",
});

}  // namespace sluice::plugins
