// SPDX-License-Identifier: Apache-2.0
// A client's side of a TLS handshake, from its hello on, into a whole gateway in memory that has certificates
// for some names, one of them for clients that show one: what arrives is cut into pieces. Nothing may crash,
// hang or stay behind, and an honest client is served afterwards.
#include <algorithm>
#include <cstdlib>

#include "base/log.h"
#include "gateway/memory_gateway.h"
#include "net/tls_front.h"

namespace {

using namespace sluice;
using gateway::MemoryGateway;

// Signed by itself, for a.test and *.b.test; JSON's line breaks.
constexpr std::string_view certificate =
    R"(-----BEGIN CERTIFICATE-----\n)"
    R"(MIIBljCCATygAwIBAgIUFLVMgmm96exYyph88LfYGacT7ZowCgYIKoZIzj0EAwIw\n)"
    R"(ETEPMA0GA1UEAwwGYS50ZXN0MCAXDTI2MTEyODA4NTYxNloYDzIxMjYxMTA0MDg1\n)"
    R"(NjE2WjARMQ8wDQYDVQQDDAZhLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n)"
    R"(AASc7MgPwxJHu3GRJlAJclGm/C2dYIVNdNASzthWEA1Hk6wnxguAfNW8Fb/XKovz\n)"
    R"(Veoi2BhJQWxMRnzmYKNZEpwxo3AwbjAdBgNVHQ4EFgQUEQyIQ1+ol2ojYoB1tc94\n)"
    R"(mtM/oJAwHwYDVR0jBBgwFoAUEQyIQ1+ol2ojYoB1tc94mtM/oJAwDwYDVR0TAQH/\n)"
    R"(BAUwAwEB/zAbBgNVHREEFDASggZhLnRlc3SCCCouYi50ZXN0MAoGCCqGSM49BAMC\n)"
    R"(A0gAMEUCIELOPzSJG9FHfhqDspGI4UTxKJI11S3YUhWzh1md23A1AiEAqmHUXfmm\n)"
    R"(VyO9HPc5JyGYol2z9RUK0OKD+4lENH2uw18=\n)"
    R"(-----END CERTIFICATE-----\n)";
constexpr std::string_view key =
    R"(-----BEGIN PRIVATE KEY-----\n)"
    R"(MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaJ7XKLwFDrtpX0ng\n)"
    R"(6tI1GHWukU+VmnWikRQ/ljQG4gShRANCAASc7MgPwxJHu3GRJlAJclGm/C2dYIVN\n)"
    R"(dNASzthWEA1Hk6wnxguAfNW8Fb/XKovzVeoi2BhJQWxMRnzmYKNZEpwx\n)"
    R"(-----END PRIVATE KEY-----\n)";

std::string ssl_for(std::string_view names, std::string_view more = "") {
  return R"({"snis": )" + std::string(names) + R"(, "cert": ")" + std::string(certificate) +
         R"(", "key": ")" + std::string(key) + "\"" + std::string(more) + "}";
}

struct Secure {
  Secure() {
    log::set_level(log::Level::emerg);
    for (const bool tickets : {false, true}) {
      auto front = net::TlsFront::make({.protocols = {}, .ciphers = "", .tickets = tickets});
      const bool listens =
          front && gateway.worker->listen({place(tickets), true}, {}, std::move(*front)).has_value();
      if (!listens) std::abort();
    }
    const bool held = gateway.put("ssls/1", ssl_for(R"(["a.test"])")) &&
                      gateway.put("ssls/2", ssl_for(R"(["*.b.test"])")) &&
                      gateway.put("ssls/3", ssl_for(R"(["c.test"])", R"(, "ssl_protocols": ["TLSv1.2"])")) &&
                      gateway.put("ssls/4", ssl_for(R"(["d.test"])", R"(, "client": {"ca": ")" +
                                                                         std::string(certificate) + R"("})"));
    if (!held) std::abort();
  }
  static Endpoint place(bool tickets) {
    return {IpAddress::loopback(), static_cast<std::uint16_t>(tickets ? 9444 : 9443)};
  }
  MemoryGateway gateway;
};

// The handshake of a client that means it.
bool serves(MemoryGateway& gateway, Endpoint at) {
  static const auto context = *net::TlsContext::client({.verify = false, .authorities = "", .roots = nullptr,
                                                        .certificate = "", .key = ""});
  bool secured = false;
  gateway.loop.spawn([](MemoryGateway& g, Endpoint to, bool& done) -> async::Task<> {
    auto stream = co_await g.network.connect(g.loop, to, never);
    if (!stream) co_return;
    auto connecting = net::tls_connect(context, std::move(*stream), "x.b.test", never);
    const auto secure = co_await connecting;
    done = secure.has_value();
  }(gateway, at, secured));
  gateway.settle();
  return secured;
}

}  // namespace

// The first byte says how the rest is cut, and whether tickets or sessions are kept.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  static Secure& secure = *new Secure;
  MemoryGateway& gateway = secure.gateway;
  const std::size_t cut = 1 + (data[0] >> 1) * 4u;
  const Endpoint at = Secure::place((data[0] & 1) != 0);
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  {
    auto client = gateway.connect(at);
    while (!bytes.empty()) {
      client.send(bytes.substr(0, cut));
      bytes.remove_prefix(std::min(cut, bytes.size()));
      client.received();
    }
    gateway.pass(1s);
    client.half_close();
    client.received();
  }
  gateway.pass(2min);
  if (gateway.worker->counters.active != 0) std::abort();  // somebody stayed behind
  static std::size_t inputs = 0;
  constexpr std::size_t honest_every = 64;
  if (inputs++ % honest_every == 0 && !serves(gateway, at)) std::abort();
  gateway.pass(2min);
  return 0;
}
