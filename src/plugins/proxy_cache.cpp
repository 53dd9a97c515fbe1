// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/bounded.h"
#include "base/text.h"
#include "plugin/cache_control.h"
#include "plugin/cache_fill.h"
#include "plugin/exchange.h"
#include "plugin/variable.h"

namespace sluice::plugins {
namespace {

using http::HeaderId;
using http::Method;
using plugin::CacheDirectives;
using plugin::CachedResponse;
using plugin::CacheEntry;
using plugin::CacheTurns;
using plugin::CacheZone;
using plugin::CacheZones;
using plugin::Exchange;
using Kind = CachedResponse::Kind;

enum class Strategy : std::uint8_t { disk, memory };
inline json::Names enum_names(Strategy) {
  static constexpr std::string_view names[]{"disk", "memory"};
  return names;
}

constexpr std::string_view part_pattern = R"((^[^\$].+$|^\$[0-9a-zA-Z_]+$))";
constexpr std::size_t variants_max = 64;                       // of one key
constexpr Duration turn_patience = std::chrono::seconds(5);    // for another's fetch; nginx's lock timeout
constexpr Duration disk_patience = std::chrono::seconds(2);    // for a file to be read
constexpr Duration unshared_time = std::chrono::seconds(10);   // nobody waits for what cannot be kept

// A text, or the value of a variable.
struct Part {
  std::string text;
  plugin::Variable variable;
};

std::vector<Part> compiled(const std::vector<std::string>& written) {
  std::vector<Part> parts;
  for (const auto& part : written) {
    if (part.starts_with('$')) parts.push_back({"", plugin::find_variable(part.substr(1))});
    else parts.push_back({part, {}});
  }
  return parts;
}

// Whether they make a text other than "0".
bool holds(const std::vector<Part>& parts, Exchange& x) {
  std::string text;
  for (const auto& part : parts) text += part.text.empty() ? part.variable.read(x).value_or("") : part.text;
  return !text.empty() && text != "0";
}

// What one exchange has to do with the cache.
struct Use {
  std::string_view status = "MISS";
  bool sends = true;        // Apisix-Cache-Status is still to be set
  bool keeps = false;       // the response may be kept
  bool prepared = false;    // the request has the cache's own conditions instead of the client's
  CacheDirectives asked;    // the request's, when they count
  std::string_view base, key;  // what is asked for, and where it is looked for: a variant's own key
  CacheEntry stale;         // to be found true by the upstream
  std::string_view etags, since;  // the client's conditions
  CacheTurns::Ticket turn;
};

}  // namespace

// Keeps responses and sends them again, as RFC 9111 has it: in memory, shared by all workers, or on disk.
class ProxyCache final : public plugin::Plugin {
 public:
  struct Config {
    std::string cache_zone = "disk_cache_one";
    Strategy cache_strategy = Strategy::disk;
    std::vector<std::string> cache_key{"$host", "$request_uri"}, cache_bypass, no_cache;
    std::vector<int> cache_http_status{200, 301, 404};
    std::vector<std::string> cache_method{"GET", "HEAD"};
    bool hide_cache_headers = false, cache_control = false, consumer_isolation = true;
    bool cache_set_cookie = false;
    std::int64_t cache_ttl = 300, max_resp_body_size = 64 << 20;

    void describe(json::Fields& field) {
      field("cache_zone", cache_zone,
            "Where responses are kept: a zone of apisix.proxy_cache in config.yaml.")
          .length(1, 100);
      field("cache_strategy", cache_strategy, "What the zone is on.");
      field("cache_key", cache_key, "What makes requests the same: texts and $variables.")
          .min_items(1)
          .items()
          .pattern(part_pattern);
      field("cache_http_status", cache_http_status, "Statuses of responses that are kept; 206 never is.")
          .min_items(1)
          .unique()
          .items()
          .range(200, 599);
      field("cache_method", cache_method,
            "Methods whose responses are kept. HEAD is answered with what GET has brought; responses to POST "
            "are kept apart.")
          .min_items(1)
          .unique()
          .items()
          .one_of({"GET", "POST", "HEAD"});
      field("hide_cache_headers", hide_cache_headers, "Takes Cache-Control and Expires off responses.");
      field("cache_control", cache_control,
            "Heeds Cache-Control of requests, and in memory lets responses say how long they are fresh.");
      field("cache_bypass", cache_bypass,
            "The upstream is asked when these texts and $variables make up something other than \"0\".")
          .min_items(1)
          .items()
          .pattern(part_pattern);
      field("no_cache", no_cache,
            "The response is not kept when these texts and $variables make up something other than \"0\".")
          .min_items(1)
          .items()
          .pattern(part_pattern);
      field("cache_ttl", cache_ttl,
            "Seconds for which responses in memory are fresh; for those on disk that do not say, "
            "apisix.proxy_cache.cache_ttl.")
          .at_least(1);
      field("consumer_isolation", consumer_isolation,
            "Consumers, and users of Basic authentication, do not see each other's responses, unless "
            "cache_key names who asks.");
      field("cache_set_cookie", cache_set_cookie, "Keeps responses that set cookies, and sets them again.");
      field("max_resp_body_size", max_resp_body_size,
            "Bytes; the body of a larger response is passed on and not kept.")
          .at_least(1);
      field.open();
      if (field.reading() && !field.failed()) check(field);
    }

