// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite_store.h"

#include <algorithm>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace sluice::store {
namespace {

// One thing asked of the store thread. `run` is called there, inside the SQLite transaction of its batch;
// `finish` on the loop, after the commit, or with the error that undid the batch.
class Job {
 public:
  virtual ~Job() = default;
  virtual Result<> run(Tables& tables, std::int64_t now_ms, std::vector<Change>& changes) = 0;
  virtual bool writes() const { return false; }
  virtual void undo(const Error&) {}
  // `changes` are all of the batch.
  virtual void finish(const std::vector<Change>& changes) = 0;
};

// What an awaiting coroutine and its job share. Touched on the loop only, except `result`, which the store
// thread fills before it hands the job back.
template <class T>
struct Pending {
  std::coroutine_handle<> awaiter;  // null once nobody waits any more
  std::optional<Result<T>> result;
};

template <class T, class Work>
class Ask final : public Job {
 public:
  Ask(Work work, bool writes) : work_(std::move(work)), writes_(writes) {}
  Result<> run(Tables& tables, std::int64_t now_ms, std::vector<Change>& changes) override {
    result_.emplace(work_(tables, now_ms, changes));
    if (!*result_) return std::unexpected(result_->error());
    return {};
  }
  bool writes() const override { return writes_; }
  void undo(const Error& error) override { result_.emplace(std::unexpected(error)); }
  void finish(const std::vector<Change>&) override {
    pending->result = std::move(result_);
    if (auto awaiter = std::exchange(pending->awaiter, nullptr)) awaiter.resume();
  }
  std::shared_ptr<Pending<T>> pending = std::make_shared<Pending<T>>();

 private:
  Work work_;
  bool writes_;
  std::optional<Result<T>> result_;
};

template <class T>
class Answer {
 public:
  explicit Answer(std::shared_ptr<Pending<T>> pending) : pending_(std::move(pending)) {}
  Answer(const Answer&) = delete;
  ~Answer() { pending_->awaiter = nullptr; }
  bool await_ready() const { return pending_->result.has_value(); }
  void await_suspend(std::coroutine_handle<> awaiter) { pending_->awaiter = awaiter; }
  Result<T> await_resume() { return std::move(*pending_->result); }

 private:
  std::shared_ptr<Pending<T>> pending_;
};

struct Watcher {
  Store::OnChanges on_changes;
  Revision seen = 0;
  bool started = false;  // what came before has been delivered
  bool ended = false;

  void tell(const std::vector<Change>& changes) {
    if (!started || ended) return;
    std::vector<Change> fresh;
    for (const auto& change : changes) {
      if (change.revision > seen) fresh.push_back(change);
    }
    if (fresh.empty()) return;
    seen = fresh.back().revision;
    on_changes(std::move(fresh));
  }
};

class SqliteWatch final : public Watch {
 public:
  explicit SqliteWatch(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  ~SqliteWatch() override { watcher_->ended = true; }

 private:
  std::shared_ptr<Watcher> watcher_;
};

// The changes a watcher has missed.
class Replay final : public Job {
 public:
  explicit Replay(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)), from_(watcher_->seen) {}
  Result<> run(Tables& tables, std::int64_t, std::vector<Change>&) override {
    missed_ = tables.changes_since(from_);
    upto_ = tables.revision();
    return {};
  }
  void finish(const std::vector<Change>& changes) override {
    if (watcher_->ended) return;
    watcher_->started = missed_.has_value();
    watcher_->seen = upto_;
    if (!missed_ || !missed_->empty()) watcher_->on_changes(std::move(missed_));
    watcher_->ended = watcher_->ended || !watcher_->started;
    watcher_->tell(changes);  // those of the same batch, after `upto_`
  }

 private:
  std::shared_ptr<Watcher> watcher_;
  Revision from_;
  Revision upto_ = 0;
  Result<std::vector<Change>> missed_;
};

// Removes what has been kept for its time.
class RemoveDue final : public Job {
 public:
  Result<> run(Tables& tables, std::int64_t now_ms, std::vector<Change>& changes) override {
    return tables.remove_due(now_ms, changes);
  }
  bool writes() const override { return true; }
  void finish(const std::vector<Change>&) override {}
};

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// What goes back to the loop after a batch.
struct Delivery {
  std::vector<Change> changes;
  std::vector<std::unique_ptr<Job>> jobs;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(SqliteOptions options, std::unique_ptr<Tables> tables, async::Loop& loop)
      : path_(std::move(options.path)), tables_(std::move(tables)), loop_(loop) {
    thread_ = std::thread([this] { work(); });
  }

  ~SqliteStore() override {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
    alive_->store = nullptr;
  }

  async::Task<Result<std::optional<Entry>>> get(std::string key) override {
    return ask<std::optional<Entry>>(
        [key = std::move(key)](Tables& tables, std::int64_t, std::vector<Change>&) {
          return tables.get(key);
        });
  }

  async::Task<Result<Page>> list(std::string prefix, std::string after, std::size_t limit) override {
    return ask<Page>([prefix = std::move(prefix), after = std::move(after), limit](
                         Tables& tables, std::int64_t, std::vector<Change>&) {
      return tables.list(prefix, after, limit);
    });
  }

  async::Task<Result<Committed>> transact(Transaction transaction) override {
    return ask<Committed>(
        [transaction = std::move(transaction)](Tables& tables, std::int64_t now_ms,
                                               std::vector<Change>& changes) {
          return tables.apply(transaction, now_ms, changes);
        },
        true);
  }

  async::Task<Result<Revision>> revision() override {
    return ask<Revision>([](Tables& tables, std::int64_t, std::vector<Change>&) {
      return Result<Revision>(tables.revision());
    });
  }

