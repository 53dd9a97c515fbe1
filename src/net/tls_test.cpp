// SPDX-License-Identifier: Apache-2.0
// TLS over a network in memory, with certificates made here.
#include "net/tls.h"
#include "net/tls_front.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "async/child.h"
#include "net/certificate.h"
#include "net/loopback.h"

namespace sluice::net {
namespace {

struct Identity {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  std::string key_pem, certificate_pem;

  Identity() = default;
  Identity(const Identity&) = delete;
  ~Identity() {
    EVP_PKEY_free(key);
    X509_free(certificate);
  }
};

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

void extend(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// A key and its certificate for `names` ("DNS:a.test, IP:127.0.0.1"), signed by `issuer` or by itself; valid
// from `from` to `to` seconds from now.
void make(Identity& made, const std::string& names, const Identity* issuer = nullptr, long from = -60,
          long to = 3600) {
  made.key = EVP_EC_gen("P-256");
  made.certificate = X509_new();
  X509* certificate = made.certificate;
  X509_set_version(certificate, 2);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), to);
  X509_set_pubkey(certificate, made.key);
  X509_NAME* name = X509_get_subject_name(certificate);
  const std::string common = "test " + std::to_string(serial);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common.c_str()),
                             -1, -1, 0);
  X509_set_issuer_name(certificate,
                       issuer != nullptr ? X509_get_subject_name(issuer->certificate) : name);
  if (issuer == nullptr) extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
  if (!names.empty()) extend(certificate, NID_subject_alt_name, names);
  X509_sign(certificate, issuer != nullptr ? issuer->key : made.key, EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, made.key, nullptr, nullptr, 0, nullptr, nullptr);
  made.key_pem = text_of(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  made.certificate_pem = text_of(bio);
}

using Outcome = std::optional<Result<std::unique_ptr<Stream>>>;

async::Task<> keep(async::Task<Result<std::unique_ptr<Stream>>> task, Outcome& into) {
  auto outcome = co_await task;
  into.emplace(std::move(outcome));
}

async::Task<> write_all(Stream& stream, std::string text, bool& done) {
  const ssize_t written = co_await stream.write(text, 1s);
  EXPECT_EQ(written, 0);
  done = true;
}

class TlsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    authority = new Identity;
    server = new Identity;
    make(*authority, "");
    make(*server, "DNS:a.test, DNS:*.wild.test, IP:127.0.0.1", authority);
  }
  static void TearDownTestSuite() {
    delete server;
    delete authority;
  }

  void shake(const TlsContext::Server& of_server, const TlsContext::Client& of_client, std::string host) {
    auto accepting = TlsContext::server(of_server);
    auto connecting = TlsContext::client(of_client);
    ASSERT_TRUE(accepting) << accepting.error().what;
    ASSERT_TRUE(connecting) << connecting.error().what;
    auto [near, far] = network.pair(loop);
    const Instant deadline = loop.now() + 5s;
    loop.spawn(keep(tls_accept(*accepting, std::move(far), deadline), accepted));
    loop.spawn(keep(tls_connect(*connecting, std::move(near), std::move(host), deadline), connected));
    settle();
    ASSERT_TRUE(connected);
  }
  TlsContext::Server serving(const Identity& identity) const {
    return {.certificate = identity.certificate_pem, .key = identity.key_pem};
  }
  TlsContext::Client trusting() const { return {.authorities = authority->certificate_pem}; }
  void settle() {
    while (loop.run_once()) {
    }
  }

  static inline Identity *authority, *server;
  ManualClock clock;
  async::Loop loop{clock};
  Loopback network{4096};
  Outcome accepted, connected;
};

TEST_F(TlsTest, CarriesBytesBothWaysThroughNarrowPipes) {
  shake(serving(*server), trusting(), "a.test");
  ASSERT_TRUE(*connected) << connected->error().what;
  ASSERT_TRUE(*accepted) << accepted->error().what;
  Stream &here = ***connected, &there = ***accepted;
  EXPECT_TRUE(here.secure());
  std::string sent(100'000, 'x'), got;
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i % 26);
  bool done = false;
  async::Child writing;
  writing.start(write_all(here, sent, done));
  char bytes[1000];
  for (int i = 0; i < 10'000 && got.size() < sent.size(); ++i) {
    settle();
    const ssize_t count = there.try_read(bytes, sizeof bytes);
    if (count > 0) got.append(bytes, static_cast<std::size_t>(count));
  }
  EXPECT_TRUE(done);
  EXPECT_EQ(got, sent);
  here.shutdown_write();
  settle();
  EXPECT_EQ(there.try_read(bytes, sizeof bytes), 0);
}


TEST_F(TlsTest, AcceptsTheNamesOfTheCertificateAndNoOthers) {
  struct {
    const char* host;
    bool good;
  } cases[] = {{"a.test", true},      {"x.wild.test", true}, {"127.0.0.1", true}, {"b.test", false},
               {"wild.test", false},  {"x.y.wild.test", false}, {"127.0.0.2", false}};
  for (const auto& test : cases) {
    accepted.reset();
    connected.reset();
    shake(serving(*server), trusting(), test.host);
    EXPECT_EQ(connected->has_value(), test.good) << test.host;
    if (test.good) continue;
    EXPECT_EQ(connected->error().kind, ErrorKind::tls);
    EXPECT_NE(connected->error().what.find("mismatch"), std::string::npos) << connected->error().what;
  }
}

