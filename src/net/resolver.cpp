// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.h"

#include <ares.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace sluice::net {
namespace {

constexpr Duration failure_kept = std::chrono::seconds(1);
constexpr Duration ttl_min = std::chrono::seconds(1);
constexpr Duration ttl_max = std::chrono::hours(24);
constexpr std::size_t name_bytes_max = 253;
constexpr std::size_t addresses_max = 256;
constexpr int tries = 2;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

Result<> library() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status == ARES_SUCCESS) return {};
  return fail(ErrorKind::system, std::string("the DNS library cannot be started: ") + ares_strerror(status));
}

}  // namespace

struct Resolver::Lookup {
  Resolver& resolver;
  std::string name;
  std::optional<Result<Resolved>> answer;
  std::vector<Wait*> waiters;
};

// Waits for a lookup; taken off its list when the frame dies.
class Resolver::Wait {
 public:
  explicit Wait(Lookup& lookup) : lookup_(lookup) {}
  Wait(const Wait&) = delete;
  ~Wait() { std::erase(lookup_.waiters, this); }
  bool await_ready() const { return lookup_.answer.has_value(); }
  void await_suspend(std::coroutine_handle<> awaiter) {
    awaiter_ = awaiter;
    lookup_.waiters.push_back(this);
  }
  void await_resume() const {}
  void resume() { awaiter_.resume(); }

 private:
  Lookup& lookup_;
  std::coroutine_handle<> awaiter_;
};

// A socket of c-ares. Events come on edges, so it is read until nothing is left.
class Resolver::Socket final : public async::Pollable {
 public:
  Socket(Resolver& resolver, int descriptor) : resolver_(resolver), descriptor_(descriptor) {
    handle_ = resolver_.loop_.watch(descriptor_, *this);
  }
  ~Socket() { close(); }
  void close() {
    if (handle_ != async::Loop::no_handle) resolver_.loop_.unwatch(handle_, descriptor_);
    handle_ = async::Loop::no_handle;
  }

  void on_ready(std::uint32_t events) override {
    const bool readable = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    const bool writable = (events & EPOLLOUT) != 0;
    Resolver& resolver = resolver_;  // this may be closed below, and is destroyed behind the batch
    resolver.process(readable ? descriptor_ : -1, writable ? descriptor_ : -1);
    for (int round = 0; round < 64 && handle_ != async::Loop::no_handle && readable && more(); ++round) {
      resolver.process(descriptor_, -1);
    }
    resolver.wake_waiters();
  }

 private:
  bool more() const {
    char byte;
    return ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
  }
  Resolver& resolver_;
  int descriptor_;
  async::Loop::Handle handle_;
};

Resolver::Resolver(async::Loop& loop, ResolverOptions options)
    : loop_(loop), options_(std::move(options)), timer_(loop, &Resolver::timed_out, this) {}

