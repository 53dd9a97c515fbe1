// SPDX-License-Identifier: Apache-2.0
// The running gateway: the control thread with the store, the compiler and the APIs, and the workers.
// Everything is wired here and nowhere else. It may take the place of a process with other settings, and give
// its own to one: the store goes over first, then the connections. Lives in `main`.
#pragma once
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "admin/api.h"
#include "admin/control.h"
#include "gateway/compiler.h"
#include "gateway/publisher.h"
#include "gateway/worker.h"
#include "http/service.h"
#include "main/calls.h"
#include "main/config.h"
#include "main/line.h"
#include "main/listeners.h"
#include "main/scrape.h"
#include "main/names.h"
#include "main/signals.h"
#include "main/stores.h"
#include "plugin/registry.h"
#include "plugin/secret_places.h"
#include "plugin/status.h"
#include "plugin/validator.h"
#include "secrets/secrets.h"
#include "store/store.h"

namespace sluice::main {

class Process final : public plugin::Status {
 public:
  // `prefix` is the directory of conf/, logs/ and data/. `line` leads to the supervisor and outlives this.
  Process(Config config, std::string prefix, Listeners& listeners, Line& line);
  ~Process() override;

  // Takes the ports, waits until the store is free, opens and loads it. The error is one sentence for the
  // operator.
  Result<> start();
  // By a signal, or by the end of the supervisor: then an error of `start` is none.
  bool is_told_to_end() const { return control_.stopping(); }
  // Serves until a signal, or a successor that has taken over, ends it.
  void run();

  // ---- plugin::Status ----
  async::Task<Result<Duration>> applied(std::int64_t revision) override;
  std::vector<std::int64_t> applied_by_worker() const override { return publisher_.applied_by_worker(); }
  std::string node() const override;
  bool started() const override { return started_; }
  bool ready() const override {
    if (store_ && !store_->standing().loaded) return false;
    return publisher_.published() > 0 ? publisher_.applied() > 0 : started_;
  }
  json::Value store() const override {
    return store_ ? describe_standing(store_->standing(), control_.clock().now()) : nullptr;
  }
  json::Value left_out() const override;
  void take_up_settings() override { line_.say(Word::file_may_differ); }
  json::Value health() const override {
    return named_as_stored(checker_.report(), store_ ? store_->standing().provider : std::string_view());
  }

 private:
  struct Thread {
    std::unique_ptr<async::Loop> loop;
    std::unique_ptr<gateway::Worker> worker;
    std::thread thread;
  };
  // A port of the process's own.
  struct Served {
    std::unique_ptr<http::Service> service;
    bool uses_store;
  };
  Result<> prepare();
  Result<> wait_for_store();
  Result<> load();
  Result<> make_secrets();
  void take(std::string_view key, std::optional<std::string_view> value, std::int64_t revision,
            const std::string& unreadable);
  void wait_for_secrets();
  Result<> make_workers();
  Result<> listen();
  Result<> serve_apis();
  Result<> serve(Listeners::Place place, http::Service::Handler handler, std::string_view what,
                 std::shared_ptr<const net::TlsContext> tls = nullptr);
  Result<> serve_admin();
  async::Task<http::Reply> ask_admin(http::Request& request, IpAddress peer);
  async::Task<http::Reply> ask_control(http::Request& request);
  Result<admin::Keys> admin_keys();
  void changed(Result<std::vector<store::Change>> changes);
  void watch_store();
  void retire(const plugin::Plugin* plugin);
  void on_signal(int number);
  void on_word(Word word);
  async::Task<> let_go_of_store();
  void leave();
  void drain();
  void close_idle();
  async::Task<> end_behind_answers();
  void stop_workers();

  Config config_;
  std::string prefix_;
  async::Loop control_;
  plugin::Registry registry_;
  plugin::Validator validator_;
  plugin::SecretPlaces secret_places_;
  std::unique_ptr<Names> names_;
  std::unique_ptr<store::Store> store_;
  upstream::HealthChecker checker_;
  gateway::Publisher publisher_;
  std::vector<Thread> threads_;
  std::unique_ptr<secrets::Secrets> secrets_;
  std::unique_ptr<gateway::Compiler> compiler_;
  std::unique_ptr<store::Watch> watch_;
  std::int64_t revision_ = 0;
  Listeners& listeners_;
  Line& line_;
  admin::Keys admin_keys_;
  std::shared_ptr<const net::TlsContext> admin_tls_;
  std::shared_ptr<const net::TlsFront> tls_front_;
  std::unique_ptr<admin::Api> api_;
  std::unique_ptr<admin::Control> control_api_;
  std::unique_ptr<Scrape> scrape_;
  Calls calls_{control_};  // of the Admin and the control API
  std::vector<Served> services_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<LineEvents> words_;
  bool store_free_ = false;
  bool letting_go_ = false;  // calls that need the store are answered 503
  bool started_ = false;
  bool stopped_ = false;  // the workers' threads have ended
  std::size_t draining_ = 0;
};

}  // namespace sluice::main
