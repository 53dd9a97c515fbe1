// SPDX-License-Identifier: Apache-2.0
#include "main/seals.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/cipher.h"
#include "base/log.h"
#include "base/text.h"
#include "json/text.h"
#include "model/secret_reference.h"

namespace sluice::main {
namespace {

using json::Value;
using plugin::SecretPlaces;
using Of = SecretPlaces::Of;
using Then = SecretPlaces::Then;

constexpr std::array<std::string_view, 2> published{"qeddd145sfvddff3", "edd1c9f0985e76a2"};
constexpr std::string_view sealed_opening = "$sealed:";
constexpr std::size_t vector_bytes = 16;

// `value` with what `visit` makes of its secrets; as it is when it has none or is no JSON.
std::string with_secrets(const SecretPlaces& places, std::string_view key, std::string value,
                         const SecretPlaces::Visit& visit) {
  const auto parts = model::split_key(key);
  if (parts.resource == nullptr || !places.may_be_in(*parts.resource, parts.id, value)) return value;
  auto body = json::parse(value);
  if (!body) return value;
  places.visit(*parts.resource, parts.id, *body, visit);
  return json::dump(*body);
}

// ---- the embedded store ----

class Sealer {
 public:
  Sealer(const SecretPlaces& places, DataKeys keys, bool enabled)
      : places_(&places), keys_(std::move(keys)), enabled_(enabled) {}

  std::string close(std::string_view key, std::string value) const {
    if (!enabled_) return value;
    return with_secrets(*places_, key, std::move(value), [&](std::string& text, const std::string& path, Of) {
      text = closed(key, path, text);
      return Then::keep;
    });
  }

  std::string open(std::string_view key, std::string value, json::Problems& problems) const {
    if (value.find(sealed_opening) == value.npos) return value;
    return with_secrets(*places_, key, std::move(value), [&](std::string& text, const std::string& path, Of) {
      auto opened = this->opened(key, path, text);
      if (!opened) {
        problems.push_back({path, opened.error().what, {}});
        return Then::erase;
      }
      text = std::move(*opened);
      return Then::keep;
    });
  }

  // What cannot be opened stays as it is.
  std::string close_again(std::string_view key, std::string value) const {
    return with_secrets(*places_, key, std::move(value), [&](std::string& text, const std::string& path, Of) {
      if (enabled_ && text.starts_with(opening_of(keys_.current()))) return Then::keep;
      auto opened = this->opened(key, path, text);
      if (opened) text = enabled_ ? closed(key, path, *opened) : std::move(*opened);
      return Then::keep;
    });
  }

  DataKeys& keys() { return keys_; }

 private:
  static std::string opening_of(const DataKeys::Key& key) {
    return std::string(sealed_opening).append(key.id).append(":");
  }
  static std::string context(std::string_view key, const std::string& path) {
    return std::string(key).append(" ").append(path);
  }
  std::string closed(std::string_view key, const std::string& path, const std::string& text) const {
    std::string sealed = opening_of(keys_.current());
    base64_encode(seal(keys_.current().bytes, context(key, path), text), sealed);
    return sealed;
  }
  Result<std::string> opened(std::string_view key, const std::string& path, const std::string& text) const {
    if (!text.starts_with(sealed_opening)) return text;  // written before there were keys, or without them
    const std::string_view rest = std::string_view(text).substr(sealed_opening.size());
    const auto colon = std::min(rest.find(':'), rest.size());
    const auto* with = keys_.find(rest.substr(0, colon));
    if (with == nullptr) {
      return fail(ErrorKind::not_found,
                  fmt::format("is sealed with the key {}, which is not in {}: put that file of the same time "
                              "back, or write the secret again",
                              rest.substr(0, colon), keys_.path()));
    }
    std::string bytes;
    const bool coded = colon < rest.size() && base64_decode(rest.substr(colon + 1), bytes);
    auto plain = coded ? unseal(with->bytes, context(key, path), bytes) : std::nullopt;
    if (!plain)
      return fail(ErrorKind::protocol,
                  "does not open: it is damaged or was moved from elsewhere; write the secret again");
    return std::move(*plain);
  }

  const SecretPlaces* places_;
  DataKeys keys_;
  bool enabled_;
};

class DataKeySeal final : public store::Seal {
 public:
  explicit DataKeySeal(Sealer sealer) : sealer_(std::move(sealer)) {}
  std::string close(std::string_view key, std::string value) const override {
    return sealer_.close(key, std::move(value));
  }
  std::string open(std::string_view key, std::string value, json::Problems& problems) const override {
    return sealer_.open(key, std::move(value), problems);
  }
  Result<> take_new_key() override { return sealer_.keys().add_new(); }
  store::Resealer resealer() const override {
    return [sealer = sealer_](std::string_view key, std::string value) {
      return sealer.close_again(key, std::move(value));
    };
  }
  Result<> forget_old_keys() override { return sealer_.keys().keep_current_only(); }

