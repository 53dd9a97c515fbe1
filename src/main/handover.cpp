// SPDX-License-Identifier: Apache-2.0
#include "main/handover.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "json/text.h"

namespace sluice::main {
namespace {

constexpr int form = 1;
constexpr const char* variable = "SLUICE_HANDOVER";
constexpr std::size_t bytes_max = 64u << 20;
constexpr std::string_view port_names[] = {"data", "stream", "datagrams", "admin", "control", "status",
                                           "metrics"};

std::string_view name_of(Port port) { return port_names[static_cast<std::size_t>(port)]; }

std::optional<Port> port_named(std::string_view name) {
  const auto* const found = std::ranges::find(port_names, name);
  if (found == std::end(port_names)) return std::nullopt;
  return static_cast<Port>(found - std::begin(port_names));
}

json::Value told(const Handover& handover) {
  auto sockets = json::Value::array();
  for (const auto& [place, numbers] : handover.sockets) {
    auto list = json::Value::array();
    for (const int number : numbers) list.push_back(number);
    sockets.push_back(json::Value::object(
        {{"for", name_of(place.port)},
         {"address", place.at.address.text()},
         {"port", place.at.port},
         {"sockets", std::move(list)}}));
  }
  auto served = json::Value::array();
  for (const auto& life : handover.served) {
    served.push_back(json::Value::object({{"pid", life.pid},
                                          {"line", life.line},
                                          {"age_ms", life.age / 1ms},
                                          {"heard", life.heard},
                                          {"current", life.current}}));
  }
  return json::Value::object({{"form", form},
                              {"version", handover.version},
                              {"program", handover.program},
                              {"image", handover.image},
                              {"pid_file", handover.pid_file},
                              {"outcomes", handover.outcomes},
                              {"config", handover.config},
                              {"refused", handover.refused},
                              {"listeners", std::move(sockets)},
                              {"served", std::move(served)}});
}

// Takes members of one object; what is missing or of another type leaves `whole` false.
class Members {
 public:
  explicit Members(const json::Value& object) : object_(object) {}

  std::string text(std::string_view name) {
    const auto* value = object_.find(name);
    return take(value != nullptr && value->is_string()) ? value->as_string() : std::string();
  }
  template <class T>
  T number(std::string_view name) {
    const auto* value = object_.find(name);
    const bool fits = value != nullptr && value->is_integer() && std::in_range<T>(value->as_int());
    return take(fits) ? static_cast<T>(value->as_int()) : T();
  }
  bool flag(std::string_view name) {
    const auto* value = object_.find(name);
    return take(value != nullptr && value->is_bool()) && value->as_bool();
  }
  const json::Array& list(std::string_view name) {
    static const json::Array none;
    const auto* value = object_.find(name);
    return take(value != nullptr && value->is_array()) ? value->as_array() : none;
  }
  bool take(bool good) { return whole_ = whole_ && good, good; }
  bool whole() const { return whole_; }

 private:
  const json::Value& object_;
  bool whole_ = true;
};

bool read_listener(const json::Value& item, Handover& into) {
  Members members(item);
  const auto purpose = port_named(members.text("for"));
  const auto address = IpAddress::parse(members.text("address"));
  const auto port = members.number<std::uint16_t>("port");
  if (!purpose || !address) return false;
  auto& numbers = into.sockets[{*purpose, {*address, port}}];
  for (const json::Value& socket : members.list("sockets")) {
    if (!socket.is_integer() || !std::in_range<int>(socket.as_int())) return false;
    numbers.push_back(static_cast<int>(socket.as_int()));
  }
  return members.whole();
}

bool read_served(const json::Value& item, Handover& into) {
  Members members(item);
  auto& life = into.served.emplace_back();
  life.pid = members.number<pid_t>("pid");
  life.line = members.number<int>("line");
  life.age = members.number<std::int64_t>("age_ms") * 1ms;
  life.heard = members.text("heard");
  life.current = members.flag("current");
  return members.whole() && life.pid > 0;
}

// The descriptor that the environment names; -1 when what stands there is no number.
std::optional<int> named_file() {
  const char* number = std::getenv(variable);
  if (number == nullptr) return std::nullopt;
  const std::string_view text(number);
  int file = -1;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), file);
  return read.ptr == text.data() + text.size() && file > 2 ? file : -1;
}

