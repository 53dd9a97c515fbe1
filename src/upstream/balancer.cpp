// SPDX-License-Identifier: Apache-2.0
// How a peer is picked. Every balancer works on groups of one priority, highest first: a lower group is asked
// only when the ones above have no peer left for this request. Peers of weight 0 are spare: they are asked,
// with equal shares, only when no peer with a weight is well. They have no place on a hash ring.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/random.h"
#include "upstream/hash_ring.h"
#include "upstream/health.h"
#include "upstream/upstream.h"

namespace sluice::upstream {
namespace {

using Group = std::vector<std::uint32_t>;  // indexes of peers

// What a worker knows of one server; kept by address, so that it survives edits of the upstream.
struct Record {
  std::uint32_t active = 0;  // requests being answered
  double ewma = 0;           // seconds
  Instant touched{};
};

struct State final : BalancerState {
  std::uint64_t version = 0;          // of the balancer that `records`, `position` and `current` fit
  std::vector<Record*> records;       // by peer
  std::vector<std::size_t> position;  // by group
  std::vector<std::int64_t> current;  // by peer: smooth weighted round robin
  std::unordered_map<Endpoint, Record, EndpointHash> known;
};

enum class Wanted : std::uint8_t { usable, any };

bool usable(const Peer& peer) { return peer.health == nullptr || peer.health->usable(); }

bool eligible(const Peer& peer, const PickContext& context, Wanted wanted) {
  if (wanted == Wanted::usable && !usable(peer)) return false;
  return std::find(context.tried.begin(), context.tried.end(), &peer) == context.tried.end();
}

// Spare peers share equally.
std::int64_t share_of(const Peer& peer) { return std::max<std::int64_t>(peer.weight, 1); }

enum class Spare : std::uint8_t { asked, never };

class GroupBalancer : public Balancer {
 public:
  explicit GroupBalancer(const std::vector<Peer>& peers, Spare spares = Spare::asked)
      : peers_(peers), version_(next_version()) {
    std::map<std::int32_t, Group, std::greater<>> by_priority, spare;
    for (std::uint32_t i = 0; i < peers.size(); ++i)
      (peers[i].weight > 0 ? by_priority : spare)[peers[i].priority].push_back(i);
    for (auto& [priority, group] : by_priority) groups_.push_back(std::move(group));
    weighted_count_ = groups_.size();
    if (spares == Spare::never) return;
    for (auto& [priority, group] : spare) groups_.push_back(std::move(group));
  }

  const Peer* pick(PickContext& context) const final {
    State& state = state_of(context);
    if (const Peer* peer = pick_any(context, state, Wanted::usable, 0, weighted_count_)) return peer;
    if (any_usable(true)) return nullptr;  // all of those were tried
    const bool has_spare = weighted_count_ < groups_.size();
    if (has_spare && any_usable(false))
      return pick_any(context, state, Wanted::usable, weighted_count_, groups_.size());
    const std::size_t last = weighted_count_ > 0 ? weighted_count_ : groups_.size();
    return pick_any(context, state, Wanted::any, 0, last);
  }

 protected:
  // A peer of that group, or null when none is eligible.
  virtual const Peer* pick_from(std::size_t group, PickContext& context, State& state,
                                Wanted wanted) const = 0;
  // The state has been laid out for this balancer.
  virtual void prepare(State&, PickContext&) const {}

  const Group& group(std::size_t index) const { return groups_[index]; }
  std::size_t group_count() const { return groups_.size(); }
  const Peer& peer(std::uint32_t index) const { return peers_[index]; }
  Record* record_of(const Peer& peer, State& state) const {
    if (state.version == version_) return state.records[static_cast<std::size_t>(&peer - peers_.data())];
    const auto found = state.known.find(peer.endpoint);
    return found == state.known.end() ? nullptr : &found->second;
  }

 private:
  static std::uint64_t next_version() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  bool any_usable(bool weighted) const {
    return std::any_of(peers_.begin(), peers_.end(), [&](const Peer& peer) {
      return (peer.weight > 0) == weighted && usable(peer);
    });
  }

