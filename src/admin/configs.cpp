// SPDX-License-Identifier: Apache-2.0
#include "admin/configs.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "admin/answers.h"
#include "admin/configs_check.h"
#include "json/text.h"
#include "store/config_file.h"

namespace sluice::admin {
namespace {

using json::Value;

constexpr std::string_view about_key = "/sluice/configs";
constexpr std::string_view digest_name = "X-Digest", modified_name = "X-Last-Modified";
constexpr int tries_max = 10;

// Kinds that stand at the top of a whole configuration.
std::vector<const model::Resource*> kinds() {
  std::vector<const model::Resource*> all;
  for (const auto& resource : model::resources()) {
    if (resource.under.empty()) all.push_back(&resource);
  }
  return all;
}

std::string version_name(std::string_view kind) { return std::string(kind).append(conf_version_suffix); }

std::int64_t number_of(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value && value->is_integer() ? value->as_int() : 0;
}

}  // namespace

// What the entries do not say: digest, time, versions, and of each kind its items in their order, as
// {"id", "modifiedIndex", "unnamed"}.
struct Configs::About {
  store::Revision modified = 0;  // 0: nothing was ever put
  std::string digest;
  std::int64_t last_modified = 0;  // Unix time in seconds
  Value versions = Value::object(), items = Value::object();

  static About of(const std::optional<store::Entry>& entry) {
    About about;
    auto read = entry ? json::parse(entry->value) : Result<Value>(Value());
    if (!read || !read->is_object()) return about;
    about.modified = entry->modified;
    about.digest = read->text("digest");
    about.last_modified = number_of(*read, "last_modified");
    if (const Value* versions = read->find("versions")) about.versions = *versions;
    if (const Value* items = read->find("items")) about.items = *items;
    return about;
  }
  std::string text() const {
    return json::dump(Value::object({{"digest", digest},
                                     {"last_modified", last_modified},
                                     {"versions", versions},
                                     {"items", items}}));
  }
  void add_headers(http::Reply& reply) const {
    if (modified == 0) return;
    reply.headers.emplace_back(modified_name, std::to_string(last_modified));
    reply.headers.emplace_back(digest_name, digest);
  }
};

// From what stands there to what was put: which entries are written and which go.
class Configs::Update {
 public:
  Update(About before, std::string digest, std::int64_t now) : before_(std::move(before)), after_(before_) {
    after_.digest = std::move(digest);
    after_.last_modified = now;
  }

  // The kinds whose items are replaced; or the sentence about a version that is too old.
  std::optional<std::string> set_versions(const Value& document) {
    for (const auto* kind : kinds()) {
      const auto name = version_name(kind->path);
      const auto known = number_of(before_.versions, kind->path);
      const auto next = std::min(known, std::numeric_limits<std::int64_t>::max() - 1) + 1;
      const auto version = document.find(name) ? number_of(document, name) : next;
      if (version < known) return fmt::format("{} must be greater than or equal to ({})", name, known);
      after_.versions.set(kind->path, version);
      if (version != known) replaced_.push_back(kind);
    }
    return std::nullopt;
  }
  const std::vector<const model::Resource*>& replaced() const { return replaced_; }

  void stands(store::Entry entry) { standing_[entry.key] = std::move(entry.value); }

  store::Transaction transaction(const Value& document) {
    for (const auto* kind : replaced_) replace(*kind, document.find(kind->path));
    for (const auto& [key, value] : standing_) {
      if (!kept_.contains(key)) transaction_.writes.push_back({key, {}, {}});
    }
    transaction_.writes.push_back({std::string(about_key), after_.text(), {}});
    transaction_.conditions.push_back(
        {store::Condition::Kind::unchanged, std::string(about_key), before_.modified});
    return std::move(transaction_);
  }
  About after(store::Revision revision) const {
    About about = after_;
    about.modified = revision;
    return about;
  }

 private:
  void replace(const model::Resource& kind, const Value* items) {
    const auto indexes = indexes_of(kind);
    auto told = Value::array();
    std::size_t number = 0;
    for (const Value& item : items ? items->as_array() : json::Array()) {
      auto read = store::read_item(kind, item, number++);
      auto line = Value::object({{"id", read.id}});
      if (!read.named) line.set("unnamed", true);
      if (read.modified_index) line.set("modifiedIndex", *read.modified_index);
      told.push_back(std::move(line));
      const auto key = model::key_of(*read.kind, read.id);
      kept_.insert(key);
      const auto known = standing_.find(key);
      const auto index = indexes.find(read.id);
      // An item of the same index is the same to whoever wrote it.
      if (known != standing_.end() && read.modified_index && index != indexes.end() &&
          index->second == *read.modified_index)
        continue;
      auto text = json::dump(read.body);
      if (known != standing_.end() && known->second == text) continue;
      transaction_.writes.push_back({key, std::move(text), {}});
    }
    after_.items.set(kind.path, std::move(told));
  }

