// SPDX-License-Identifier: Apache-2.0
#include "model/route.h"

#include <fmt/core.h>

#include "base/cidr.h"

namespace sluice::model {
namespace {

constexpr std::string_view needs_lua =
    "needs the Lua runtime, which this build has not: express it with vars or plugins";

void check_address(const std::string& text, std::string_view member, json::Reader* reader,
                   std::optional<std::size_t> index = {}) {
  if (!reader) return;
  auto network = Cidr::parse(text);
  if (network) return;
  json::Reader::Step step(*reader, member);
  std::optional<json::Reader::Step> item;
  if (index) item.emplace(*reader, *index);
  reader->fail(network.error().what, "object matches none of the required");
}

}  // namespace

void Route::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_name(*this, field);
  describe_rest(*this, field);
  describe_match(field);
  describe_target(field);
  if (field.reading()) check_together(field);
}

void Route::describe_match(json::Fields& field) {
  field("uri", uri, "Path to match: exact, or a prefix when it ends with *.").length(1, 4096);
  field("uris", uris, "Several of them.").min_items(1).unique().items().length(1, 4096);
  field("priority", priority, "Among routes with the same path the highest is tried first.");
  field("methods", methods, "Methods to match; none: all.")
      .unique()
      .items()
      .one_of({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"});
  field("host", host, "Host to match; *.example.com takes every name below.").pattern(host_pattern);
  field("hosts", hosts, "Several of them.").min_items(1).unique().items().pattern(host_pattern);
  field("remote_addr", remote_addr, "Address or network of the client.");
  field("remote_addrs", remote_addrs, "Several of them.").min_items(1).unique();
  field("vars", vars, "Conditions over variables, such as [[\"arg_name\", \"==\", \"json\"]].")
      .must_be(json::Kind::array);
  field("status", status, "1: in use, 0: switched off.").one_of({1, 0});
}

void Route::describe_target(json::Fields& field) {
  field("plugins", plugins, "");
  field("plugin_config_id", plugin_config_id, "A shared set of plugins.").references("plugin_configs");
  field("upstream", upstream, "Where requests go, written here.");
  field("upstream_id", upstream_id, "Where requests go: an upstream.").references("upstreams").filter();
  field("service_id", service_id, "A service to inherit from.").references("services").filter();
  field("timeout", timeout, "Seconds for each step, above the upstream's.");
  field("enable_websocket", enable_websocket, "Whether connections may become WebSockets.");
  field.refused("filter_func", needs_lua);
  field.refused("script", needs_lua);
  field.refused("script_id", needs_lua);
  field.dropped("service_protocol", "has no effect: the upstream's scheme decides");
}

void Route::check_together(json::Fields& field) const {
  field.exactly_one_of({"uri", "uris"}, "allOf 1 failed: ");
  field.check_plainly(!field.has("host") || !field.has("hosts"), "hosts",
                      "may not be given together with host", "only one of host or hosts is allowed");
  field.check_plainly(!field.has("remote_addr") || !field.has("remote_addrs"), "remote_addrs",
                      "may not be given together with remote_addr",
                      "only one of remote_addr or remote_addrs is allowed");
  bool target = field.has("plugins") || field.has("upstream") || field.has("upstream_id") ||
                field.has("service_id") || field.has("script");
  field.check(
      target, "",
      "needs upstream, upstream_id, service_id or plugins: without one of them a request that "
      "matches has nowhere to go",
      R"(object matches none of the required: ["plugins","uri"] or ["upstream","uri"] or )"
      R"(["upstream_id","uri"] or ["service_id","uri"] or ["plugins","uris"] or ["upstream","uris"] or )"
      R"(["upstream_id","uris"] or ["service_id","uris"] or ["script","uri"] or ["script","uris"])");
  if (!remote_addr.empty()) check_address(remote_addr, "remote_addr", field.reader());
  for (std::size_t i = 0; i < remote_addrs.size(); ++i)
    check_address(remote_addrs[i], "remote_addrs", field.reader(), i);
}

void Service::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_name(*this, field);
  describe_rest(*this, field);
  field("plugins", plugins, "");
  field("upstream", upstream, "Where requests go, written here.");
  field("upstream_id", upstream_id, "Where requests go: an upstream.").references("upstreams");
  field("enable_websocket", enable_websocket, "Whether connections may become WebSockets.");
  field("hosts", hosts, "Hosts of all its routes that name none.")
      .min_items(1)
      .unique()
      .items()
      .pattern(host_pattern);
  field.refused("script", needs_lua);
}

}  // namespace sluice::model