Result<std::unique_ptr<Resolver>> Resolver::make(async::Loop& loop, ResolverOptions options) {
  if (auto ready = library(); !ready) return std::unexpected(std::move(ready.error()));
  std::unique_ptr<Resolver> resolver(new Resolver(loop, std::move(options)));
  ares_options settings{};
  const auto total =
      std::chrono::duration_cast<std::chrono::milliseconds>(resolver->options_.timeout).count();
  // The library doubles the time at each try.
  settings.timeout = static_cast<int>(std::clamp<std::int64_t>(total / ((1 << tries) - 1), 10, 60'000));
  settings.tries = tries;
  settings.sock_state_cb_data = resolver.get();
  settings.sock_state_cb = [](void* self, ares_socket_t descriptor, int readable, int writable) {
    static_cast<Resolver*>(self)->set_socket(descriptor, readable != 0 || writable != 0);
  };
  int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (!resolver->options_.search) {
    settings.ndomains = 0;
    mask |= ARES_OPT_DOMAINS;
  }
  int status = ares_init_options(&resolver->channel_, &settings, mask);
  if (status == ARES_SUCCESS && !resolver->options_.servers.empty()) {
    std::string list;
    for (const Endpoint& server : resolver->options_.servers)
      list += (list.empty() ? "" : ",") + server.text();
    status = ares_set_servers_ports_csv(resolver->channel_, list.c_str());
  }
  if (status != ARES_SUCCESS) {
    return fail(ErrorKind::system, std::string("the resolver cannot be set up: ") + ares_strerror(status));
  }
  return resolver;
}

Resolver::~Resolver() {
  closing_ = true;
  if (channel_ != nullptr) ares_destroy(channel_);
}

void Resolver::set_socket(int descriptor, bool wanted) {
  const auto found = sockets_.find(descriptor);
  if (wanted && found == sockets_.end()) {
    sockets_[descriptor] = std::make_unique<Socket>(*this, descriptor);
  } else if (!wanted && found != sockets_.end()) {
    found->second->close();  // before the library closes the descriptor
    loop_.dispose(std::move(found->second));
    sockets_.erase(found);
  }
}

void Resolver::process(int readable, int writable) {
  ares_process_fd(channel_, readable < 0 ? ARES_SOCKET_BAD : readable,
                  writable < 0 ? ARES_SOCKET_BAD : writable);
  set_timer();
}

void Resolver::set_timer() {
  timeval wait{};
  if (lookups_.empty() || ares_timeout(channel_, nullptr, &wait) == nullptr) return timer_.cancel();
  // A millisecond more, for the library compares whole ones.
  timer_.set(after(loop_.now(), std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec) +
                                    std::chrono::milliseconds(1)));
}

void Resolver::timed_out(void* self) {
  auto& resolver = *static_cast<Resolver*>(self);
  resolver.process(-1, -1);
  resolver.wake_waiters();
}

void Resolver::wake_waiters() {
  while (!finished_.empty()) {
    const std::shared_ptr<Lookup> lookup = std::move(finished_.back());
    finished_.pop_back();
    while (!lookup->waiters.empty()) {
      Wait* waiter = lookup->waiters.back();
      lookup->waiters.pop_back();
      waiter->resume();
    }
  }
}

async::Task<Result<Resolved>> Resolver::resolve(std::string_view asked) {
  if (const auto address = IpAddress::parse(asked)) return Result<Resolved>(Resolved{{*address}, ttl_max});
  std::string name = lowered(asked);
  if (name.ends_with('.')) name.pop_back();
  if (!is_name(name)) {
    return Result<Resolved>(fail(ErrorKind::resolve, "\"" + name.substr(0, 260) + "\" is no host name"));
  }
  if (const auto found = cache_.find(name); found != cache_.end() && found->second.until > loop_.now()) {
    Result<Resolved> answer = found->second.answer;
    if (answer) answer->ttl = found->second.until - loop_.now();
    return answer;
  }
  const auto running = lookups_.find(name);
  if (running == lookups_.end() && lookups_.size() >= options_.cache_max) {
    return Result<Resolved>(
        fail(ErrorKind::limit, "too many names are being resolved; " + name + " has to wait"));
  }
  return wait_for(running != lookups_.end() ? running->second : start(name));
}

async::Task<Result<Resolved>> Resolver::wait_for(std::shared_ptr<Lookup> lookup) {
  Wait wait(*lookup);
  co_await wait;
  co_return *lookup->answer;
}

std::shared_ptr<Resolver::Lookup> Resolver::start(const std::string& name) {
  auto lookup = std::make_shared<Lookup>(*this, name);
  lookups_[name] = lookup;
  ++queries_;
  ares_addrinfo_hints hints{};
  hints.ai_family = options_.ipv6 ? AF_UNSPEC : AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  const auto callback = [](void* context, int status, int, ares_addrinfo* info) {
    auto& done = *static_cast<Lookup*>(context);
    done.resolver.answered(done, status, info);
    if (info != nullptr) ares_freeaddrinfo(info);
  };
  // /etc/hosts and errors call back at once: the lookup is then answered before anybody waits.
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, callback, lookup.get());
  set_timer();
  return lookup;
}

void Resolver::answered(Lookup& lookup, int status, const ares_addrinfo* info) {
  if (closing_) return;
  const auto found = lookups_.find(lookup.name);
  const std::shared_ptr<Lookup> kept = found->second;  // `lookup`, for as long as it is touched here
  lookup.answer = answer_of(lookup.name, status, info);
  remember(lookup.name, *lookup.answer);
  if (!lookup.waiters.empty()) finished_.push_back(found->second);
  lookups_.erase(found);
}

Result<Resolved> Resolver::answer_of(const std::string& name, int status, const ares_addrinfo* info) const {
  if (status != ARES_SUCCESS) {
    const ErrorKind kind = status == ARES_ETIMEOUT ? ErrorKind::timeout : ErrorKind::resolve;
    return fail(kind, "no address for " + name + ": " + ares_strerror(status), Fault::peer);
  }
  Resolved resolved;
  std::optional<Duration> ttl;
  for (const ares_addrinfo_node* node = info->nodes; node != nullptr; node = node->ai_next) {
    const auto endpoint = Endpoint::from_sockaddr(node->ai_addr);
    if (!endpoint || resolved.addresses.size() >= addresses_max) continue;
    resolved.addresses.push_back(endpoint->address);
    const Duration this_ttl = std::chrono::seconds(std::max(node->ai_ttl, 0));
    ttl = ttl ? std::min(*ttl, this_ttl) : this_ttl;
  }
  if (resolved.addresses.empty()) return fail(ErrorKind::resolve, "no address for " + name, Fault::peer);
  std::sort(resolved.addresses.begin(), resolved.addresses.end());
  const auto last = std::unique(resolved.addresses.begin(), resolved.addresses.end());
  resolved.addresses.erase(last, resolved.addresses.end());
  resolved.ttl = std::clamp(options_.valid.value_or(*ttl), ttl_min, ttl_max);
  return resolved;
}

void Resolver::remember(const std::string& name, const Result<Resolved>& answer) {
  if (options_.cache_max == 0) return;
  if (cache_.size() >= options_.cache_max && !cache_.contains(name)) {
    std::erase_if(cache_, [&](const auto& entry) { return entry.second.until <= loop_.now(); });
    if (cache_.size() >= options_.cache_max) {
      cache_.erase(std::min_element(cache_.begin(), cache_.end(), [](const auto& a, const auto& b) {
        return a.second.until < b.second.until;
      }));
    }
  }
  cache_.insert_or_assign(name, Entry{answer, loop_.now() + (answer ? answer->ttl : failure_kept)});
}

}  // namespace sluice::net