  const Peer* pick_any(PickContext& context, State& state, Wanted wanted, std::size_t first,
                       std::size_t last) const {
    for (std::size_t i = first; i < last; ++i) {
      if (const Peer* peer = pick_from(i, context, state, wanted)) return peer;
    }
    return nullptr;
  }

  State& state_of(PickContext& context) const {
    if (context.state == nullptr) context.state = std::make_unique<State>();
    auto& state = static_cast<State&>(*context.state);
    if (state.version != version_) lay_out(state, context);
    return state;
  }

  void lay_out(State& state, PickContext& context) const {
    if (state.known.size() > 2 * peers_.size() + 16) {
      std::erase_if(state.known, [](const auto& entry) { return entry.second.active == 0; });
    }
    state.version = version_;
    state.records.clear();
    for (const Peer& peer : peers_) state.records.push_back(&state.known[peer.endpoint]);
    state.current.assign(peers_.size(), 0);
    state.position.clear();
    for (const Group& group : groups_) state.position.push_back(context.random % group.size());
    prepare(state, context);
  }

  const std::vector<Peer>& peers_;
  std::vector<Group> groups_;
  std::size_t weighted_count_ = 0;  // groups behind these are of spare peers
  std::uint64_t version_;
};

// Equal weights: one after the other. Others: smooth weighted round robin, which interleaves ("a b a c a",
// never "a a a b c") and shares out fairly also while some peers are left out.
class RoundRobin final : public GroupBalancer {
 public:
  explicit RoundRobin(const std::vector<Peer>& peers) : GroupBalancer(peers) {
    for (std::size_t i = 0; i < group_count(); ++i) {
      const auto weight = peer(group(i)[0]).weight;
      equal_.push_back(
          std::all_of(group(i).begin(), group(i).end(), [&](auto p) { return peer(p).weight == weight; }));
    }
  }

 private:
  const Peer* pick_from(std::size_t index, PickContext& context, State& state, Wanted wanted) const override {
    return equal_[index] ? next_in_turn(index, context, state, wanted)
                         : smooth(index, context, state, wanted);
  }

  // Workers do not begin with the same peer.
  void prepare(State& state, PickContext& context) const override {
    for (std::size_t i = 0; i < group_count(); ++i) {
      for (std::uint64_t step = context.random % 32; !equal_[i] && step > 0; --step)
        smooth(i, context, state, Wanted::any);
    }
  }

  const Peer* next_in_turn(std::size_t index, PickContext& context, State& state, Wanted wanted) const {
    const Group& members = group(index);
    for (std::size_t step = 1; step <= members.size(); ++step) {
      const std::size_t at = (state.position[index] + step) % members.size();
      const Peer& candidate = peer(members[at]);
      if (!eligible(candidate, context, wanted)) continue;
      state.position[index] = at;
      return &candidate;
    }
    return nullptr;
  }

  const Peer* smooth(std::size_t index, PickContext& context, State& state, Wanted wanted) const {
    std::int64_t total = 0;
    std::int64_t best = -1;
    for (const std::uint32_t i : group(index)) {
      if (!eligible(peer(i), context, wanted)) continue;
      total += peer(i).weight;
      state.current[i] += peer(i).weight;
      if (best < 0 || state.current[i] > state.current[static_cast<std::size_t>(best)]) best = i;
    }
    if (best < 0) return nullptr;
    state.current[static_cast<std::size_t>(best)] -= total;
    return &peer(static_cast<std::uint32_t>(best));
  }

  std::vector<bool> equal_;
};

class ConsistentHash final : public GroupBalancer {
 public:
  explicit ConsistentHash(const std::vector<Peer>& peers) : GroupBalancer(peers, Spare::never) {
    for (std::size_t i = 0; i < group_count(); ++i) {
      std::vector<HashRing::Server> servers;
      for (const std::uint32_t p : group(i))
        servers.push_back({peer(p).text, static_cast<std::uint64_t>(peer(p).weight)});
      rings_.push_back(HashRing::shared(std::move(servers)));
    }
  }

