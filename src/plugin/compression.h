// SPDX-License-Identifier: Apache-2.0
// What plugins that compress responses share: which responses, and how a body is compressed while it passes.
// A response is compressed when the client accepts the coding, its type is listed, it is long enough and not
// coded yet; then Content-Length goes, and a strong ETag becomes a weak one, as nginx has it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/compression.h"
#include "base/hash.h"
#include "json/choice.h"
#include "plugin/exchange.h"

namespace sluice::plugin {

using WrittenTypes = std::variant<std::string, std::vector<std::string>>;  // "*", or a list

struct CompressionConfig {
  WrittenTypes types = std::vector<std::string>{"text/html"};
  std::uint64_t min_length = 20;
  double http_version = 1.1;
  bool vary = false;

  void describe(json::Fields& field);
};

class Compression {
 public:
  using Make = std::function<std::unique_ptr<Compressor>(std::int64_t size_hint)>;  // -1: unknown
  Compression(std::string_view coding, const CompressionConfig& config, Make make);

  // In the response phase: whether it will be compressed; its head then says so.
  bool announce(Exchange& x) const;
  // In the body phase, of a response that was announced.
  void compress(Exchange& x) const;

 private:
  bool applies(const Exchange& x) const;

  std::string_view coding_;
  bool any_type_ = false;
  std::unordered_set<std::string, StringHash, std::equal_to<>> types_;
  std::uint64_t min_length_;
  int minor_version_;
  bool vary_;
  Make make_;
};

// A plugin that compresses responses, whatever with.
class CompressingPlugin : public Plugin {
 public:
  void response(Exchange& x) const override;
  void body(Exchange& x) const override;

 protected:
  CompressingPlugin(std::string_view coding, const CompressionConfig& config, Compression::Make make)
      : compression_(coding, config, std::move(make)) {}

 private:
  struct Seen {
    bool compressed = false;
  };
  Compression compression_;
};

// Whether an Accept-Encoding field lets the coding through (RFC 9110 §12.5.3).
bool accepts_coding(std::string_view accept_encoding, std::string_view coding);

}  // namespace sluice::plugin