TEST_F(TlsTest, TrustsACertificateAsItIsWhenItIsPinned) {
  for (const bool pinned : {true, false}) {
    accepted.reset();
    connected.reset();
    shake(serving(*server), {.authorities = server->certificate_pem, .pinned = pinned}, "a.test");
    EXPECT_EQ(connected->has_value(), pinned);
  }
  accepted.reset();
  connected.reset();
  shake(serving(*server), {.authorities = server->certificate_pem, .pinned = true}, "b.test");
  EXPECT_FALSE(connected->has_value());  // the name still has to be one of its own
}

TEST_F(TlsTest, RefusesCertificatesNobodyVouchesFor) {
  Identity stranger, old, early;
  make(stranger, "DNS:a.test");
  make(old, "DNS:a.test", authority, -7200, -3600);
  make(early, "DNS:a.test", authority, 3600, 7200);
  struct {
    const Identity* identity;
    const char* why;
  } cases[] = {{&stranger, "self"}, {&old, "expired"}, {&early, "not yet valid"}};
  for (const auto& test : cases) {
    accepted.reset();
    connected.reset();
    shake(serving(*test.identity), trusting(), "a.test");
    ASSERT_FALSE(connected->has_value()) << test.why;
    EXPECT_NE(connected->error().what.find(test.why), std::string::npos) << connected->error().what;
    EXPECT_FALSE(connected->error().may_retry);
    accepted.reset();
    connected.reset();
    shake(serving(*test.identity), {.verify = false}, "b.test");
    EXPECT_TRUE(connected->has_value()) << test.why;
  }
}

TEST_F(TlsTest, AsksForAClientsCertificate) {
  Identity client, stranger;
  make(client, "DNS:client", authority);
  make(stranger, "DNS:client");
  TlsContext::Server of_server = serving(*server);
  of_server.client_authority = authority->certificate_pem;
  TlsContext::Client of_client = trusting();
  shake(of_server, of_client, "a.test");
  settle();
  ASSERT_TRUE(accepted);
  EXPECT_FALSE(accepted->has_value());
  for (const Identity* identity : {&client, &stranger}) {
    accepted.reset();
    connected.reset();
    of_client.certificate = identity->certificate_pem;
    of_client.key = identity->key_pem;
    shake(of_server, of_client, "a.test");
    EXPECT_EQ(accepted->has_value(), identity == &client);
  }
}

TEST_F(TlsTest, GivesUpInTime) {
  auto context = TlsContext::client(trusting());
  auto [near, far] = network.pair(loop);
  loop.spawn(keep(tls_connect(*context, std::move(near), "a.test", loop.now() + 5s), connected));
  settle();
  EXPECT_FALSE(connected);
  clock.advance(6s);
  settle();
  ASSERT_TRUE(connected);
  EXPECT_EQ(connected->error().kind, ErrorKind::timeout);
}

TEST_F(TlsTest, RefusesBytesThatAreNoTls) {
  auto context = TlsContext::server(serving(*server));
  auto [near, far] = network.pair(loop);
  loop.spawn(keep(tls_accept(*context, std::move(far), loop.now() + 5s), accepted));
  const std::string_view text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  near->try_write(&piece, 1);
  settle();
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->error().kind, ErrorKind::tls);
}

TEST_F(TlsTest, NamesWhatIsWrongWithItsFiles) {
  TlsContext::Server bad = serving(*server);
  bad.key = authority->key_pem;
  EXPECT_FALSE(TlsContext::server(bad));
  bad = serving(*server);
  bad.certificate = "nonsense";
  EXPECT_FALSE(TlsContext::server(bad));
  bad = serving(*server);
  bad.key = "";
  EXPECT_FALSE(TlsContext::server(bad));
  bad = serving(*server);
  bad.protocols = {"SSLv3"};
  EXPECT_FALSE(TlsContext::server(bad));
  EXPECT_FALSE(TlsContext::client({.authorities = "nonsense"}));
}

TEST_F(TlsTest, PairsAreToldFromWhatIsNone) {
  const std::string &certificate = server->certificate_pem, &key = server->key_pem;
  EXPECT_EQ(check_pair(certificate, key), PemFault::none);
  EXPECT_EQ(check_pair(certificate, authority->key_pem), PemFault::pair);
  EXPECT_EQ(check_pair("x", key), PemFault::certificate);
  EXPECT_EQ(check_pair(certificate, certificate), PemFault::key);
  EXPECT_EQ(check_pair(certificate, ""), PemFault::key);
  EXPECT_EQ(check_certificate(certificate), PemFault::none);
  EXPECT_EQ(check_certificate(key), PemFault::certificate);
}

TEST(TlsFront, NamesTheCipherThatIsNone) {
  const auto refusal = [](const char* ciphers) {
    const auto made = TlsFront::make({.protocols = {}, .ciphers = ciphers});
    return made ? std::string() : made.error().what;
  };
  EXPECT_EQ(refusal(""), "");
  EXPECT_EQ(refusal("TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"), "");
  EXPECT_TRUE(refusal("TLS_AES_128_GCM_SHA256:TLS_NO_SUCH").starts_with("'TLS_NO_SUCH' is no suite"));
  EXPECT_TRUE(refusal("ECDHE-NOTHING").starts_with("cipher list 'ECDHE-NOTHING'"));
}

}  // namespace
}  // namespace sluice::net