 private:
  const Peer* pick_from(std::size_t index, PickContext& context, State&, Wanted wanted) const override {
    const auto& points = rings_[index]->points();
    const std::size_t start = rings_[index]->find(context.hash);
    std::uint32_t refused = UINT32_MAX;  // consecutive points are often of one server
    for (std::size_t step = 0; step < points.size(); ++step) {
      const std::uint32_t server = points[(start + step) % points.size()].server;
      if (server == refused) continue;
      const Peer& candidate = peer(group(index)[server]);
      if (eligible(candidate, context, wanted)) return &candidate;
      refused = server;
    }
    return nullptr;
  }

  std::vector<std::shared_ptr<const HashRing>> rings_;
};

class LeastConnections final : public GroupBalancer {
 public:
  using GroupBalancer::GroupBalancer;
  bool observes() const override { return true; }
  void started(const Peer& peer, BalancerState& state) const override {
    if (Record* record = record_of(peer, static_cast<State&>(state))) ++record->active;
  }
  void finished(const Peer& peer, BalancerState& state, Duration, Instant) const override {
    Record* record = record_of(peer, static_cast<State&>(state));
    if (record != nullptr && record->active > 0) --record->active;
  }

 private:
  const Peer* pick_from(std::size_t index, PickContext& context, State& state, Wanted wanted) const override {
    const Group& members = group(index);
    const std::size_t start = state.position[index] + 1;  // equals take turns
    const Peer* best = nullptr;
    double best_score = 0;
    for (std::size_t step = 0; step < members.size(); ++step) {
      const std::size_t at = (start + step) % members.size();
      const std::uint32_t i = members[at];
      if (!eligible(peer(i), context, wanted)) continue;
      const double score = (state.records[i]->active + 1.0) / static_cast<double>(share_of(peer(i)));
      if (best != nullptr && score >= best_score) continue;
      best = &peer(i);
      best_score = score;
      state.position[index] = at;
    }
    return best;
  }
};

// Two at random; the one that has answered faster of late.
class Ewma final : public GroupBalancer {
 public:
  using GroupBalancer::GroupBalancer;
  bool observes() const override { return true; }
  void finished(const Peer& peer, BalancerState& state, Duration latency, Instant now) const override {
    if (latency < Duration::zero()) return;
    Record* record = record_of(peer, static_cast<State&>(state));
    if (record == nullptr) return;
    const double old_share = share_left(*record, now);
    record->ewma =
        record->ewma * old_share + std::chrono::duration<double>(latency).count() * (1 - old_share);
    record->touched = now;
  }

 private:
  static constexpr double decay_seconds = 10;
  static double share_left(const Record& record, Instant now) {
    if (record.touched == Instant{}) return 0;  // never asked: the first answer counts in full
    const double passed = std::chrono::duration<double>(now - record.touched).count();
    return std::exp(-std::max(passed, 0.0) / decay_seconds);
  }

  const Peer* pick_from(std::size_t index, PickContext& context, State& state, Wanted wanted) const override {
    const Group& members = group(index);
    std::uint64_t count = 0;
    for (const std::uint32_t i : members) count += eligible(peer(i), context, wanted) ? 1 : 0;
    if (count == 0) return nullptr;
    const std::uint64_t first = (context.random >> 32) % count;
    const std::uint64_t second =
        count == 1 ? first : (first + 1 + (context.random & 0xFFFFFFFF) % (count - 1)) % count;
    const Peer* best = nullptr;
    double best_score = 0;
    std::uint64_t place = 0;
    for (const std::uint32_t i : members) {
      if (!eligible(peer(i), context, wanted)) continue;
      if (place == first || place == second) {
        const Record& record = *state.records[i];
        const double score = record.ewma * share_left(record, context.now);
        if (best == nullptr || score < best_score || (score == best_score && place == first)) {
          best = &peer(i);
          best_score = score;
        }
      }
      ++place;
    }
    return best;
  }
};

}  // namespace

std::shared_ptr<const Balancer> make_balancer(model::Balancer type, const std::vector<Peer>& peers) {
  switch (type) {
    case model::Balancer::chash:
      return std::make_shared<ConsistentHash>(peers);
    case model::Balancer::least_conn:
      return std::make_shared<LeastConnections>(peers);
    case model::Balancer::ewma:
      return std::make_shared<Ewma>(peers);
    case model::Balancer::roundrobin:
      break;
  }
  return std::make_shared<RoundRobin>(peers);
}

}  // namespace sluice::upstream
