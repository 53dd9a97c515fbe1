// SPDX-License-Identifier: Apache-2.0
// The part of the compiler that makes a stream route.
#include "base/text.h"
#include "gateway/compiler.h"
#include "json/text.h"
#include "model/stream_route.h"

namespace sluice::gateway {
namespace {

std::optional<Cidr> network_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto parsed = Cidr::parse(text);  // the model has looked at it
  return parsed ? std::optional(*parsed) : std::nullopt;
}

}  // namespace

bool Compiler::make_stream_route(Making& making, const json::Value& value) {
  model::StreamRoute written;
  json::Findings findings;
  if (!json::read(value, written, findings)) return complain(making.key, findings.problems), false;
  const bool had = making.old != nullptr && making.old->target != nullptr;
  auto chain = make_chain(making, written.plugins, had ? &making.old->target->chain : nullptr);
  if (!chain) return false;
  auto target = std::allocate_shared<RouteTarget>(SlabAllocator<RouteTarget>());
  target->info.id = making.id;
  target->info.name = written.name;
  target->info.service_id = written.service_id.text;
  uses(making, "services", written.service_id);
  const Item* service = written.service_id.empty() ? nullptr : find("services", written.service_id.text);
  if (service != nullptr) {
    target->info.service_name = service->info.name;
    chain = Chain::merge(*chain, service->chain);
  }
  const bool lost = making.fresh.refuses || (service == nullptr && !written.service_id.empty());
  if (lost) target->refusal = 503;
  target->chain = std::move(*chain);
  if (!written.upstream_id.empty()) {
    target->slot = slot_of(written.upstream_id.text);
  } else if (written.upstream) {
    target->own = make_destination(making, *written.upstream);
    if (target->own == nullptr) return false;
  } else if (service != nullptr) {
    target->own = service->destination;
    target->slot = service->slot;
  }
  making.fresh.target = target;
  auto route = std::make_shared<StreamRoute>();
  route->remote = network_of(written.remote_addr);
  route->server = network_of(written.server_addr);
  route->server_port = written.server_port;
  route->sni = lowered(written.sni);
  route->target = std::move(target);
  making.fresh.stream_route = std::move(route);
  return true;
}

}  // namespace sluice::gateway
