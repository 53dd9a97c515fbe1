// SPDX-License-Identifier: Apache-2.0
#include "main/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"
#include "json/text.h"
#include "main/gateway_run.h"
#include "main/life.h"
#include "main/outcome.h"
#include "main/pid_file.h"
#include "main/program_check.h"
#include "main/upgrade_request.h"

namespace sluice::main {
namespace {

constexpr Duration pause_least = 100ms, pause_most = 30s;
constexpr Duration healthy_life = 60s;  // whoever lived so long starts again at the least pause
constexpr Duration check_within = 20s;   // a program that is to take over reads the configuration file
constexpr int awaited[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP, SIGUSR2};

sigset_t awaited_set() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : awaited) ::sigaddset(&set, number);
  return set;
}

void await_none() {
  const sigset_t set = awaited_set();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void leave_terminal() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int descriptor : {0, 1, 2}) ::dup2(null, descriptor);
  if (null > 2) ::close(null);
}

class Supervisor {
 public:
  // `starter` is the pipe to whoever waits for the start in the background; -1 in the foreground.
  Supervisor(const Command& command, const Config& config, const PidFile& pid_file, int starter)
      : command_(command),
        config_(config),
        pid_file_(pid_file),
        program_(command.program),
        starter_(starter),
        background_(starter >= 0) {
    const sigset_t set = awaited_set();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    SLUICE_CHECK(signals_ >= 0);
  }

