// SPDX-License-Identifier: Apache-2.0
#include "plugin/compression.h"

#include "base/text.h"

namespace sluice::plugin {
namespace {

using http::HeaderId;
using Then = Compressor::Then;

// Compresses what passes. When nothing more is there yet, what was taken so far goes out first, so that a
// stream of events is not held back.
class CompressedBody final : public http::Body {
 public:
  CompressedBody(http::Body& inner, std::unique_ptr<Compressor> compressor)
      : inner_(inner), compressor_(std::move(compressor)) {}

  async::Task<Result<std::string_view>> next() override {
    out_.clear();
    while (out_.empty() && !ended_) {
      if (!pulled_)
        pulled_.emplace(inner_.ended() ? async::Task<Result<std::string_view>>(at_end()) : inner_.next());
      if (held_ && !pulled_->await_ready()) {
        compressor_->add({}, Then::pause, out_);
        held_ = false;
        if (!out_.empty()) break;
      }
      auto pulled = std::move(*pulled_);
      pulled_.reset();
      auto piece = co_await pulled;
      if (!piece) co_return piece;
      ended_ = piece->empty() || inner_.ended();
      compressor_->add(*piece, ended_ ? Then::end : Then::more, out_);
      held_ = !ended_;
    }
    co_return Result<std::string_view>(std::string_view(out_));
  }
  bool ended() const override { return ended_; }
  const http::Headers* trailers() const override { return inner_.trailers(); }

 private:
  static Result<std::string_view> at_end() { return std::string_view(); }

  http::Body& inner_;
  std::unique_ptr<Compressor> compressor_;
  std::optional<async::Task<Result<std::string_view>>> pulled_;
  std::string out_;
  bool held_ = false;  // bytes were taken that did not come out yet
  bool ended_ = false;
};

// A coded body is another representation, though it says the same (RFC 9110 §8.8.3.3).
void weaken_etag(http::Headers& headers) {
  const auto* etag = headers.find(HeaderId::etag);
  if (etag == nullptr || etag->value.starts_with("W/")) return;
  const std::string_view value = etag->value;
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') headers.remove(HeaderId::etag);
  else headers.set(HeaderId::etag, "ETag", headers.arena().join("W/", value));
}

}  // namespace

void CompressionConfig::describe(json::Fields& field) {
  field("types", types, "Content types to compress; \"*\" is any.");
  field("min_length", min_length,
        "Bytes from which on a response is compressed; one of unknown length always is.")
      .at_least(1);
  field("http_version", http_version, "The least version of HTTP a client speaks.").one_of({1.1, 1.0});
  field("vary", vary, "Adds \"Vary: Accept-Encoding\".");
  if (!field.reading()) return;
  const auto* list = std::get_if<std::vector<std::string>>(&types);
  const auto* word = std::get_if<std::string>(&types);
  field.check(word == nullptr || *word == "*", "types", "must be a list of content types or \"*\"",
              "object matches none of the required");
  field.check(list == nullptr || !list->empty(), "types", "is empty: name a content type",
              "expect array to have at least 1 items");
}

bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
  std::optional<bool> named, any;
  for (const std::string_view item : Split(accept_encoding, ',')) {
    const std::size_t semicolon = item.find(';');
    const std::string_view name = trim(item.substr(0, semicolon));
    bool wanted = true;
    if (semicolon != std::string_view::npos) {
      const std::string_view weight = trim(item.substr(semicolon + 1));
      if (weight.starts_with("q=") || weight.starts_with("Q=")) {
        const auto number = parse_number(weight.substr(2));
        wanted = number && *number > 0;
      }
    }
    if (equals_ignoring_case(name, coding)) named = wanted;
    else if (name == "*") any = wanted;
  }
  return named.value_or(any.value_or(false));
}

Compression::Compression(std::string_view coding, const CompressionConfig& config, Make make)
    : coding_(coding),
      any_type_(std::holds_alternative<std::string>(config.types)),
      min_length_(config.min_length),
      minor_version_(config.http_version < 1.05 ? 0 : 1),
      vary_(config.vary),
      make_(std::move(make)) {
  if (any_type_) return;
  for (const std::string& type : std::get<std::vector<std::string>>(config.types))
    types_.insert(lowered(type));
}

bool Compression::applies(const Exchange& x) const {
  const http::Response& response = x.response;
  const auto& headers = response.headers;
  const bool has_body = response.body != nullptr || !response.content.empty();
  if (!has_body || x.request.method_id == http::Method::head || response.status < 200 ||
      response.status == 204 || response.status == 206 || response.status == 304)
    return false;
  if (headers.has(HeaderId::content_encoding) || x.request.minor_version < minor_version_) return false;
  if (headers.has(HeaderId::cache_control) &&
      contains_ignoring_case(*headers.joined("Cache-Control"), "no-transform"))
    return false;  // RFC 9110 §7.7
  const std::string_view type = headers.get(HeaderId::content_type);
  if (type.empty() || (!any_type_ && !types_.contains(lowered(trim(type.substr(0, type.find(';')))))))
    return false;
  const std::int64_t length = response.body == nullptr ? static_cast<std::int64_t>(response.content.size())
                                                       : response.content_length;
  if (length >= 0 && static_cast<std::uint64_t>(length) < min_length_) return false;
  return accepts_coding(x.request.headers.get(HeaderId::accept_encoding), coding_);
}

bool Compression::announce(Exchange& x) const {
  auto& headers = x.response.headers;
  if (!applies(x)) return false;
  if (vary_) headers.add("Vary", "Accept-Encoding");
  headers.set(HeaderId::content_encoding, "Content-Encoding", coding_);
  headers.remove(HeaderId::content_length);
  headers.remove(HeaderId::accept_ranges);
  weaken_etag(headers);
  return true;
}

void CompressingPlugin::response(Exchange& x) const {
  x.state<Seen>(*this).compressed = compression_.announce(x);
}

void CompressingPlugin::body(Exchange& x) const {
  const auto* seen = x.existing_state<Seen>(*this);
  if (seen != nullptr && seen->compressed) compression_.compress(x);
}

void Compression::compress(Exchange& x) const {
  http::Response& response = x.response;
  if (response.body == nullptr) {
    std::string out;
    make_(static_cast<std::int64_t>(response.content.size()))->add(response.content, Then::end, out);
    response.content = x.arena.copy(out);
  } else {
    response.body = x.arena.make<CompressedBody>(*response.body, make_(response.content_length));
  }
  response.content_length = http::unknown_length;
}

}  // namespace sluice::plugin