  std::map<std::string, std::int64_t> indexes_of(const model::Resource& kind) const {
    std::map<std::string, std::int64_t> indexes;
    const Value* items = before_.items.find(kind.path);
    for (const Value& item : items && items->is_array() ? items->as_array() : json::Array()) {
      if (item.find("modifiedIndex")) indexes.emplace(item.text("id"), number_of(item, "modifiedIndex"));
    }
    return indexes;
  }

  About before_, after_;
  std::vector<const model::Resource*> replaced_;
  std::map<std::string, std::string> standing_;  // of the kinds that are replaced
  std::set<std::string> kept_;
  store::Transaction transaction_;
};

async::Task<http::Reply> Configs::handle(Call call) {
  if (call.method == http::Method::put) return put(std::move(call));
  if (call.method == http::Method::get || call.method == http::Method::head) return show(std::move(call));
  return error_reply(404, "Not found");
}

async::Task<Result<Configs::About>> Configs::about() {
  auto found = co_await store_.get(std::string(about_key));
  if (!found) co_return std::unexpected(found.error());
  co_return About::of(*found);
}

// ---- reading ----

async::Task<http::Reply> Configs::show(Call call) {
  auto about = co_await this->about();
  if (!about) co_return store_failed(about.error());
  http::Reply reply{200, {}, "application/json", {}};
  about->add_headers(reply);
  if (call.method == http::Method::head) co_return reply;
  auto document = Value::object();
  for (const auto* kind : kinds()) {
    document.set(version_name(kind->path), number_of(about->versions, kind->path));
    const Value* items = about->items.find(kind->path);
    if (!items || !items->is_array() || items->as_array().empty()) continue;
    auto list = Value::array();
    for (const Value& item : items->as_array()) {
      const std::string id(item.text("id"));
      auto key = model::key_of(model::kind_in_list(*kind, id), id);
      auto found = co_await store_.get(std::move(key));
      if (!found) co_return store_failed(found.error());
      auto body = *found ? json::parse((*found)->value) : Result<Value>(Value());
      if (!body || !body->is_object()) continue;
      if (item.find("unnamed")) body->erase("id");
      if (const Value* index = item.find("modifiedIndex")) body->set("modifiedIndex", *index);
      list.push_back(std::move(*body));
    }
    document.set(kind->path, std::move(list));
  }
  if (about->modified > 0) {
    document.set(modified_name, about->last_modified);
    document.set(digest_name, about->digest);
  }
  const bool yaml = call.accept.starts_with("application/yaml");
  reply.content_type = yaml ? "application/yaml" : "application/json";
  reply.body = yaml ? json::dump_yaml(document) : json::dump(document) + "\n";
  co_return reply;
}

// ---- writing ----

async::Task<http::Reply> Configs::put(Call call) {
  if (call.digest.empty()) co_return error_reply(400, "missing digest header");
  if (is_trial(call)) co_return error_reply(400, "a trial is POST /apisix/admin/configs/validate");
  Value document;
  if (auto refusal = parse_configs(call, document)) co_return std::move(*refusal);
  call.body.clear();
  for (int i = 0; i < tries_max; ++i) {
    auto reply = co_await attempt(call, &document);
    if (reply) co_return std::move(*reply);
  }
  co_return error_reply(503, "others put a configuration all the time; try again");
}

async::Task<Result<>> Configs::add_entries(std::string kind, Update* update) {
  const auto prefix = std::string(model::key_prefix) + kind + "/";
  auto entries = co_await store::list_all(store_, prefix);
  if (!entries) co_return std::unexpected(entries.error());
  for (auto& entry : *entries) update->stands(std::move(entry));
  co_return Result<>();
}

async::Task<std::optional<http::Reply>> Configs::attempt(Call call, const Value* document) {
  auto about = co_await this->about();
  if (!about) co_return store_failed(about.error());
  if (about->modified > 0 && about->digest == call.digest) co_return http::Reply{204, {}, {}, {}};
  const auto problems = check_configs(validator_, *document);
  if (!problems.empty()) {
    auto refused = Value::object({{"error_msg", problems.front().what}});
    if (problems.size() > 1) refused.set("problems", describe_problems(problems));
    co_return json_reply(400, refused);
  }
  Update update(std::move(*about), call.digest, clock_.wall() / 1'000'000'000);
  if (auto outdated = update.set_versions(*document)) co_return error_reply(400, *outdated);
  for (const auto* kind : update.replaced()) {
    std::string path(kind->path);
    auto added = co_await add_entries(std::move(path), &update);
    if (!added) co_return store_failed(added.error());
  }
  auto transaction = update.transaction(*document);
  transaction.author = call.author;
  transaction.note = "configuration " + call.digest;
  auto done = co_await store_.transact(std::move(transaction));
  if (!done) co_return store_failed(done.error());
  if (!done->done) co_return std::nullopt;
  http::Reply reply{202, {}, {}, {}};
  update.after(done->revision).add_headers(reply);
  auto answered = co_await answer_written(status_, std::move(call), std::move(reply), done->revision);
  co_return answered;
}

}  // namespace sluice::admin
