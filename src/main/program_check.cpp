// SPDX-License-Identifier: Apache-2.0
#include "main/program_check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/text.h"

namespace sluice::main {
namespace {

constexpr std::size_t told_max = 4096;  // bytes of what the program printed

std::string text_of(int file) {
  std::string text(told_max, '\0');
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

// Its lines as one sentence, without the warnings.
std::string sentence_of(const std::string& text) {
  std::string sentence;
  for (std::string_view line : Split(text, '\n')) {
    if (line.starts_with("sluice: ")) line.remove_prefix(8);
    if (line.empty() || line.contains(": warning: ")) continue;
    sentence.append(sentence.empty() ? "" : "; ").append(line);
  }
  return sentence;
}

}  // namespace

Result<ProgramCheck> ProgramCheck::begin(const std::string& program, const Command& command,
                                         const Handover& handover, void (*prepare)()) {
  const auto written = write_handover(handover);
  if (!written) return std::unexpected(written.error());
  ProgramCheck check;
  check.program_ = program;
  check.output_ = ::memfd_create("output", MFD_CLOEXEC);
  check.errors_ = ::memfd_create("errors", MFD_CLOEXEC);
  check.pid_ = check.output_ < 0 || check.errors_ < 0 ? -1 : ::fork();
  if (check.pid_ == 0) {
    prepare();
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(check.output_, 1);
    ::dup2(check.errors_, 2);
    const Error error = try_on(program, words_for(program, "test", command), *written);
    [[maybe_unused]] const ssize_t told = ::write(2, error.what.data(), error.what.size());
    ::_exit(1);
  }
  const int why = errno;
  ::close(*written);
  if (check.pid_ < 0) return fail(ErrorKind::system, system_message("cannot try " + program, why));
  return check;
}

ProgramCheck::ProgramCheck(ProgramCheck&& other) noexcept
    : program_(std::move(other.program_)), pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)), errors_(std::exchange(other.errors_, -1)),
      ended_(other.ended_), status_(other.status_) {}

ProgramCheck::~ProgramCheck() {
  if (pid_ > 0 && !ended_) ::kill(pid_, SIGKILL);
  for (const int file : {output_, errors_}) {
    if (file >= 0) ::close(file);
  }
}

Result<std::string> ProgramCheck::verdict() const {
  if (!ended_) return fail(ErrorKind::timeout, "`" + program_ + " test` does not come to an end");
  const bool well = WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
  if (well) {
    const std::string output = text_of(output_);
    for (std::string_view line : Split(output, '\n')) {
      if (line.starts_with(takes_over)) return std::string(line.substr(takes_over.size()));
    }
    return fail(ErrorKind::protocol, program_ + " is no Sluice, or one that cannot take over while another "
                                                "runs: `sluice restart` puts it to work");
  }
  const std::string why = sentence_of(text_of(errors_));
  return fail(ErrorKind::protocol, why.empty() ? "`" + program_ + " test` fails without a word" : why);
}

std::vector<std::string> words_for(const std::string& program, std::string_view verb,
                                   const Command& command) {
  std::vector<std::string> words{program, std::string(verb), "-p", command.prefix};
  if (command.named_file) words.insert(words.end(), {"-c", command.file});
  return words;
}

}  // namespace sluice::main
