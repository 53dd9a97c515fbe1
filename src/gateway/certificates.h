// SPDX-License-Identifier: Apache-2.0
// The certificates that clients are shown, by the name they ask for: exact names first, then wildcards, the
// longest first, each for one label, then "*". Immutable versions for snapshots; the book they are made from
// is the compiler's. Control thread; a version is read by workers.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/persistent_map.h"
#include "base/regex.h"
#include "base/result.h"
#include "model/tls.h"
#include "net/tls.h"

namespace sluice::gateway {

// An ssl of type server, compiled.
struct Certificate {
  std::string id;
  std::vector<std::string> names;  // in lower case
  std::shared_ptr<const net::TlsContext> context;
  std::vector<Regex> unasked;      // paths for which a client needs no certificate

  bool asks_clients() const { return !context->client_domain().empty(); }
};

struct CertificateDefaults {
  std::vector<std::string> protocols;  // empty: TLS 1.2 and 1.3
  std::string ciphers;                 // "": OpenSSL's
  bool http2 = false;
};
Result<std::shared_ptr<const Certificate>> make_certificate(std::string id, const model::Ssl& written,
                                                            const CertificateDefaults& defaults);

class CertificateNames {
 public:
  // `name` is in lower case; null when no certificate is for it.
  const std::shared_ptr<const Certificate>* find(std::string_view name) const;
  // Whether any of them asks clients for certificates.
  bool any_asks() const { return asking_ > 0; }
  std::size_t size() const { return by_name_.size(); }

 private:
  friend class CertificateBook;
  PersistentMap<std::shared_ptr<const Certificate>> by_name_;
  std::size_t asking_ = 0;
};

// Several ssls may name the same host: the one written last is shown, the one before comes back when that
// goes.
class CertificateBook {
 public:
  void add(const std::shared_ptr<const Certificate>& certificate, std::int64_t revision);
  void remove(const std::shared_ptr<const Certificate>& certificate);
  const CertificateNames& names() const { return names_; }

 private:
  struct Claim {
    std::shared_ptr<const Certificate> certificate;
    std::int64_t revision;
  };
  void settle(const std::string& name);

  std::unordered_map<std::string, std::vector<Claim>> claims_;
  CertificateNames names_;
};

}  // namespace sluice::gateway
