// SPDX-License-Identifier: Apache-2.0
#include "model/stream_route.h"

#include <fmt/core.h>

#include "base/cidr.h"

namespace sluice::model {
namespace {

void check_address(const std::string& text, std::string_view member, json::Fields& field) {
  if (text.empty()) return;
  const auto network = Cidr::parse(text);
  if (network) return;
  json::Reader::Step step(*field.reader(), member);
  field.reader()->fail(network.error().what, "object matches none of the required");
}

}  // namespace

void StreamRoute::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_name(*this, field);
  describe_rest(*this, field);
  field("remote_addr", remote_addr, "Address or network of the client.");
  field("server_addr", server_addr, "Address or network the client connected to.");
  field("server_port", server_port, "Port the client connected to.").at_least(1);
  field("sni", sni, "Name the client asked for in TLS.").pattern(host_pattern);
  field("upstream", upstream, "Where connections go, written here.");
  field("upstream_id", upstream_id, "Where connections go: an upstream.").references("upstreams").filter();
  field("service_id", service_id, "A service to inherit from.").references("services").filter();
  field("plugins", plugins, "");
  field.refused("protocol", "no protocol above TCP is spoken by this version");
  if (!field.reading()) return;
  check_address(remote_addr, "remote_addr", field);
  check_address(server_addr, "server_addr", field);
}

}  // namespace sluice::model
