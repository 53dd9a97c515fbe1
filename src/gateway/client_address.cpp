// SPDX-License-Identifier: Apache-2.0
#include "gateway/client_address.h"

#include "base/text.h"

namespace sluice::gateway {
namespace {

using http::HeaderId;

// The address an entry names, "203.0.113.7", "203.0.113.7:4711" or "[2001:db8::1]:4711".
std::optional<Endpoint> named(std::string_view entry) {
  entry = trim(entry);
  if (auto address = IpAddress::parse(entry)) return Endpoint{*address, 0};
  return Endpoint::parse(entry);
}

// Walks a list from its end: the last entry, or with `recursive` the last that is not trusted.
std::optional<Endpoint> from_list(std::string_view list, const Settings& settings) {
  std::optional<Endpoint> found;
  while (!list.empty()) {
    const auto comma = list.rfind(',');
    const std::string_view entry = comma == std::string_view::npos ? list : list.substr(comma + 1);
    const auto endpoint = named(entry);
    if (!endpoint) break;
    found = endpoint;
    if (!settings.real_ip_recursive || !settings.real_ip_from.contains(endpoint->address)) break;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  }
  return found;
}

}  // namespace

void find_client_address(plugin::Exchange& x, const Settings& settings) {
  x.trusted_client = settings.has_trusted && settings.trusted.contains(x.client.address);
  x.forwarded_reset = settings.has_trusted && !x.trusted_client;
  if (settings.real_ip_from.contains(x.client.address)) {
    if (const auto list = x.request.headers.joined(settings.real_ip_header)) {
      const auto found = from_list(*list, settings);
      if (!found) return;
      x.remote = *found;
      char* text = x.arena.text(46);
      x.remote_text = {text, x.remote.address.format(text)};
    }
  }
}

}  // namespace sluice::gateway
