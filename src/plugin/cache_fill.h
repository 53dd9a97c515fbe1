// SPDX-License-Identifier: Apache-2.0
// Between an exchange and what is kept: a peer's response made an entry, its body stored while it passes, an
// entry made the response. One worker.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "plugin/body_filter.h"
#include "plugin/cache_zones.h"
#include "plugin/exchange.h"

namespace sluice::plugin {

// The key under which a response is kept that varies by `names`, for this request. No other request that says
// the same in these fields has another, and no base key looks like it.
std::string variant_key(std::string_view base, const std::vector<std::string>& names,
                        const http::Headers& request);

// An entry of the response's head, as a peer sent it, without a body. Fields of the connection, the length,
// and those of a cache before stay out; Set-Cookie does unless `with_cookies`.
std::shared_ptr<CachedResponse> entry_of(Exchange& x, bool with_cookies);
// The entry once more, with what a 304 says newer.
std::shared_ptr<CachedResponse> refreshed(Exchange& x, const CachedResponse& old, bool with_cookies);

// Makes the entry the response: the exchange holds on to it. `status` is what Apisix-Cache-Status says.
struct CacheHit {
  std::string_view status;
  bool without_cache_fields = false;  // Cache-Control and Expires stay out
  bool not_modified = false;          // the client has it: 304
};
void use_entry(Exchange& x, CacheEntry entry, const CacheHit& hit);

// Passes a body on and gathers it. When it has ended, and only then, `done` gets all of it; what breaks off,
// is longer than `bytes_max`, has trailers or finds no room is dropped: `dropped` is called at once, the body
// goes on.
class StoringBody final : public WatchedBody {
 public:
  using Done = std::function<void(std::string body)>;
  using Dropped = std::function<void()>;
  StoringBody(http::Body& inner, CacheZone& zone, std::size_t bytes_max, Done done, Dropped dropped)
      : WatchedBody(inner),
        zone_(zone),
        bytes_max_(bytes_max),
        done_(std::move(done)),
        dropped_(std::move(dropped)) {}
  ~StoringBody() override { zone_.give_room(taken_); }

 private:
  void see(const Result<std::string_view>& piece) override;
  void drop();

  CacheZone& zone_;
  std::size_t bytes_max_, taken_ = 0;
  Done done_;
  Dropped dropped_;
  std::string kept_;
  bool keeps_ = true;
};

}  // namespace sluice::plugin