   private:
    void check(json::Fields& field) const {
      field.check_plainly(std::ranges::find(cache_key, "$request_method") == cache_key.end(), "cache_key",
                          "must not name $request_method: GET and HEAD share what is kept, POST has its own",
                          "cache_key variable $request_method unsupported");
      auto& zones = CacheZones::shared();
      if (!zones.configured()) return;
      const CacheZone* zone = zones.find(cache_zone);
      field.check_plainly(zone != nullptr, "cache_zone",
                          "'" + cache_zone + "' is no zone of apisix.proxy_cache in config.yaml",
                          "cache_zone " + cache_zone + " not found");
      const std::string strategy = cache_strategy == Strategy::disk ? "disk" : "memory";
      field.check_plainly(zone == nullptr || zone->on_disk() == (cache_strategy == Strategy::disk),
                          "cache_zone",
                          "'" + cache_zone + "' is not a zone for cache_strategy " + strategy +
                              ": zones with a disk_path are on disk, others in memory",
                          "invalid or empty cache_zone for cache_strategy: " + strategy);
    }
  };

  explicit ProxyCache(Config config)
      : config_(std::move(config)),
        zone_(CacheZones::shared().find(config_.cache_zone)),
        key_(compiled(config_.cache_key)),
        bypass_(compiled(config_.cache_bypass)),
        no_cache_(compiled(config_.no_cache)),
        remote_user_(plugin::find_variable("remote_user")) {
    constexpr std::string_view who[]{"$consumer_name", "$consumer_group_id", "$remote_user",
                                     "$http_authorization"};
    names_who_asks_ = std::ranges::any_of(config_.cache_key, [&](const std::string& part) {
      return std::ranges::find(who, part) != std::end(who);
    });
    names_credentials_ =
        std::ranges::find(config_.cache_key, "$http_authorization") != config_.cache_key.end();
    for (const auto& method : config_.cache_method)
      methods_ |= 1u << static_cast<unsigned>(http::method_of(method));
  }

  plugin::VerdictTask access(Exchange& x) const override {
    if (zone_ == nullptr) return plugin::pass();
    if (x.request.method_id == Method::purge) return purge(x);
    auto& use = x.state<Use>(*this);
    if (!may_look(x, use)) return plugin::pass();
    use.base = base_key(x, x.request.method_id == Method::post);
    use.key = use.base;
    const Instant now = x.worker.loop.now();
    CacheEntry entry = zone_->memory().find(use.base, now);
    if (entry != nullptr && entry->kind == Kind::variants) {
      use.key = x.arena.copy(plugin::variant_key(use.base, entry->vary, x.request.headers));
      entry = zone_->memory().find(use.key, now);
    }
    if (entry != nullptr && entry->kind == Kind::response && judge(x, use, *entry))
      return hit(x, use, std::move(entry), "HIT");
    return look_and_wait(x, use);
  }

  void received(Exchange& x) const override {
    auto* use = x.existing_state<Use>(*this);
    if (use == nullptr || !use->keeps) return;
    if (use->stale != nullptr && x.response.status == 304) return revalidated(x, *use);
    auto entry = worth_keeping(x) ? plugin::entry_of(x, config_.cache_set_cookie) : nullptr;
    if (entry == nullptr || !set_lifetime(x, *entry)) return cannot_keep(x, *use);
    http::Response& response = x.response;
    if (response.body == nullptr) return keep(x, *use, std::move(entry), std::string(response.content));
    if (const auto whole = response.body->whole())
      return keep(x, *use, std::move(entry), std::string(*whole));
    response.body = x.arena.make<plugin::StoringBody>(
        *response.body, *zone_, body_max(),
        [this, &x, use, entry](std::string body) { keep(x, *use, entry, std::move(body)); },
        [this, &x, use] { cannot_keep(x, *use); });
  }

