// SPDX-License-Identifier: Apache-2.0
#include "upstream/pool.h"

namespace sluice::upstream {

Pool::Idle::Idle(Pool& owner, PoolKey its_key, std::unique_ptr<http::ClientConnection> its_connection)
    : pool(owner),
      key(its_key),
      connection(std::move(its_connection)),
      timer(owner.loop_, &Idle::timed_out, this) {}

void Pool::Idle::timed_out(void* self) {
  auto& idle = *static_cast<Idle*>(self);
  if (idle.connection != nullptr) idle.pool.drop(idle);
}

void Pool::Idle::happened(void* self) {
  auto& idle = *static_cast<Idle*>(self);
  if (idle.connection->stream().maybe_readable() || idle.connection->stream().broken()) idle.pool.drop(idle);
}

Pool::~Pool() = default;

std::unique_ptr<Pool::Idle> Pool::remove(List& list, std::size_t place) {
  auto taken = std::move(list[place]);
  if (place + 1 != list.size()) {
    list[place] = std::move(list.back());
    list[place]->place = place;
  }
  list.pop_back();
  --idle_;
  taken->timer.cancel();
  taken->connection->stream().on_event(nullptr, nullptr);  // more may happen to it before the batch ends
  return taken;
}

std::unique_ptr<http::ClientConnection> Pool::take(PoolKey key) {
  auto found = lists_.find(key);
  if (found == lists_.end()) return nullptr;
  List& list = found->second;
  while (!list.empty()) {
    auto idle = remove(list, list.size() - 1);
    auto connection = std::move(idle->connection);
    spare_.push_back(std::move(idle));
    if (connection->clean()) return connection;
    loop_.dispose(std::move(connection));
  }
  return nullptr;
}

void Pool::give(PoolKey key, const KeepAlive& limits, std::unique_ptr<http::ClientConnection> connection) {
  const bool keep = connection->reusable() && connection->requests() < limits.requests &&
                    limits.idle_timeout > Duration::zero() && limits.size > 0;
  if (!keep) return loop_.dispose(std::move(connection));
  List& list = lists_[key];
  if (list.size() >= limits.size) loop_.dispose(remove(list, 0));
  std::unique_ptr<Idle> idle;
  if (spare_.empty()) {
    idle = std::make_unique<Idle>(*this, key, std::move(connection));
  } else {
    idle = std::move(spare_.back());
    spare_.pop_back();
    idle->key = key;
    idle->connection = std::move(connection);
  }
  idle->place = list.size();
  idle->connection->stream().on_event(&Idle::happened, idle.get());
  idle->timer.set(after(loop_.now(), limits.idle_timeout));
  list.push_back(std::move(idle));
  ++idle_;
}

void Pool::drop(Idle& idle) {
  List& list = lists_[idle.key];
  const PoolKey key = idle.key;
  loop_.dispose(remove(list, idle.place));  // its connection dies with it, behind the batch
  if (list.empty()) lists_.erase(key);
}

void Pool::forget(PoolKey key) {
  auto found = lists_.find(key);
  if (found == lists_.end()) return;
  while (!found->second.empty()) loop_.dispose(remove(found->second, found->second.size() - 1));
  lists_.erase(found);
}

}  // namespace sluice::upstream
