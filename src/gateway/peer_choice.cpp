// SPDX-License-Identifier: Apache-2.0
#include "gateway/peer_choice.h"

#include "base/hash.h"
#include "base/random.h"
#include "gateway/worker.h"
#include "upstream/health.h"

namespace sluice::gateway {

void PeerChoice::begin(const Destination& destination) {
  destination_ = &destination;
  upstream_ = destination.upstream.get();
  begun_ = worker_.loop.now();
}

const upstream::Peer* PeerChoice::pick() {
  if (upstream_->balancer == nullptr || !may_go_on()) return nullptr;
  finish(Duration(-1));
  auto& state = worker_.balancer_state(upstream_->local_key);
  upstream::PickContext context{upstream_->type == model::Balancer::chash ? hash_key() : 0,
                                std::span(tried_, tried_count_), state, worker_.loop.now(),
                                thread_random().next()};
  const upstream::Peer* peer = upstream_->balancer->pick(context);
  if (peer == nullptr) return nullptr;
  if (tried_ == nullptr)
    tried_ = x_.arena.array<const upstream::Peer*>(static_cast<std::size_t>(upstream_->retries) + 1);
  tried_[tried_count_++] = peer;
  if (upstream_->balancer->observes() && state != nullptr) {
    upstream_->balancer->started(*peer, *state);
    in_flight_ = true;
  }
  note(*peer);
  return peer;
}

void PeerChoice::note(const upstream::Peer& peer) {
  peer_ = &peer;
  auto& side = x_.upstream;
  side.balancer_port = peer.endpoint.port;
  side.balancer_ip = std::string_view(peer.text).substr(0, peer.text.rfind(':'));
  side.authority = peer.authority;
  side.addresses = side.addresses.empty()
                       ? std::string_view(peer.text)
                       : x_.arena.join(side.addresses, std::string_view(", "), peer.text);
}

std::uint32_t PeerChoice::hash_key() const {
  if (upstream_->hash_on == model::HashOn::consumer)
    return crc32(x_.consumer_name.empty() ? x_.remote_text : x_.consumer_name);
  if (upstream_->hash_on == model::HashOn::vars_combinations) {
    std::string text;
    const auto present = destination_->hash_template.render(x_, text);
    return crc32(present == 0 ? x_.remote_text : std::string_view(text));
  }
  const auto value = destination_->hash_variable.read(x_);
  return crc32(value && !value->empty() ? *value : x_.remote_text);
}

bool PeerChoice::may_go_on() const {
  if (tried_count_ == 0) return true;
  const bool late = upstream_->retry_timeout > Duration::zero() &&
                    worker_.loop.now() - begun_ >= upstream_->retry_timeout;
  return tried_count_ <= static_cast<std::size_t>(upstream_->retries) && !late;
}

void PeerChoice::connected(const upstream::Peer& peer, const Result<>& outcome) {
  if (peer.health == nullptr) return;
  using upstream::HealthEvent;
  if (outcome) return peer.health->report(HealthEvent::success);
  if (outcome.error().fault != Fault::peer) return;
  peer.health->report(outcome.error().kind == ErrorKind::timeout ? HealthEvent::timeout
                                                                 : HealthEvent::tcp_failure);
}

void PeerChoice::finish(Duration latency) {
  if (!in_flight_) return;
  in_flight_ = false;
  auto& state = worker_.balancer_state(upstream_->local_key);
  if (state != nullptr) upstream_->balancer->finished(*peer_, *state, latency, worker_.loop.now());
}

}  // namespace sluice::gateway