  int run(std::optional<Handover> handover = std::nullopt) {
    if (handover) take_over(std::move(*handover));
    else if (!start() && !ending_) return 1;
    while (!ending_) {
      if (std::exchange(upgrade_asked_, false)) upgrade();
      else if (needs_successor()) recover();
      else if (std::exchange(reload_asked_, false)) reload(Asked::by_signal);
      else if (std::exchange(settings_asked_, false)) reload(Asked::by_api);
      else turn(Duration::max());
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
    while (!ending_ && !upgrade_asked_ && Clock::system().now() < until)
      turn(until - Clock::system().now());
    pause_ = std::min(pause_ * 2, pause_most);
    lived_ = Duration::zero();
    if (!ending_ && !upgrade_asked_) put_to_work(config_);
  }

  void tell(std::string_view verb, bool done, std::string what) {
    log::line(done ? log::Level::notice : log::Level::error, "{}: {}", verb, what);
    tell_outcome(command_.prefix, {++outcomes_, done, std::move(what)});
  }

  // The signal may be about what no key shows: certificates that lie in files. The API is about keys.
  enum class Asked : std::uint8_t { by_signal, by_api };

  void reload(Asked asked) {
    auto fresh = fresh_config();
    if (fresh && asked == Asked::by_api && changed_keys(config_.written, fresh->written).empty())
      return log::info("plugins/reload: no key of {} has changed", command_.file);
    auto changed = fresh ? take_up(std::move(*fresh)) : std::unexpected(fresh.error());
    if (changed) tell("reload", true, std::move(*changed));
    else tell("reload", false, changed.error().what + "; the gateway goes on with what it had");
  }

  Result<Config> fresh_config() const {
    auto fresh = load_config(command_, Audience::log);
    if (fresh) return std::move(*fresh);
    return fail(ErrorKind::protocol, command_.file + " does not hold, `sluice test` says what is wrong");
  }

  // A process with these settings takes the place of the one that serves. What has changed, or why everything
  // is as it was.
  Result<std::string> take_up(Config fresh) {
    if (auto opened = listeners_.open(fresh); !opened)
      return fail(ErrorKind::system,
                  opened.error().what + " (`sluice restart` frees the ports it holds itself)");
    auto logged = open_log(command_, fresh);
    const bool applied = logged && put_to_work(fresh);
    std::string changed;
    if (applied) {
      changed = changed_keys(config_.written, fresh.written);
      config_ = std::move(fresh);
    } else {
      static_cast<void>(open_log(command_, config_));
    }
    listeners_.keep_only(config_);
    if (applied) return changed.empty() ? "no key has changed" : "changed and live: " + changed;
    if (!logged) return std::unexpected(logged.error());
    return fail(ErrorKind::system,
                "a process with these settings did not come up, the lines above in the error log say why");
  }

  // ---- another program in this process ----

  void upgrade() {
    auto asked = take_requested_program(command_.prefix);
    if (asked && !*asked) return tell("upgrade", false, (*asked).error().what + "; " + goes_on());
    const std::string program = asked ? **asked : program_;
    const auto version = check_program(program);
    if (ending_) return;
    if (!version) return tell("upgrade", false, version.error().what + "; " + goes_on());
    log::notice("version {} is about to take over, from {}", *version, program);
    const Handover handover = what_there_is("");
    const Error error = become(program, words_for(program, "run", command_), handover);
    ::close(handover.image);
    tell("upgrade", false, error.what + "; " + goes_on());
  }

  static std::string goes_on() { return "version " SLUICE_VERSION " goes on"; }

  Result<std::string> check_program(const std::string& program) {
    const Handover handover = what_there_is("");
    auto check = ProgramCheck::begin(program, command_, handover, await_none);
    ::close(handover.image);
    if (!check) return std::unexpected(check.error());
    check_ = &*check;
    const Instant until = after(Clock::system().now(), check_within);
    while (!ending_ && !check->has_ended() && Clock::system().now() < until)
      turn(until - Clock::system().now());
    check_ = nullptr;
    return check->verdict();
  }

  // The image in it is the caller's to close.
  Handover what_there_is(std::string refused) const {
    Handover handover;
    handover.version = SLUICE_VERSION;
    handover.program = program_;
    handover.image = ::open("/proc/self/exe", O_PATH | O_CLOEXEC);
    handover.pid_file = pid_file_.descriptor();
    handover.outcomes = outcomes_;
    handover.config = json::dump_yaml(config_.written);
    handover.refused = std::move(refused);
    handover.sockets = listeners_.open_sockets();
    for (const auto& life : lives_)
      handover.served.push_back({life->pid(), life->line().descriptor(), life->age(), life->heard(),
                                 life.get() == current_});
    return handover;
  }

  // From the program before, or from a successor that could not.
  void take_over(Handover handover) {
    ::prctl(PR_SET_NAME, "sluice");  // one that is put back to work was begun by a number
    listeners_.adopt(std::move(handover.sockets));
    outcomes_ = handover.outcomes;
    for (const auto& served : handover.served) {
      auto life = Life::adopt(served.pid, Line::adopt(served.line), served.age, served.heard);
      lives_.push_back(std::make_unique<Life>(std::move(life)));
      if (served.current) current_ = lives_.back().get();
    }
    bury();
    if (!handover.refused.empty()) {
      program_ = handover.program;
      if (handover.image >= 0) ::close(handover.image);
      return tell("upgrade", false, handover.refused);
    }
    auto fresh = fresh_config();
    auto changed = fresh ? take_up(std::move(*fresh)) : std::unexpected(fresh.error());
    if (!changed && !ending_) put_back(handover, changed.error().what);
    if (handover.image >= 0) ::close(handover.image);
    if (!changed) return;
    tell("upgrade", true,
         "version " SLUICE_VERSION " serves in the place of " + handover.version + "; " + *changed);
  }

  // The program before this one goes on, with all that it had; comes back only if that cannot be.
  void put_back(const Handover& before, const std::string& why) {
    const std::string refused = "version " SLUICE_VERSION " could not take over: " + why;
    auto handover = what_there_is(refused + "; version " + before.version + " goes on");
    ::close(handover.image);
    handover.image = -1;
    handover.program = before.program;
    const Error error = become("/proc/self/fd/" + std::to_string(before.image),
                               words_for(before.program, "run", command_), handover);
    tell("upgrade", false,
         refused + "; and version " + before.version + " could not be put back: " + error.what);
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

  // In the gateway's own process; its exit code. A signal that it is sent before it listens to signals waits.
  int live(const Config& config, Line& line) {
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
    if (number == SIGUSR2) {
      upgrade_asked_ = true;
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
      if (check_ != nullptr && pid == check_->pid()) check_->ended(status);
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
  const PidFile& pid_file_;
  std::string program_;  // the path it was started with
  int starter_;
  bool background_;
  int signals_ = -1;
  Listeners listeners_;
  std::vector<std::unique_ptr<Life>> lives_;  // one that serves, one that comes, those that finish
  Life* current_ = nullptr;                   // the one that serves
  Duration pause_ = pause_least;
  Duration lived_ = Duration::zero();  // of the last that crashed
  ProgramCheck* check_ = nullptr;
  unsigned outcomes_ = 0;  // of reloads and upgrades
  bool reload_asked_ = false, settings_asked_ = false, upgrade_asked_ = false;
  bool ending_ = false;
  bool ended_badly_ = false;
};

int supervise(const Command& command, const Config& config, int starter) {
  auto file = PidFile::take(pid_path(command));
  if (!file) {
    std::fprintf(stderr, "sluice: %s\n", file.error().what.c_str());
    return 1;
  }
  return Supervisor(command, config, *file, starter).run();
}

}  // namespace

int supervise_in_foreground(const Command& command, const Config& config) {
  return supervise(command, config, -1);
}

int supervise_after(const Command& command, Handover handover) {
  const auto failed = [](const std::string& what) {
    std::fprintf(stderr, "sluice: %s\n", what.c_str());
    log::alert("{}", what);
    return 1;
  };
  json::Findings findings;
  auto config = read_config(handover.config, command.prefix, findings);
  if (!config) config = load_config(command);  // a key in force means nothing to this version
  if (!config) return failed("neither the settings in force nor " + command.file + " hold in this version");
  if (auto logged = open_log(command, *config); !logged) return failed(logged.error().what);
  auto file = PidFile::adopt(pid_path(command), handover.pid_file);
  if (!file) return failed(file.error().what);
  return Supervisor(command, *config, *file, -1).run(std::move(handover));
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
