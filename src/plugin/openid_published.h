// SPDX-License-Identifier: Apache-2.0
// What an OpenID provider publishes, as whichever worker fetched it last: what one of them knows, all of them
// serve with, and go on with while the provider is away. Belongs to the plugin object, any thread.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "base/time.h"
#include "plugin/jwk_set.h"

namespace sluice::plugin {

// The discovery document (OpenID Connect Discovery 1.0 §3), as far as anybody here asks.
struct OpenidDiscovery {
  std::string issuer, authorization_endpoint, token_endpoint, userinfo_endpoint, jwks_uri;
  std::string introspection_endpoint, end_session_endpoint, revocation_endpoint, pushed_endpoint;
};

template <class T>
class Published {
 public:
  // A worker's own, to look at without a lock. What is there may be used after `until`, when nothing newer is
  // to be had.
  struct Copy {
    std::shared_ptr<const T> what;
    Instant until{};
    bool is_fresh(Instant now) const { return what != nullptr && now < until; }
  };

  void put(const Copy& fetched) {
    const std::lock_guard lock(mutex_);
    if (newest_.what == nullptr || newest_.until < fetched.until) newest_ = fetched;
  }
  // Brings a worker's copy to what another one fetched since.
  void refresh(Copy& own) const {
    const std::lock_guard lock(mutex_);
    if (newest_.what != nullptr && (own.what == nullptr || own.until < newest_.until)) own = newest_;
  }

 private:
  mutable std::mutex mutex_;
  Copy newest_;
};

struct OpenidPublished {
  Published<OpenidDiscovery> discovery;
  Published<JwkSet> keys;
};

}  // namespace sluice::plugin
