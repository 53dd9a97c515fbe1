// SPDX-License-Identifier: Apache-2.0
// The router against a list that is searched from front to back, over random routes, edits and requests.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/random.h"
#include "gateway/router.h"

namespace sluice::gateway {
namespace {

using http::Method;

struct Candidate {
  int host_rank;             // longer is better; exact above all wildcards, none below
  std::size_t literal_size;  // exact above all
  int priority;
  std::size_t pattern_size;
  std::string id;
  bool operator<(const Candidate& other) const {  // better first
    if (host_rank != other.host_rank) return host_rank > other.host_rank;
    if (literal_size != other.literal_size) return literal_size > other.literal_size;
    if (priority != other.priority) return priority > other.priority;
    if (pattern_size != other.pattern_size) return pattern_size > other.pattern_size;
    return id < other.id;
  }
};

constexpr std::size_t whole = 1 << 20;

int host_rank(const RouteSpec& spec, const std::string& host) {
  if (spec.hosts.empty()) return 0;
  int best = -1;
  for (const std::string& pattern : spec.hosts) {
    if (pattern == host) best = 1000;
    if (pattern[0] == '*' && host.ends_with(pattern.substr(1)))
      best = std::max(best, static_cast<int>(pattern.size()));
  }
  return best;
}

std::string reference(const std::map<std::string, RouteSpec>& specs, RouterMode mode,
                      const RouteQuestion& question) {
  std::vector<Candidate> candidates;
  for (const auto& [id, spec] : specs) {
    int rank = host_rank(spec, std::string(question.host));
    if (rank < 0) continue;
    if (mode != RouterMode::host_uri) rank = 0;
    if (spec.methods != 0 && (spec.methods & method_bit(question.method)) == 0) continue;
    const bool known = spec.remote_addresses.empty() ||
                       std::any_of(spec.remote_addresses.begin(), spec.remote_addresses.end(),
                                   [&](const Cidr& c) { return c.contains(question.remote); });
    if (!known) continue;
    for (const std::string& uri : spec.uris) {
      const bool prefix = uri.back() == '*';
      const std::string literal = prefix ? uri.substr(0, uri.size() - 1) : uri;
      if (prefix ? question.path.starts_with(literal) : question.path == literal) {
        candidates.push_back({rank, prefix ? literal.size() : whole, spec.priority, uri.size(), id});
      }
    }
  }
  return candidates.empty() ? "-" : std::min_element(candidates.begin(), candidates.end())->id;
}

class Model {
 public:
  Model(RouterMode mode, std::uint64_t seed) : mode_(mode), random_(seed), router_(mode) {}
  ~Model() {
    for (auto& [id, route] : routes_) radix::release(route);
  }

  void edit() {
    const std::string id = std::to_string(random_.below(60));
    Router next = router_;
    if (const auto found = routes_.find(id); found != routes_.end()) {
      next.remove(*found->second);
      radix::release(found->second);
      routes_.erase(found);
      specs_.erase(id);
    }
    if (random_.below(4) != 0) {
      specs_[id] = make_spec(id);
      routes_[id] = *Route::make(specs_[id], mode_);
      next.add(*routes_[id]);
    }
    router_ = std::move(next);
  }

  void ask() {
    const std::string host = make_host(false), path = make_path();
    const RouteQuestion question{random_.below(2) ? Method::get : Method::post,
                                 host,
                                 host,
                                 path,
                                 IpAddress::v4(static_cast<std::uint32_t>(random_.below(4)) << 24),
                                 nullptr};
    RouteMatch match;
    const std::string found = router_.match(question, match) ? std::string(match.route->id()) : "-";
    ASSERT_EQ(found, reference(specs_, mode_, question)) << host << " " << path;
  }

 private:
  std::string make_host(bool pattern) {
    static const char* labels[] = {"a", "b", "com", "ab"};
    std::string host = labels[random_.below(4)];
    for (std::uint64_t i = random_.below(3); i > 0; --i) host += std::string(".") + labels[random_.below(4)];
    if (pattern && random_.below(2)) host = (random_.below(3) ? "*." : "*") + host;
    return host;
  }
  std::string make_path() {
    std::string path = "/";
    for (std::uint64_t i = random_.below(5); i > 0; --i) path += "ab/"[random_.below(3)];
    return path;
  }
  RouteSpec make_spec(const std::string& id) {
    RouteSpec spec{.id = id};
    for (std::uint64_t i = random_.below(3) + 1; i > 0; --i)
      spec.uris.push_back(make_path() + (random_.below(2) ? "*" : ""));
    for (std::uint64_t i = random_.below(3); i > 0; --i) spec.hosts.push_back(make_host(true));
    if (random_.below(3) == 0) spec.methods = method_bit(random_.below(2) ? Method::get : Method::post);
    spec.priority = static_cast<int>(random_.below(3));
    if (random_.below(4) == 0)
      spec.remote_addresses = {*Cidr::parse(std::to_string(random_.below(4)) + ".0.0.0/8")};
    return spec;
  }

  RouterMode mode_;
  Random random_;
  Router router_;
  std::map<std::string, RouteSpec> specs_;
  std::map<std::string, Route*> routes_;
};

TEST(RouterModel, agrees_with_a_list) {
  for (const RouterMode mode : {RouterMode::host_uri, RouterMode::uri, RouterMode::uri_with_parameter}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Model model(mode, seed);
      for (int step = 0; step < 200; ++step) {
        model.edit();
        for (int i = 0; i < 10; ++i) {
          ASSERT_NO_FATAL_FAILURE(model.ask()) << "seed " << seed << " step " << step;
        }
      }
    }
  }
}

}  // namespace
}  // namespace sluice::gateway