  async::Task<Result<std::int64_t>> next_id() override {
    return ask<std::int64_t>(
        [](Tables& tables, std::int64_t, std::vector<Change>&) { return tables.next_id(); }, true);
  }

  async::Task<Result<HistorySlice>> history(HistoryQuestion question) override {
    return ask<HistorySlice>(
        [question = std::move(question)](Tables& tables, std::int64_t, std::vector<Change>&) {
          return tables.history(question);
        });
  }

  async::Task<Result<>> backup(std::string path) override {
    return ask<void>([path = std::move(path)](Tables& tables, std::int64_t, std::vector<Change>&) {
      return tables.backup(path);
    });
  }

  async::Task<Result<>> rewrite(Resealer how) override {
    return ask<void>(
        [how = std::move(how)](Tables& tables, std::int64_t, std::vector<Change>&) {
          return tables.rewrite(how);
        },
        true);
  }

  std::unique_ptr<Watch> watch(Revision from, OnChanges on_changes) override {
    auto watcher = std::make_shared<Watcher>(Watcher{std::move(on_changes), from});
    watchers_.push_back(watcher);
    (void)enqueue(std::make_unique<Replay>(watcher), true);
    return std::make_unique<SqliteWatch>(std::move(watcher));
  }

  Result<Revision> scan(std::string prefix, const std::function<void(Entry&&)>& sink) override {
    return Tables::scan(path_, prefix, sink);
  }

 private:
  static constexpr std::size_t batch_max = 512;
  static constexpr std::int64_t lease_step_ms = 10'000;
  struct Alive {
    SqliteStore* store;
  };

  template <class T, class Work>
  async::Task<Result<T>> ask(Work work, bool writes = false) {
    auto job = std::make_unique<Ask<T, Work>>(std::move(work), writes);
    auto pending = job->pending;
    if (!enqueue(std::move(job), false)) {
      return Result<T>(fail(ErrorKind::limit, "too many requests wait for the store; try again later"));
    }
    return wait<T>(std::move(pending));
  }

  template <class T>
  static async::Task<Result<T>> wait(std::shared_ptr<Pending<T>> pending) {
    Answer<T> answer(std::move(pending));
    auto result = co_await answer;
    co_return result;
  }

  bool enqueue(std::unique_ptr<Job> job, bool always) {
    {
      std::lock_guard lock(mutex_);
      if (queue_.size() >= queue_max && !always) return false;
      queue_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
  }

  // ---- the store thread ----

  void work() {
    for (;;) {
      std::vector<std::unique_ptr<Job>> batch;
      if (!take_batch(batch)) return;
      if (batch.empty()) continue;
      auto delivery = std::make_unique<Delivery>();
      run_batch(batch, delivery->changes);
      delivery->jobs = std::move(batch);
      loop_.post([alive = alive_, delivery = std::move(delivery)]() mutable {
        if (alive->store) alive->store->deliver(*delivery);
      });
    }
  }

  // What is to be done next, perhaps nothing yet; false when the store ends and all is done.
  bool take_batch(std::vector<std::unique_ptr<Job>>& batch) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return ending_ || !queue_.empty(); };
    const auto due = tables_->next_due_ms();
    if (due == LeaseTable::never) {
      wake_.wait(lock, ready);
    } else {  // in steps, for the clock may be set
      const auto left = std::clamp<std::int64_t>(due - wall_ms(), 0, lease_step_ms);
      wake_.wait_for(lock, std::chrono::milliseconds(left), ready);
    }
    if (ending_ && queue_.empty()) return false;
    if (tables_->next_due_ms() <= wall_ms()) batch.push_back(std::make_unique<RemoveDue>());
    while (!queue_.empty() && batch.size() < batch_max) {
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return true;
  }

  void run_batch(std::vector<std::unique_ptr<Job>>& batch, std::vector<Change>& changes) {
    bool writes = std::ranges::any_of(batch, [](const auto& job) { return job->writes(); });
    const auto now = wall_ms();
    Result<> good;
    if (writes) good = tables_->begin();
    for (auto& job : batch) {
      if (!good) break;
      auto done = job->run(*tables_, now, changes);
      if (!done && job->writes()) good = std::move(done);
    }
    if (good && writes) good = tables_->commit();
    if (good) {
      for (Change& change : changes) change.stored = loop_.clock().now();
      return;
    }
    tables_->rollback();
    log::error("{}", good.error().what);
    changes.clear();
    for (auto& job : batch) {
      if (job->writes()) {
        job->undo(good.error());
      } else {
        (void)job->run(*tables_, now, changes);  // it may have read what is not there any more
      }
    }
  }

  // ---- the loop ----

  void deliver(Delivery& delivery) {
    auto alive = alive_;
    auto watchers = watchers_;  // a callback may start or end a watch
    for (auto& watcher : watchers) watcher->tell(delivery.changes);
    std::erase_if(watchers_, [](const auto& watcher) { return watcher->ended; });
    for (auto& job : delivery.jobs) {
      if (alive->store) job->finish(delivery.changes);
    }
  }

  std::string path_;
  std::unique_ptr<Tables> tables_;  // the store thread's, once it runs
  async::Loop& loop_;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  std::shared_ptr<Alive> alive_ = std::make_shared<Alive>(Alive{this});

  std::mutex mutex_;  // guards queue_ and ending_
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options, async::Loop& loop) {
  auto tables = Tables::open(options);
  if (!tables) return std::unexpected(tables.error());
  return std::make_unique<SqliteStore>(std::move(options), std::move(*tables), loop);
}

Result<> backup_sqlite(const std::string& store_path, const std::string& to) {
  return Tables::backup_file(store_path, to);
}

}  // namespace sluice::store