  void response(Exchange& x) const override {
    auto* use = x.existing_state<Use>(*this);
    if (use == nullptr || !use->sends) return;
    if (x.source != plugin::ResponseSource::upstream) use->turn.settle(CacheTurns::Outcome::unshared);
    auto& headers = x.response.headers;
    headers.set("Apisix-Cache-Status", use->status);
    if (!config_.hide_cache_headers) return;
    headers.remove(HeaderId::cache_control);
    headers.remove("Expires");
  }

 private:
  std::size_t body_max() const {
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(static_cast<std::uint64_t>(config_.max_resp_body_size), zone_->entry_max()));
  }

  // Whether the request may be answered with what is kept; says why not.
  bool may_look(Exchange& x, Use& use) const {
    const auto& headers = x.request.headers;
    const bool on_disk = config_.cache_strategy == Strategy::disk;
    if ((methods_ & 1u << static_cast<unsigned>(x.request.method_id)) == 0 || x.request.upgrade) {
      if (on_disk) use.status = "BYPASS";
      return false;
    }
    if (config_.cache_control) use.asked = plugin::cache_directives(headers);
    // Part of a response, or a change under a condition, is between the client and the upstream.
    const bool partly = headers.has(HeaderId::range) || std::ranges::any_of(headers, [](const auto& field) {
                          constexpr std::string_view match = "if-match", unmodified = "if-unmodified-since";
                          return field.id == HeaderId::other &&
                                 (equals_ignoring_case(field.name, match) ||
                                  equals_ignoring_case(field.name, unmodified));
                        });
    const bool told = !bypass_.empty() && holds(bypass_, x);
    if (!partly && !told && !use.asked.no_store && !use.asked.no_cache) return true;
    use.status = "BYPASS";
    if (partly || !told || !on_disk || x.request.method_id == Method::head) return false;
    use.base = use.key = base_key(x, x.request.method_id == Method::post);
    use.keeps = true;  // as nginx: what is asked for past the cache renews it
    return false;
  }

  // No two requests that differ in a part have the same.
  std::string_view base_key(Exchange& x, bool post) const {
    thread_local std::string key;
    key = post ? "BP" : "BG";
    std::string_view who;
    if (config_.consumer_isolation && !names_who_asks_) {
      who = x.consumer_name;
      if (who.empty() && x.request.headers.has(HeaderId::authorization))
        who = remote_user_.read(x).value_or(std::string_view());
    }
    if (!who.empty()) key.append(std::to_string(who.size())).append(":").append(who);
    for (const auto& part : key_) {
      key += '\0';
      key += part.text.empty() ? part.variable.read(x).value_or(std::string_view()) : part.text;
    }
    return x.arena.copy(key);
  }

  // Whether the entry may be sent; else what Apisix-Cache-Status says.
  bool judge(Exchange& x, Use& use, const CachedResponse& entry) const {
    const Duration age = entry.age(x.worker.loop.now());
    const auto& asked = use.asked;
    use.status = "EXPIRED";
    const auto seconds = [](std::int64_t count) { return Duration(std::chrono::seconds(count)); };
    if (age >= entry.lifetime) {
      const bool wanted =
          asked.any_stale || (asked.max_stale && age - entry.lifetime <= seconds(*asked.max_stale));
      if (!wanted || entry.must_revalidate) return false;
    }
    use.status = "STALE";
    if (asked.max_age && age > seconds(*asked.max_age)) return false;
    if (asked.min_fresh && entry.lifetime - age < seconds(*asked.min_fresh)) return false;
    use.status = "MISS";
    return true;
  }

  plugin::Verdict hit(Exchange& x, Use& use, CacheEntry entry, std::string_view status) const {
    if (!use.prepared) take_conditions(x, use);
    use.sends = false;
    const bool has_it = entry->status == 200 && (!use.etags.empty() || !use.since.empty()) &&
                        plugin::client_has_it(use.etags, use.since, entry->etag, entry->last_modified);
    plugin::use_entry(x, std::move(entry), {status, config_.hide_cache_headers, has_it});
    return plugin::reply_made();
  }