void leave(const std::vector<int>& descriptors, bool to_successor) {
  for (const int number : descriptors) ::fcntl(number, F_SETFD, to_successor ? 0 : FD_CLOEXEC);
}

Error begin(const std::string& file, const std::vector<std::string>& words, int handover) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  ::setenv(variable, std::to_string(handover).c_str(), 1);
  leave({handover}, true);
  ::execv(file.c_str(), pointers.data());
  const int why = errno;
  leave({handover}, false);
  ::unsetenv(variable);
  return {ErrorKind::system, Fault::us, system_message("cannot begin " + words.front(), why)};
}

}  // namespace

std::vector<int> Handover::descriptors() const {
  std::vector<int> all;
  for (const int one : {image, pid_file}) {
    if (one >= 0) all.push_back(one);
  }
  for (const auto& [place, numbers] : sockets) all.insert(all.end(), numbers.begin(), numbers.end());
  for (const Served& life : served) {
    if (life.line >= 0) all.push_back(life.line);
  }
  return all;
}

Result<int> write_handover(const Handover& handover) {
  const int file = ::memfd_create("sluice-handover", MFD_CLOEXEC);
  if (file < 0) return fail(ErrorKind::system, system_message("memfd_create", errno));
  const std::string text = json::dump(told(handover));
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(file, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      ::close(file);
      return fail(ErrorKind::system, system_message("cannot write down what is handed over", errno));
    }
    written += static_cast<std::size_t>(count);
  }
  return file;
}

Result<Handover> read_handover(int file) {
  struct stat about {};
  const auto bad = [](const std::string& why) {
    return fail(ErrorKind::protocol, "what a running gateway hands over cannot be read: " + why);
  };
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
    return bad(std::string(variable) + " names no file in memory; this variable is not for people");
  if (static_cast<std::size_t>(about.st_size) > bytes_max) return bad("it is too long");
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  if (::pread(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return bad("it ends too early");
  auto parsed = json::parse(text);
  if (!parsed) return bad(parsed.error().what);
  Members members(*parsed);
  if (const int number = members.number<int>("form"); number != form)
    return bad("its form is " + std::to_string(number) + ", this version knows " + std::to_string(form));
  Handover handover;
  handover.version = members.text("version");
  handover.program = members.text("program");
  handover.image = members.number<int>("image");
  handover.pid_file = members.number<int>("pid_file");
  handover.outcomes = members.number<unsigned>("outcomes");
  handover.config = members.text("config");
  handover.refused = members.text("refused");
  for (const json::Value& item : members.list("listeners"))
    if (!read_listener(item, handover)) return bad("a listener is not whole");
  for (const json::Value& item : members.list("served"))
    if (!read_served(item, handover)) return bad("a process is not whole");
  if (!members.whole()) return bad("a member is missing");
  return handover;
}

std::optional<Result<Handover>> given_handover() {
  const auto file = named_file();
  if (!file) return std::nullopt;
  return read_handover(*file);
}

std::optional<Result<Handover>> take_handover() {
  const auto file = named_file();
  if (!file) return std::nullopt;
  ::unsetenv(variable);
  auto given = read_handover(*file);
  ::close(*file);
  if (!given) return given;
  for (const int number : given->descriptors()) {
    if (::fcntl(number, F_SETFD, FD_CLOEXEC) == 0) continue;
    return fail(ErrorKind::protocol, "a running gateway hands over descriptor " + std::to_string(number) +
                                         ", which is not open");
  }
  return given;
}

Error become(const std::string& file, const std::vector<std::string>& words, const Handover& handover) {
  const auto written = write_handover(handover);
  if (!written) return written.error();
  leave(handover.descriptors(), true);
  Error error = begin(file, words, *written);
  leave(handover.descriptors(), false);
  ::close(*written);
  return error;
}

Error try_on(const std::string& file, const std::vector<std::string>& words, int handover) {
  return begin(file, words, handover);
}

}  // namespace sluice::main
