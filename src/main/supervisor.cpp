// SPDX-License-Identifier: Apache-2.0
#include "main/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "base/time.h"
#include "main/gateway_run.h"
#include "main/life.h"
#include "main/outcome.h"
#include "main/pid_file.h"

namespace sluice::main {
namespace {

constexpr Duration pause_least = 100ms, pause_most = 30s;
constexpr Duration healthy_life = 60s;  // whoever lived so long starts again at the least pause
constexpr int awaited[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP};

sigset_t awaited_set() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : awaited) ::sigaddset(&set, number);
  return set;
}

void leave_terminal() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int descriptor : {0, 1, 2}) ::dup2(null, descriptor);
  if (null > 2) ::close(null);
}

class Supervisor {
 public:
  // `starter` is the pipe to whoever waits for the start in the background; -1 in the foreground.
  Supervisor(const Command& command, const Config& config, int starter)
      : command_(command), config_(config), starter_(starter), background_(starter >= 0) {
    const sigset_t set = awaited_set();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    SLUICE_CHECK(signals_ >= 0);
  }

  int run() {
    if (!start()) return 1;
    while (!ending_) {
      turn(Duration::max());
      if (ending_) break;
      if (needs_successor()) recover();
      else if (std::exchange(reload_asked_, false)) reload(Asked::by_signal);
      else if (std::exchange(settings_asked_, false)) reload(Asked::by_api);
    }
    while (!lives_.empty()) turn(Duration::max());
    return ended_badly_ ? 1 : 0;
  }

 private:
  bool start() {
    forget_outcome(command_.prefix);
    if (auto opened = listeners_.open(config_); !opened) {
      std::fprintf(stderr, "sluice: %s\n", opened.error().what.c_str());
      log::alert("{}", opened.error().what);
      return false;
    }
    if (!put_to_work(config_)) return false;
    if (background_) {
      leave_terminal();
      if (::write(starter_, "+", 1) != 1) log::info("nobody waited for the start");
      ::close(std::exchange(starter_, -1));
    }
    return true;
  }

  // A process with `config` takes the place of the one that serves, if there is one. False when it did not
  // come up; the other then still serves, with or without the store.
  bool put_to_work(const Config& config) {
    Life* next = begin_life(config);
    if (next == nullptr || !wait_for(*next, [](const Life& life) { return life.wants_store(); }))
      return false;
    if (current_ != nullptr && !current_->has_let_go()) {
      current_->say(Word::let_go_of_store);
      if (!wait_for(*next, [this](const Life&) { return current_ == nullptr || current_->has_let_go(); }))
        return false;
    }
    next->say(Word::store_is_free);
    if (!wait_for(*next, [](const Life& life) { return life.is_ready(); })) return false;
    Life* before = std::exchange(current_, next);
    if (before == nullptr) return true;
    before->say(Word::leave);
    wait_for(*before,
             [](const Life& life) { return life.has_left(); });  // from now on all is as `config` says
    return true;
  }

  bool needs_successor() const { return current_ == nullptr || current_->has_let_go(); }

  // The process that served has crashed, or has no store any more and no successor.
  void recover() {
    if (lived_ >= healthy_life) pause_ = pause_least;
    log::alert("the gateway is started again in {} ms", pause_ / 1ms);
    const Instant until = after(Clock::system().now(), pause_);
    while (!ending_ && Clock::system().now() < until) turn(until - Clock::system().now());
    pause_ = std::min(pause_ * 2, pause_most);
    lived_ = Duration::zero();
    if (!ending_) put_to_work(config_);
  }

  // The signal may be about what no key shows: certificates that lie in files. The API is about keys.
  enum class Asked : std::uint8_t { by_signal, by_api };

  void reload(Asked asked) {
    const auto told = [this](bool applied, std::string what) {
      log::line(applied ? log::Level::notice : log::Level::error, "reload: {}", what);
      tell_outcome(command_.prefix, {++reloads_, applied, std::move(what)});
    };
    auto fresh = load_config(command_, Audience::log);
    if (!fresh)
      return told(false, command_.file +
                             " does not hold, the gateway goes on with what it had; `sluice test` "
                             "says what is wrong");
    if (asked == Asked::by_api && changed_keys(config_.written, fresh->written).empty())
      return log::info("plugins/reload: no key of {} has changed", command_.file);
    if (auto opened = listeners_.open(*fresh); !opened)
      return told(false, opened.error().what +
                             "; the gateway goes on with what it had, `sluice restart` frees "
                             "the ports it holds itself");
    auto logged = open_log(command_, *fresh);
    const bool applied = logged && put_to_work(*fresh);
    if (applied) {
      const std::string changed = changed_keys(config_.written, fresh->written);
      config_ = std::move(*fresh);
      told(true, changed.empty() ? "no key has changed" : "changed and live: " + changed);
    } else {
      static_cast<void>(open_log(command_, config_));
      told(false, (logged ? "a process with the changed settings did not come up, see the lines above"
                          : logged.error().what) + "; the gateway goes on with what it had");
    }
    listeners_.keep_only(config_);
  }