  // Nothing fresh is in memory: it may be on disk, or another may just be fetching it.
  plugin::VerdictTask look_and_wait(Exchange& x, Use& use) const {
    auto& loop = x.worker.loop;
    const Instant deadline = after(loop.now(), turn_patience);
    for (;;) {
      auto finding = find(x, use);
      CacheEntry entry = co_await finding;
      const bool there = entry != nullptr && entry->kind == Kind::response;
      use.status = "MISS";
      if (there && judge(x, use, *entry)) co_return hit(x, use, std::move(entry), "HIT");
      if (use.asked.only_if_cached) co_return plugin::reply(504);
      if (x.request.method_id == Method::head) co_return plugin::pass();  // it brings no body to keep
      if (!there && entry != nullptr && entry->age(loop.now()) < entry->lifetime) entry = nullptr;
      else if (zone_->turns().take(use.key, use.turn)) {
        const CacheEntry again = zone_->memory().find(use.key, loop.now());  // stored just now?
        if (again == nullptr || again == entry || again->kind != Kind::response) {
          prepare(x, use, there ? std::move(entry) : nullptr);
          co_return plugin::pass();
        }
        use.turn.settle(CacheTurns::Outcome::stored);
        continue;
      } else {
        auto waiting = zone_->turns().wait(loop, std::string(use.key), deadline);
        const auto outcome = co_await waiting;
        if (outcome && *outcome != CacheTurns::Outcome::unshared) continue;
      }
      prepare(x, use, nullptr);
      co_return plugin::pass();
    }
  }

  async::Task<CacheEntry> find(Exchange& x, Use& use) const {
    auto& loop = x.worker.loop;
    const Instant deadline = after(loop.now(), disk_patience);
    use.key = use.base;
    auto finding = zone_->find(loop, std::string(use.base), deadline);
    CacheEntry entry = co_await finding;
    if (entry == nullptr || entry->kind != Kind::variants) co_return entry;
    use.key = x.arena.copy(plugin::variant_key(use.base, entry->vary, x.request.headers));
    auto finding_variant = zone_->find(loop, std::string(use.key), deadline);
    entry = co_await finding_variant;
    co_return entry;
  }

  static void take_conditions(Exchange& x, Use& use) {
    use.etags = x.request.headers.get(HeaderId::if_none_match);
    use.since = x.request.headers.get(HeaderId::if_modified_since);
  }

  // The upstream is asked for all of it, or whether what is stale is still true; the client's own conditions
  // are for what comes of that.
  void prepare(Exchange& x, Use& use, CacheEntry stale) const {
    auto& headers = x.request.headers;
    use.keeps = true;
    take_conditions(x, use);
    use.prepared = true;
    headers.remove(HeaderId::if_none_match);
    headers.remove(HeaderId::if_modified_since);
    if (stale == nullptr || (stale->etag.empty() && stale->last_modified.empty())) return;
    if (!stale->etag.empty()) headers.add("If-None-Match", stale->etag);
    if (!stale->last_modified.empty()) headers.add("If-Modified-Since", stale->last_modified);
    use.stale = std::move(stale);
  }

  bool worth_keeping(Exchange& x) const {
    const auto& response = x.response;
    const auto& headers = response.headers;
    if (response.status == 206 || response.status == 304 || response.status < 200) return false;
    if (std::ranges::find(config_.cache_http_status, response.status) == config_.cache_http_status.end())
      return false;
    if (!no_cache_.empty() && holds(no_cache_, x)) return false;
    const auto said = plugin::cache_directives(headers);
    if (!plugin::may_be_kept(said) || headers.has(HeaderId::content_range)) return false;
    if (headers.has(HeaderId::set_cookie) && !config_.cache_set_cookie) return false;
    if (!plugin::varying_fields(headers)) return false;
    if (response.content_length > static_cast<std::int64_t>(body_max())) return false;
    // RFC 9111 §3.5: what an authorized client was sent is for others only when the response says so, or
    // when they get no part of it.
    const bool apart = names_credentials_ ||
                       (!x.consumer_name.empty() && (config_.consumer_isolation || names_who_asks_));
    return !x.request.headers.has(HeaderId::authorization) || apart || said.is_public ||
           said.shared_max_age || said.must_revalidate;
  }

  // False when it is over already.
  bool set_lifetime(Exchange& x, CachedResponse& entry) const {
    const auto& headers = x.response.headers;
    const auto said = plugin::cache_directives(headers);
    entry.must_revalidate = said.must_revalidate || said.shared_max_age.has_value();
    const bool on_disk = config_.cache_strategy == Strategy::disk;
    const Duration own =
        on_disk ? CacheZones::shared().disk_lifetime() : bounded_seconds(config_.cache_ttl);
    if (!on_disk && !config_.cache_control) {
      entry.lifetime = own + plugin::stated_age(headers);  // from now on
      return true;
    }
    const auto stated = plugin::stated_lifetime(headers, said, x.worker.loop.wall());
    entry.lifetime = stated ? *stated : on_disk ? own : Duration::zero();
    return entry.age(x.worker.loop.now()) < entry.lifetime;
  }

