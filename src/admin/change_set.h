// SPDX-License-Identifier: Apache-2.0
// Changes that are made together or not at all: checked together, so that they may refer to each other and
// every problem is found at once, and stored in one transaction whose conditions keep references whole. A
// single write, a transaction and a rollback are all one of these. Lives in the frame of whoever makes it, on
// the control thread; what it is given outlives it.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "admin/claims.h"
#include "async/task.h"
#include "base/time.h"
#include "json/findings.h"
#include "model/resources.h"
#include "plugin/validator.h"
#include "store/store.h"

namespace sluice::admin {

// One resource as it is to be.
struct Draft {
  const model::Resource* resource = nullptr;
  std::string id;                        // as keys have it, with what it belongs to
  std::optional<json::Value> body;       // nothing: it is removed
  std::optional<store::Entry> previous;  // what stands there now
  std::string path;                // stands before the paths of its problems: "/operations/3/value"
  std::string text;                // as it is stored; empty: made of the body, with its times
  Duration ttl = Duration::zero();  // how long it stays; zero: for good
  bool only_if_unchanged = false;  // since `previous` was read
  bool keeps_times = false;        // the body may bring its times
  bool sets_update_time = true;
  bool forced = false;             // removed even when something refers to it
  bool without_owner = false;      // found out: what it belongs to is not there
  json::Findings findings;

  std::string key() const { return model::key_of(*resource, id); }
};

// Has secret managers asked what references stand for, so that checks know it: waits for their answers.
using AskSecrets = std::function<async::Task<>(std::vector<std::string> references)>;

// What every change needs.
struct Desk {
  store::Store& store;
  const plugin::Validator& validator;
  const Clock& clock;
  bool stream_routes = false;  // they may be written
  Claims claims = {};          // of credentials
  AskSecrets ask_secrets = {};
};

class ChangeSet {
 public:
  explicit ChangeSet(Desk& desk) : desk_(desk), claim_(desk.claims) {}

  // In place of an earlier one for the same key, whose `previous` it takes over.
  void add(Draft draft);
  const Draft* find(const std::string& key) const;
  const std::deque<Draft>& drafts() const { return drafts_; }

  // Finds every problem that can be seen before the store decides. Errors: conflict (another call is about to
  // give away the same credential), else the store's.
  async::Task<Result<>> check();
  bool ok() const;
  // Of all drafts.
  json::Findings findings() const;

  struct Order {
    store::Author author;
    std::string note;
    bool try_only = false;
    std::optional<store::Revision> if_revision;  // nothing has been written since
  };
  enum class Outcome : std::uint8_t {
    done,
    refused,  // `findings` says why
    stale,    // what was read has changed: read again
    moved,    // `if_revision` does not hold
  };
  // After `check`, when it found nothing.
  async::Task<Result<Outcome>> commit(Order order);
  // One of `written` for each draft.
  const store::Committed& committed() const { return committed_; }

 private:
  // Why a condition stands in the transaction.
  struct Reason {
    enum class Kind : std::uint8_t { revision, unchanged, reference, owner, referrers };
    Kind kind;
    std::size_t draft = 0;
    std::size_t reference = 0;
  };
  async::Task<Result<>> remove_what_belongs();
  async::Task<> ask_for_secrets();
  async::Task<Result<>> check_references();
  // How what is referred to will be.
  struct Target {
    bool exists = false;
    bool is_client_pair = false;  // of an ssl: its type is client
  };
  static Target target_of(std::string_view key, const json::Value* body);
  async::Task<Result<Target>> look_up(std::string key);
  async::Task<Result<>> check_single_plugins();
  async::Task<Result<>> check_single_plugins_of(const model::Resource* kind);
  void check_alone(Draft& draft) const;
  void check_credentials();
  bool claim_credentials();
  void write_out(Draft& draft) const;

  store::Transaction transaction(const Order& order);
  void add_conditions(std::size_t index, store::Transaction& transaction);
  void require(Reason reason, store::Condition condition, store::Transaction& transaction);
  Outcome refuse(std::size_t condition);
  void refuse_reference(Draft& draft, const json::Reference& reference);

  Desk& desk_;
  Claims::Guard claim_;
  std::deque<Draft> drafts_;
  std::map<std::string, std::size_t> by_key_;
  std::map<std::string, Target> looked_up_;      // in the store
  std::set<std::string> given_up_;               // conditions that failed: "kind key"
  std::set<std::string> required_;
  std::vector<std::pair<Reason, std::string>> reasons_;  // of the conditions, and their names
  store::Committed committed_;
};

}  // namespace sluice::admin
