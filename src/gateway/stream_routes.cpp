// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_routes.h"

namespace sluice::gateway {
namespace {

bool fits(const StreamRoute& route, const StreamQuestion& question) {
  return (!route.remote || route.remote->contains(question.client)) &&
         (!route.server || route.server->contains(question.server.address));
}

}  // namespace

StreamRoutes::StreamRoutes(const std::vector<std::shared_ptr<const StreamRoute>>& routes) : routes_(routes) {
  for (std::uint32_t number = 0; number < routes_.size(); ++number) {
    const StreamRoute& route = *routes_[number];
    Group* group = &unnamed_;
    if (route.sni.starts_with("*.")) group = &below_[route.sni.substr(2)];
    else if (route.sni == "*") group = &below_[""];
    else if (!route.sni.empty()) group = &exact_[route.sni];
    if (route.server_port) group->of_port[*route.server_port].push_back(number);
    else group->of_any_port.push_back(number);
  }
}

// Walks the routes of the port and those of any port as one list in order of id.
const StreamRoute* StreamRoutes::match(const Group& group, const StreamQuestion& question) const {
  static const std::vector<std::uint32_t> none;
  const auto found = group.of_port.find(question.server.port);
  const auto& of_port = found == group.of_port.end() ? none : found->second;
  const auto& of_any = group.of_any_port;
  for (std::size_t i = 0, j = 0; i < of_port.size() || j < of_any.size();) {
    const bool from_port = j >= of_any.size() || (i < of_port.size() && of_port[i] < of_any[j]);
    const StreamRoute& route = *routes_[from_port ? of_port[i++] : of_any[j++]];
    if (fits(route, question)) return &route;
  }
  return nullptr;
}

const StreamRoute* StreamRoutes::match(const StreamQuestion& question) const {
  std::string name(question.server_name);
  if (!name.empty()) {
    if (const auto found = exact_.find(name); found != exact_.end()) {
      if (const auto* route = match(found->second, question)) return route;
    }
    while (!below_.empty() && !name.empty()) {
      const std::size_t dot = name.find('.');
      name.erase(0, dot == std::string::npos ? name.size() : dot + 1);
      const auto found = below_.find(name);
      if (found == below_.end()) continue;
      if (const auto* route = match(found->second, question)) return route;
    }
  }
  return match(unnamed_, question);
}

}  // namespace sluice::gateway
