// SPDX-License-Identifier: Apache-2.0
#include "plugin/tls_variables.h"

#include <algorithm>
#include <array>

#include "net/tls_facts.h"
#include "plugin/exchange.h"

namespace sluice::plugin {
namespace {

using Client = net::TlsFacts::Client;
using Value = Variable::Value;

template <class Text>
Value kept(Exchange& x, const Text& text) {
  return text.empty() ? Value() : Value(x.arena.copy(text));
}

Value read_client(Exchange& x, const Variable& variable) {
  return x.tls == nullptr ? Value() : kept(x, x.tls->client(static_cast<Client>(variable.number())));
}

// nginx's $ssl_client_cert: lines behind the first begin with a tab, so that the whole fits a header field.
Value read_folded_certificate(Exchange& x, const Variable&) {
  if (x.tls == nullptr) return std::nullopt;
  const std::string pem = x.tls->client(Client::certificate);
  std::string folded;
  for (std::size_t i = 0; i < pem.size(); ++i) {
    folded += pem[i];
    if (pem[i] == '\n' && i + 1 < pem.size()) folded += '\t';
  }
  if (folded.ends_with('\n')) folded.pop_back();
  return kept(x, folded);
}

Value read_escaped_certificate(Exchange& x, const Variable&) {
  if (x.tls == nullptr) return std::nullopt;
  constexpr char digits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : x.tls->client(Client::certificate)) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
    if (plain) {
      escaped += c;
    } else {
      escaped += '%';
      escaped += digits[static_cast<unsigned char>(c) >> 4];
      escaped += digits[static_cast<unsigned char>(c) & 15];
    }
  }
  return kept(x, escaped);
}

Value read_nothing(Exchange&, const Variable&) { return std::nullopt; }

struct Entry {
  std::string_view name;
  Variable::Read read;
  Client field = Client::subject;  // of read_client
};

// Captureless lambdas become plain functions: one line a variable.
#define SLUICE_VARIABLE(name, expression)                                                             \
  Entry {                                                                                             \
    name, [](Exchange& x, const Variable&) -> Value { return x.tls ? kept(x, expression) : Value(); } \
  }

constexpr std::array entries = {
    SLUICE_VARIABLE("ssl_protocol", x.tls->protocol()),
    SLUICE_VARIABLE("ssl_cipher", x.tls->cipher()),
    SLUICE_VARIABLE("ssl_server_name", x.tls->server_name()),
    SLUICE_VARIABLE("ssl_alpn_protocol", x.tls->application_protocol()),
    SLUICE_VARIABLE("ssl_session_id", x.tls->session_id()),
    SLUICE_VARIABLE("ssl_session_reused", std::string_view(x.tls->resumed() ? "r" : ".")),
    SLUICE_VARIABLE("ssl_client_verify", x.tls->client_verify()),
    Entry{"ssl_client_s_dn", read_client, Client::subject},
    Entry{"ssl_client_i_dn", read_client, Client::issuer},
    Entry{"ssl_client_serial", read_client, Client::serial},
    Entry{"ssl_client_fingerprint", read_client, Client::fingerprint},
    Entry{"ssl_client_raw_cert", read_client, Client::certificate},
    Entry{"ssl_client_v_start", read_client, Client::valid_from},
    Entry{"ssl_client_v_end", read_client, Client::valid_until},
    Entry{"ssl_client_v_remain", read_client, Client::days_left},
    Entry{"ssl_client_cert", read_folded_certificate},
    Entry{"ssl_client_escaped_cert", read_escaped_certificate},
};
#undef SLUICE_VARIABLE

}  // namespace

Variable find_tls_variable(std::string_view name) {
  const auto* found = std::ranges::find(entries, name, &Entry::name);
  if (found == entries.end()) return Variable(read_nothing);
  return Variable(found->read, {}, static_cast<std::uint32_t>(found->field));
}

}  // namespace sluice::plugin
