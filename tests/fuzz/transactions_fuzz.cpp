// SPDX-License-Identifier: Apache-2.0
// Transactions, one a line, against a store in memory: what is refused has changed nothing; what is stored
// leaves no reference to nothing; and going back to before it, and forward again, ends where it began.
#include <cstdint>
#include <map>

#include "admin/transactions.h"
#include "async/loop.h"
#include "base/text.h"
#include "json/text.h"
#include "plugins/list.h"
#include "store/memory_store.h"

namespace {

using namespace sluice;

class NoStatus final : public plugin::Status {
 public:
  async::Task<Result<Duration>> applied(std::int64_t) override { return Result<Duration>(Duration::zero()); }
  bool started() const override { return true; }
  bool ready() const override { return true; }
  json::Value health() const override { return json::Value::array(); }
  void take_up_settings() override {}
};

async::Task<> keep(async::Task<http::Reply> task, std::optional<http::Reply>& into) {
  auto reply = co_await task;
  into.emplace(std::move(reply));
}

class Tried {
 public:
  using State = std::map<std::string, std::string>;

  int ask(std::vector<std::string> segments, std::string body) {
    admin::Call call;
    call.method = http::Method::post;
    call.segments = std::move(segments);
    call.body = std::move(body);
    std::optional<http::Reply> reply;
    const bool back = call.segments[0] == "history";
    loop_.spawn(
        keep(back ? transactions_.roll_back(std::move(call)) : transactions_.run(std::move(call)), reply));
    while (!reply) loop_.run_once();
    return reply->status;
  }
  State state() {
    State all;
    revision = *store_.scan("/", [&all](store::Entry&& entry) { all[entry.key] = entry.value; });
    return all;
  }
  void check_references(const State& state) {
    for (const auto& [key, text] : state) {
      const auto parts = model::split_key(key);
      json::Findings findings;
      validator_.check(*parts.resource, parts.id, *json::parse(text), findings);
      SLUICE_CHECK(findings.ok());
      for (const auto& reference : findings.references) {
        const auto* target = model::find_resource(reference.resource);
        SLUICE_CHECK(state.contains(model::key_of(*target, reference.id)));
      }
      if (const auto owner = model::owner_key_of(key); !owner.empty()) SLUICE_CHECK(state.contains(owner));
    }
  }
  void go_back_and_forth(store::Revision before, const State& old, const State& fresh) {
    const auto after = revision;
    SLUICE_CHECK(ask({"history", std::to_string(before), "rollback"}, {}) == 200);
    SLUICE_CHECK(state() == old);
    SLUICE_CHECK(ask({"history", std::to_string(after), "rollback"}, {}) == 200);
    SLUICE_CHECK(state() == fresh);
  }

  store::Revision revision = 0;

 private:
  async::Loop loop_;
  ManualClock clock_;
  NoStatus status_;
  plugin::Validator validator_{{plugins::all().begin(), plugins::all().end()}};
  store::MemoryStore store_{loop_};
  admin::Desk desk_{store_, validator_, clock_, true};
  admin::History history_{store_};
  admin::Transactions transactions_{desk_, history_, status_};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Tried tried;
  auto old = tried.state();
  int lines = 0;
  for (const std::string_view line : Split({reinterpret_cast<const char*>(data), size}, '\n')) {
    if (++lines > 20) break;
    const auto before = tried.revision;
    const int status = tried.ask({"transactions"}, std::string(line));
    const auto fresh = tried.state();
    if (status != 200) {
      SLUICE_CHECK(status == 400 || status == 409);
      SLUICE_CHECK(fresh == old && tried.revision == before);
      continue;
    }
    tried.check_references(fresh);
    tried.go_back_and_forth(before, old, fresh);
    old = fresh;
  }
  return 0;
}
