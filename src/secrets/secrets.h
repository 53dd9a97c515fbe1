// SPDX-License-Identifier: Apache-2.0
// What references to secret managers stand for: asked for once, kept, and asked for again when its time is
// over. A manager that is away changes nothing about what is known; what was never known stays unknown, so
// that whoever wants it can fail closed. Belongs to the control loop, which outlives it.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "async/child.h"
#include "async/signal.h"
#include "model/secret_reference.h"
#include "secrets/manager.h"

namespace sluice::secrets {

struct Lifetimes {
  Duration known = std::chrono::seconds(300);  // an answer is asked for again after so long
  Duration failed = std::chrono::seconds(60);  // a failure
};

class Secrets final : public model::SecretSource {
 public:
  static constexpr std::size_t references_max = 10'000;
  static constexpr std::size_t asked_at_once_max = 32;

  struct Events {
    // It is known now, or is something else.
    std::function<void(std::string_view reference)> changed;
    // Whether anything that is published needs it; what nobody needs is forgotten in time.
    std::function<bool(std::string_view reference)> is_used;
  };
  Secrets(async::Loop& loop, std::shared_ptr<Asker> asker, Lifetimes lifetimes, Events events);
  ~Secrets() override;

  // What is known, without asking.
  Result<std::string> known(std::string_view reference) const;
  // Waits until there is an answer to each, good or bad.
  async::Task<> ask(std::vector<std::string> references);
  // Some have never had an answer.
  bool waiting() const;

  // ---- model::SecretSource ----
  Result<std::string> want(std::string_view reference) override;
  void set_manager(std::string_view id, const json::Value* body) override;

 private:
  struct Entry {
    std::optional<std::string> value;
    std::string error;  // why it is not known, or not fresh
    bool answered = false;
    bool asking = false;
    Instant due{};
  };
  struct Kept {
    std::shared_ptr<Manager> manager;  // null: `error` says what is wrong with it
    std::string error;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  Entry* entry_of(std::string_view reference);
  async::Task<> keep_fresh();
  void ask_what_is_due();
  void ask(const std::string& reference, Entry& entry);
  // Tasks go on without it; `alive` tells.
  static async::Task<> answer(Secrets* self, std::shared_ptr<bool> alive, std::string reference,
                              std::shared_ptr<Manager> manager, std::string key);
  void take(const std::string& reference, const std::shared_ptr<Manager>& from, Result<std::string> result);
  void settle(const std::string& reference, Entry& entry, Result<std::string> result);
  Instant next_due() const;

  async::Loop& loop_;
  std::shared_ptr<Asker> asker_;
  Lifetimes lifetimes_;
  Events events_;
  std::map<std::string, Kept, std::less<>> managers_;
  Entries entries_;
  std::size_t asking_ = 0;
  async::Signal moved_;  // something is due, or was answered
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  async::Child keeper_;
};

}  // namespace sluice::secrets
