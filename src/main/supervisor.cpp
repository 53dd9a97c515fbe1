// SPDX-License-Identifier: Apache-2.0
#include "main/supervisor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/time.h"
#include "main/gateway_run.h"
#include "main/pid_file.h"

namespace sluice::main {
namespace {

constexpr Duration pause_least = 100ms, pause_most = 30s;
constexpr Duration healthy_life = 60s;  // whoever lived so long starts again at the least pause
constexpr int passed_on[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP};

sigset_t awaited() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  for (const int number : passed_on) ::sigaddset(&set, number);
  return set;
}

void leave_terminal() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int descriptor : {0, 1, 2}) ::dup2(null, descriptor);
  if (null > 2) ::close(null);
}

// Memory that a child shares with its parent: whether it has taken its ports.
class SharedFlag {
 public:
  SharedFlag()
      : flag_(static_cast<std::atomic<bool>*>(::mmap(
            nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    SLUICE_CHECK(flag_ != MAP_FAILED);
    new (flag_) std::atomic<bool>(false);
  }
  SharedFlag(const SharedFlag&) = delete;
  ~SharedFlag() { ::munmap(flag_, sizeof(std::atomic<bool>)); }
  void set() { flag_->store(true); }
  bool is_set() const { return flag_->load(); }

 private:
  std::atomic<bool>* flag_;
};

class Supervisor {
 public:
  // `waiting` is the pipe to whoever waits for the first start.
  Supervisor(const Command& command, const Config& config, int waiting)
      : command_(command), config_(config), waiting_(waiting) {}

  int run() {
    const sigset_t set = awaited();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    Duration pause = pause_least;
    for (;;) {
      const Instant began = Clock::system().now();
      const int status = one_life();
      const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (ended_well) return 0;
      if (ending_ || !ready_once_.is_set()) return 1;
      if (Clock::system().now() - began >= healthy_life) pause = pause_least;
      log::alert("the gateway {} {}: it is started again in {} ms",
                 WIFSIGNALED(status) ? "was ended by signal" : "ended with code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), pause / 1ms);
      if (!wait_for(pause)) return 0;
      pause = std::min(pause * 2, pause_most);
      read_again();
    }
  }

 private:
  // From a fork to its end; the status is that of waitpid.
  int one_life() {
    const pid_t self = ::getpid();
    child_ = ::fork();
    if (child_ < 0) {
      log::alert("{}", system_message("fork", errno));
      return 1 << 8;
    }
    if (child_ == 0) live(self);
    if (waiting_ >= 0) {  // the child has the terminal and the pipe to itself
      leave_terminal();
      ::close(std::exchange(waiting_, -1));
    }
    const sigset_t set = awaited();
    for (;;) {
      int status = 0;
      if (::waitpid(child_, &status, WNOHANG) == child_) return status;
      const int number = ::sigwaitinfo(&set, nullptr);
      if (number <= 0 || number == SIGCHLD) continue;
      if (ends(number)) ending_ = true;
      if (number == SIGUSR1) static_cast<void>(log::reopen());
      ::kill(child_, number);
    }
  }

  // The gateway's own process.
  [[noreturn]] void live(pid_t parent) {
    const sigset_t set = awaited();
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    const auto end_with_parent = [parent] {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) std::exit(1);
    };
    end_with_parent();
    const int code = serve(command_, std::move(config_), [&] {
      end_with_parent();  // becoming another user has undone it
      ready_once_.set();
      if (waiting_ < 0) return;
      leave_terminal();
      if (::write(waiting_, "+", 1) != 1) log::info("nobody waited for the start");
      ::close(waiting_);
    });
    std::exit(code);
  }

  static bool ends(int number) { return number == SIGTERM || number == SIGINT || number == SIGQUIT; }

  // False when a signal to end came meanwhile.
  static bool wait_for(Duration pause) {
    const sigset_t set = awaited();
    const Instant until = Clock::system().now() + pause;
    for (Duration left = pause; left > Duration::zero(); left = until - Clock::system().now()) {
      const timespec wait{left / 1s, static_cast<long>((left % 1s).count())};
      if (ends(::sigtimedwait(&set, nullptr, &wait))) return false;
    }
    return true;
  }

  // The file may have been edited since; one that does not hold leaves what was read last.
  void read_again() {
    if (auto fresh = load_config(command_)) config_ = std::move(*fresh);
    else log::error("{} does not hold any more: the gateway goes on with what it read last", command_.file);
  }

  const Command& command_;
  Config config_;
  int waiting_;
  SharedFlag ready_once_;
  pid_t child_ = -1;
  bool ending_ = false;
};

// In the process that stays.
int supervise(const Command& command, const Config& config, int waiting) {
  ::setsid();
  if (::chdir("/") != 0) return 1;
  auto file = PidFile::take(pid_path(command));
  if (!file) {
    std::fprintf(stderr, "sluice: %s\n", file.error().what.c_str());
    return 1;
  }
  return Supervisor(command, config, waiting).run();
}

}  // namespace

int start_supervised(const Command& command, const Config& config) {
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
    std::exit(supervise(command, config, pipe[1]));
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