 private:
  Sealer sealer_;
};

// ---- etcd ----

class KeyringSeal final : public store::Seal {
 public:
  KeyringSeal(const SecretPlaces& places, EncryptionSettings settings)
      : places_(places), settings_(std::move(settings)) {}

  std::string close(std::string_view key, std::string value) const override {
    if (settings_.keyring.empty()) return value;
    return with_secrets(places_, key, std::move(value), [&](std::string& text, const std::string&, Of of) {
      if (!is_encrypted(key, of)) return Then::keep;
      if (of == Of::resource && !is_pem(text)) return Then::keep;
      const std::string& with = settings_.keyring.front();
      const auto bytes = encrypt_cbc(with, vector_of(with), text);
      text.clear();
      base64_encode(bytes, text);
      return Then::keep;
    });
  }

  std::string open(std::string_view key, std::string value, json::Problems& problems) const override {
    return with_secrets(places_, key, std::move(value),
                        [&](std::string& text, const std::string& path, Of of) {
                          if (!is_encrypted(key, of)) return Then::keep;
                          if (of == Of::resource && (is_pem(text) || model::is_secret_reference(text)))
                            return Then::keep;
                          if (decrypt(text, of)) return Then::keep;
                          problems.push_back(
                              {path,
                               "decrypts with no key of apisix/data_encryption/keyring: add the "
                               "key it was written with, or, also when it stands in plain, "
                               "write the secret again",
                               {}});
                          return Then::erase;
                        });
  }

  Result<> take_new_key() override {
    return fail(
        ErrorKind::system,
        "secrets in etcd are encrypted with apisix/data_encryption/keyring, which every node has: write "
        "a new key before the others there, on all nodes, and reload; what is written from then on is "
        "encrypted with it");
  }
  store::Resealer resealer() const override {
    return [](std::string_view, std::string value) { return value; };
  }
  Result<> forget_old_keys() override { return {}; }

 private:
  static std::string_view vector_of(std::string_view key) { return key.substr(0, vector_bytes); }
  static bool is_pem(std::string_view text) { return text.starts_with("---"); }
  // APISIX reads tokens of secret managers as they are.
  bool is_encrypted(std::string_view key, Of of) const {
    if (of == Of::plugin) return settings_.enabled;
    return model::split_key(key).resource->path != "secrets";
  }

  // False when `text` is encrypted and no key fits.
  bool decrypt(std::string& text, Of of) const {
    std::string bytes;
    const bool coded = base64_decode(text, bytes) && !bytes.empty() && bytes.size() % vector_bytes == 0;
    if (!coded) return of == Of::plugin;
    const auto try_key = [&](std::string_view key) {
      auto plain = decrypt_cbc(key, vector_of(key), bytes);
      if (!plain || !is_text(*plain)) return false;
      text = std::move(*plain);
      return true;
    };
    if (std::ranges::any_of(settings_.keyring, try_key)) return true;
    if (std::ranges::any_of(published, try_key)) return warn_of_published(), true;
    return of == Of::plugin && may_be_plain(text);
  }
  // By chance the padding is right with a wrong key, too.
  static bool is_text(const std::string& plain) { return json::parse(json::dump(plain)).has_value(); }
  // A secret of a plugin that somebody has written by hand, or before there was a keyring, and that looks
  // encrypted: without a keyring our own are such.
  bool may_be_plain(std::string_view text) const {
    return settings_.keyring.empty() ||
           std::ranges::all_of(text, [](char c) { return hex_digit(c) >= 0; });
  }
  void warn_of_published() const {
    if (std::exchange(warned_, true)) return;
    log::warn(
        "etcd holds secrets that are encrypted with a key that APISIX has published and everybody knows: "
        "write them again, with a key of your own in apisix/data_encryption/keyring");
  }

  const SecretPlaces& places_;
  EncryptionSettings settings_;
  mutable bool warned_ = false;
};

}  // namespace

bool is_published(std::string_view key) { return std::ranges::find(published, key) != published.end(); }

std::unique_ptr<store::Seal> seal_with_data_keys(const SecretPlaces& places, DataKeys keys, bool enabled) {
  return std::make_unique<DataKeySeal>(Sealer(places, std::move(keys), enabled));
}

std::unique_ptr<store::Seal> seal_with_keyring(const SecretPlaces& places, EncryptionSettings settings) {
  return std::make_unique<KeyringSeal>(places, std::move(settings));
}

}  // namespace sluice::main
