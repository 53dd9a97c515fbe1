// SPDX-License-Identifier: Apache-2.0
#include "plugin/stream_variables.h"

#include <fmt/format.h>

#include "plugin/exchange.h"
#include "plugin/stream_side.h"

namespace sluice::plugin {
namespace {

using Value = Variable::Value;

Value read_client_id(Exchange& x, const Variable&) {
  if (x.stream == nullptr || x.stream->mqtt_client_id.empty()) return std::nullopt;
  return x.stream->mqtt_client_id;
}

Value read_protocol(Exchange& x, const Variable&) {
  if (x.stream == nullptr) return std::nullopt;
  return x.stream->transport == Transport::tcp ? "TCP" : "UDP";
}

Value read_received(Exchange& x, const Variable&) {
  if (x.stream == nullptr) return std::nullopt;
  return x.arena.copy(fmt::format("{}", x.stream->received));
}

Value seconds_between(Exchange& x, Instant from, Instant to) {
  const std::chrono::duration<double> seconds = to - from;
  return x.arena.copy(fmt::format("{:.3f}", seconds.count()));
}

Value read_time(Exchange& x, const Variable&) {
  if (x.stream == nullptr) return std::nullopt;
  return seconds_between(x, x.started, x.worker.loop.now());
}

Value read_upstream_time(Exchange& x, const Variable&) {
  if (x.stream == nullptr || x.stream->upstream_begun == Instant{}) return std::nullopt;
  return seconds_between(x, x.stream->upstream_begun, x.worker.loop.now());
}

Value read_first_byte_time(Exchange& x, const Variable&) {
  if (x.stream == nullptr || x.stream->upstream_spoke == Instant{}) return std::nullopt;
  return seconds_between(x, x.stream->upstream_begun, x.stream->upstream_spoke);
}

}  // namespace

Variable find_stream_variable(std::string_view name) {
  if (name == "mqtt_client_id") return Variable(read_client_id);
  if (name == "protocol") return Variable(read_protocol);
  if (name == "bytes_received") return Variable(read_received);
  if (name == "session_time") return Variable(read_time);
  if (name == "upstream_session_time") return Variable(read_upstream_time);
  if (name == "upstream_first_byte_time") return Variable(read_first_byte_time);
  return {};
}

}  // namespace sluice::plugin