  void keep(Exchange& x, Use& use, std::shared_ptr<CachedResponse> entry, std::string body) const {
    entry->body = std::make_shared<const std::string>(std::move(body));
    const auto names = plugin::varying_fields(x.response.headers);
    store(x, use, std::move(entry), names ? *names : std::vector<std::string>());
    use.keeps = false;
    use.turn.settle(CacheTurns::Outcome::stored);
  }

  // Under its own key, and what leads there.
  void store(Exchange& x, const Use& use, std::shared_ptr<CachedResponse> entry,
             const std::vector<std::string>& names) const {
    const Instant now = x.worker.loop.now();
    const CacheEntry before = zone_->memory().find(use.base, now);
    const bool had_variants = before != nullptr && before->kind == Kind::variants;
    if (had_variants && before->vary != names)
      for (const auto& variant : before->variants) zone_->erase(variant);
    entry->key =
        names.empty() ? std::string(use.base) : plugin::variant_key(use.base, names, x.request.headers);
    if (!entry->index()) return;
    if (!names.empty()) {
      auto table = std::make_shared<CachedResponse>();
      table->kind = Kind::variants;
      table->key = use.base;
      table->vary = names;
      table->made = now;
      table->made_wall = x.worker.loop.wall();
      if (had_variants && before->vary == names) table->variants = before->variants;
      const bool known = std::ranges::find(table->variants, entry->key) != table->variants.end();
      if (!known) table->variants.push_back(entry->key);
      while (table->variants.size() > variants_max) {
        zone_->erase(table->variants.front());
        table->variants.erase(table->variants.begin());
      }
      table->write_variants();
      if (!known) zone_->put(table);
    }
    zone_->put(entry);
  }

  // Those who waited ask for themselves, and for a while nobody waits.
  void cannot_keep(Exchange& x, Use& use) const {
    use.keeps = false;
    if (!use.turn.settle(CacheTurns::Outcome::unshared) || use.stale != nullptr) return;
    auto note = std::make_shared<CachedResponse>();
    note->kind = Kind::unshared;
    note->key = use.key;
    note->made = x.worker.loop.now();
    note->lifetime = unshared_time;
    zone_->put(note);
  }

  // The upstream says that what was stale is still true.
  void revalidated(Exchange& x, Use& use) const {
    use.keeps = false;
    const auto entry = plugin::refreshed(x, *use.stale, config_.cache_set_cookie);
    const auto said = plugin::cache_directives(x.response.headers);
    const bool says_how_long =
        plugin::stated_lifetime(x.response.headers, said, x.worker.loop.wall()).has_value();
    const bool kept = entry != nullptr && plugin::may_be_kept(said) &&
                      (!says_how_long || set_lifetime(x, *entry));  // else as long as before
    if (kept) zone_->put(entry);
    else zone_->erase(use.key);
    use.turn.settle(kept ? CacheTurns::Outcome::stored : CacheTurns::Outcome::unshared);
    static_cast<void>(hit(x, use, entry == nullptr ? use.stale : CacheEntry(entry), "REVALIDATED"));
  }

  plugin::VerdictTask purge(Exchange& x) const {
    bool there = false;
    for (const bool post : {false, true}) {
      const std::string base(base_key(x, post));
      auto& loop = x.worker.loop;
      auto finding = zone_->find(loop, base, after(loop.now(), disk_patience));
      const CacheEntry entry = co_await finding;
      if (entry == nullptr || entry->kind == Kind::unshared) continue;
      there = true;
      for (const auto& variant : entry->variants) zone_->erase(variant);
      zone_->erase(base);
    }
    co_return plugin::reply(there ? 200 : 404);
  }

  Config config_;
  CacheZone* zone_;
  std::vector<Part> key_, bypass_, no_cache_;
  plugin::Variable remote_user_;
  bool names_who_asks_ = false;     // so that everybody has their own without more
  bool names_credentials_ = false;
  unsigned methods_ = 0;
};

extern constexpr plugin::PluginType proxy_cache = plugin::plugin<ProxyCache>({
    .name = "proxy-cache",
    .summary = "Keeps responses, in memory or on disk, and sends them again.",
    .priority = 1085,
    .example = R"({"cache_strategy": "memory", "cache_zone": "memory_cache", "cache_ttl": 60})",
});

}  // namespace sluice::plugins