  // ---- the processes ----

  Life* begin_life(const Config& config) {
    if (ending_) return nullptr;
    auto life = Life::begin([&](Line& line) { return live(config, line); });
    if (!life) {
      log::alert("{}", life.error().what);
      return nullptr;
    }
    return lives_.emplace_back(std::make_unique<Life>(std::move(*life))).get();
  }

  // In the gateway's own process; its exit code.
  int live(const Config& config, Line& line) {
    const sigset_t set = awaited_set();
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    ::close(signals_);
    lives_.clear();  // their lines
    return serve(command_, config, listeners_, line, [this] {
      if (background_) leave_terminal();
      if (starter_ >= 0) ::close(starter_);
    });
  }

  // False when `life` ends first, or everything does.
  template <class Condition>
  bool wait_for(const Life& life, Condition holds) {
    const pid_t pid = life.pid();
    for (;;) {
      const auto found = std::ranges::find(lives_, pid, [](const auto& one) { return one->pid(); });
      if (ending_ || found == lives_.end()) return false;
      if (holds(**found)) return true;
      turn(Duration::max());
    }
  }

  // Takes in what has happened, waiting for it for `wait` at most.
  void turn(Duration wait) {
    std::vector<pollfd> watched{{signals_, POLLIN, 0}};
    for (const auto& life : lives_) watched.push_back({life->line().descriptor(), POLLIN, 0});
    const auto wait_ms = std::min<std::int64_t>(wait / 1ms + 1, 1 << 30);
    ::poll(watched.data(), watched.size(), static_cast<int>(wait_ms));
    for (const auto& life : lives_) {
      life->listen();
      settings_asked_ |= life->asks_for_settings();
    }
    signalfd_siginfo info;
    while (::read(signals_, &info, sizeof info) == sizeof info) on_signal(static_cast<int>(info.ssi_signo));
  }

  void on_signal(int number) {
    if (number == SIGCHLD) return bury();
    if (number == SIGHUP) {
      reload_asked_ = true;
      return;
    }
    if (number == SIGUSR1) {
      if (auto opened = log::reopen(); !opened) log::error("{}", opened.error().what);
    } else {
      ending_ = true;
      listeners_.close();
    }
    for (const auto& life : lives_) ::kill(life->pid(), number);
  }

  void bury() {
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto found = std::ranges::find(lives_, pid, [](const auto& life) { return life->pid(); });
      if (found == lives_.end()) continue;
      const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!well) {
        ended_badly_ = ended_badly_ || ending_;
        log::alert("process {} of the gateway {} {}", pid,
                   WIFSIGNALED(status) ? "was ended by signal" : "ended with code",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
      }
      if (found->get() == current_) {
        current_ = nullptr;
        lived_ = (*found)->age();
        if (well && !ending_) {  // somebody told it to end
          ending_ = true;
          listeners_.close();
        }
      }
      lives_.erase(found);
    }
  }

  const Command& command_;
  Config config_;
  int starter_;
  bool background_;
  int signals_ = -1;
  Listeners listeners_;
  std::vector<std::unique_ptr<Life>> lives_;  // one that serves, one that comes, those that finish
  Life* current_ = nullptr;                   // the one that serves
  Duration pause_ = pause_least;
  Duration lived_ = Duration::zero();  // of the last that crashed
  unsigned reloads_ = 0;
  bool reload_asked_ = false;
  bool settings_asked_ = false;
  bool ending_ = false;
  bool ended_badly_ = false;
};

int supervise(const Command& command, const Config& config, int starter) {
  auto file = PidFile::take(pid_path(command));
  if (!file) {
    std::fprintf(stderr, "sluice: %s\n", file.error().what.c_str());
    return 1;
  }
  return Supervisor(command, config, starter).run();
}

}  // namespace

int supervise_in_foreground(const Command& command, const Config& config) {
  return supervise(command, config, -1);
}

int supervise_in_background(const Command& command, const Config& config) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    std::fprintf(stderr, "sluice: %s\n", system_message("pipe", errno).c_str());
    return 1;
  }
  const pid_t supervisor = ::fork();
  if (supervisor < 0) {
    std::fprintf(stderr, "sluice: %s\n", system_message("fork", errno).c_str());
    return 1;
  }
  if (supervisor == 0) {
    ::close(pipe[0]);
    ::setsid();
    std::exit(::chdir("/") == 0 ? supervise(command, config, pipe[1]) : 1);
  }
  ::close(pipe[1]);
  char told = 0;
  while (::read(pipe[0], &told, 1) < 0 && errno == EINTR) {
  }
  ::close(pipe[0]);
  if (told == '+') {
    std::printf("sluice: started, process %d\n", static_cast<int>(supervisor));
    return 0;
  }
  int status = 0;
  ::waitpid(supervisor, &status, 0);
  std::fprintf(stderr, "sluice: the gateway did not start\n");
  return 1;
}

}  // namespace sluice::main
