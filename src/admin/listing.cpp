// SPDX-License-Identifier: Apache-2.0
#include "admin/listing.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/regex.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Value;
constexpr std::size_t slice = 1000;

// What a list is asked to leave out.
class Filter {
 public:
  static Result<Filter> make(const Arguments& arguments, const model::Resource& resource) {
    Filter filter;
    auto compile = [&](std::string_view name, Regex& regex) -> Result<> {
      const auto* text = arguments.find(name);
      if (!text) return {};
      auto compiled = Regex::compile(*text);
      if (!compiled) {
        return fail(ErrorKind::protocol, fmt::format("invalid argument {}: {}", name, compiled.error().what));
      }
      regex = std::move(*compiled);
      filter.active_ = true;
      return {};
    };
    if (auto good = compile("name", filter.name_); !good) return std::unexpected(good.error());
    if (auto good = compile("uri", filter.uri_); !good) return std::unexpected(good.error());
    if (const auto* label = arguments.find("label")) filter.label_ = *label, filter.active_ = true;
    if (const auto* exact = arguments.find("filter")) filter.add_exact(*exact, resource);
    return filter;
  }

  bool active() const { return active_; }

  bool admits(const Value& value) const {
    if (name_ && !matches(name_, value.find("name"))) return false;
    if (uri_ && !admits_uri(value)) return false;
    if (label_) {
      const Value* labels = value.find("labels");
      if (!labels || !labels->find(*label_)) return false;
    }
    return std::ranges::all_of(exact_, [&](const auto& wanted) {
      const Value* member = value.find(wanted.first);
      if (!member) return false;
      return member->is_string() ? member->as_string() == wanted.second
                                 : json::dump(*member) == wanted.second;
    });
  }

 private:
  static bool matches(const Regex& regex, const Value* text) {
    return text && text->is_string() && regex.match(text->as_string()) == Regex::Outcome::match;
  }

  bool admits_uri(const Value& value) const {
    if (matches(uri_, value.find("uri"))) return true;
    const Value* uris = value.find("uris");
    if (!uris || !uris->is_array()) return false;
    return std::ranges::any_of(uris->as_array(), [&](const Value& uri) { return matches(uri_, &uri); });
  }

  // Only fields marked `.filter()` count; others are ignored, as APISIX does. Of a repeated one the last
  // counts.
  void add_exact(std::string_view text, const model::Resource& resource) {
    auto schema = resource.schema();
    auto wanted = Arguments::parse(text);
    for (const auto& [name, value] : wanted.all()) {
      const Value* field = json::at_pointer(schema, "/properties/" + json::pointer_segment(name));
      if (!field || !field->find("x-filter")) continue;
      std::erase_if(exact_, [&](const auto& known) { return known.first == name; });
      exact_.emplace_back(name, value);
      active_ = true;
    }
  }

  Regex name_, uri_;
  std::optional<std::string> label_;
  std::vector<std::pair<std::string, std::string>> exact_;
  bool active_ = false;
};

// `page` and `page_size`, which count only together.
struct Paging {
  bool active = false;
  std::size_t page = 1, size = 0;
  bool bad = false;

  static Paging of(const Arguments& arguments) {
    Paging paging;
    const auto* page = arguments.find("page");
    const auto* size = arguments.find("page_size");
    auto number = page ? parse_number(*page) : std::nullopt;
    auto size_number = size ? parse_number(*size) : std::nullopt;
    if (!number || !size_number) return paging;
    paging.active = true;
    paging.bad = *size_number < 10 || *size_number > 500;
    if (paging.bad) return paging;
    paging.size = static_cast<std::size_t>(*size_number);
    paging.page = static_cast<std::size_t>(std::clamp(*number, 1.0, 1e9));
    return paging;
  }
};

bool admitted(const Filter& filter, const store::Entry& entry) {
  if (!filter.active()) return true;
  auto value = json::parse(entry.value);
  return value && filter.admits(*value);
}

// One page, in the order of creation. `found` is every entry that passed the filter.
async::Task<http::Reply> reply_with_page(store::Store& store, Paging paging,
                                         std::vector<std::pair<store::Revision, std::string>> found) {
  std::ranges::sort(found);
  std::string text = R"({"list":[)";
  bool first = true;
  auto from = (paging.page - 1) * paging.size;
  for (std::size_t i = from; i < std::min(found.size(), from + paging.size); ++i) {
    auto entry = co_await store.get(found[i].second);
    if (!entry) co_return error_reply(503, entry.error().what);
    if (!*entry) continue;
    if (!std::exchange(first, false)) text += ',';
    append_entry(text, **entry);
  }
  co_return json_text_reply(200, text + fmt::format("],\"total\":{}}}", found.size()));
}

}  // namespace

std::string shown(const model::Resource* resource, const std::string& text, Hidden hidden) {
  if (!resource || resource->hidden[0].empty()) return text;
  auto value = json::parse(text);
  if (!value) return "null";
  for (const auto member : resource->hidden) {
    json::Value* secret = value->find(member);
    if (!secret) continue;
    if (hidden == Hidden::left_out) value->erase(member);
    else if (!secret->is_array()) *secret = "***";
    else std::ranges::fill(secret->as_array(), json::Value("***"));
  }
  return json::dump(*value);
}

void append_entry(std::string& out, const store::Entry& entry) {
  append_entry(out, entry, shown(model::split_key(entry.key).resource, entry.value, Hidden::left_out));
}

void append_entry(std::string& out, const store::Entry& entry, std::string_view value) {
  out.append(R"({"key":)");
  json::append_quoted(out, entry.key);
  out.append(R"(,"value":)").append(value);
  out.append(fmt::format(",\"createdIndex\":{},\"modifiedIndex\":{}}}", entry.created, entry.modified));
}

async::Task<http::Reply> list_resources(store::Store& store, Call call) {
  const auto& resource = *call.place.resource;
  auto paging = Paging::of(call.arguments);
  if (paging.bad) co_return text_reply(400, "page_size must be between 10 and 500");
  auto filter = Filter::make(call.arguments, resource);
  if (!filter) co_return error_reply(400, filter.error().what);
  std::string text = R"({"list":[)";
  std::size_t total = 0;
  std::vector<std::pair<store::Revision, std::string>> found;
  auto prefix = model::key_of(resource, call.place.above);
  std::string after;
  bool any = false;
  for (bool more = true; more;) {
    auto page = co_await store.list(prefix, after, slice);
    if (!page) co_return error_reply(503, page.error().what);
    more = page->more;
    if (more) after = page->entries.back().key;
    for (const auto& entry : page->entries) {
      if (model::split_key(entry.key).resource != &resource) continue;  // what belongs to one of them
      any = true;
      if (!admitted(*filter, entry)) continue;
      if (paging.active) {
        found.emplace_back(entry.created, entry.key);
        continue;
      }
      if (total++ > 0) text += ',';
      append_entry(text, entry);
    }
  }
  if (!any && !resource.under.empty()) co_return json_text_reply(404, R"({"message":"Key not found"})");
  if (!paging.active) co_return json_text_reply(200, text + fmt::format("],\"total\":{}}}", total));
  auto reply = co_await reply_with_page(store, paging, std::move(found));
  co_return reply;
}

}  // namespace sluice::admin
