// SPDX-License-Identifier: Apache-2.0
#include "admin/keys.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/random.h"
#include "base/text.h"

namespace sluice::admin {
namespace {

constexpr std::size_t key_length_min = 16;
constexpr std::array<std::string_view, 2> published{"edd1c9f034335f136f87ad84b625c8f1",
                                                    "4054f7cf07e344346cd3f287985e76a2"};

bool is_published(const Key& key) { return std::ranges::find(published, key.key) != published.end(); }

std::unexpected<Error> published_to_the_network(const Key& key) {
  return fail(
      ErrorKind::system,
      fmt::format("the Admin API key \"{}\" is a default that APISIX published and everybody knows: set "
                  "another in deployment.admin.admin_key, leave it out to have one generated, or let "
                  "deployment.admin.admin_listen.ip be 127.0.0.1",
                  key.name));
}

class File {
 public:
  File(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  ~File() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

std::unexpected<Error> cannot(std::string_view doing, const std::string& path) {
  return fail(ErrorKind::system, fmt::format("cannot {} the Admin API key in {}: {}", doing, path,
                                             system_message("the file", errno)));
}

Result<std::string> read_key(const File& file, const std::string& path) {
  struct stat about{};
  if (::fstat(file.number(), &about) != 0) return cannot("read", path);
  if ((about.st_mode & 077) != 0 && ::fchmod(file.number(), 0600) == 0) {
    log::warn(
        "{} could be read by others; its mode is 0600 now, but the key may be known: remove the file and "
        "restart to get a new one",
        path);
  }
  char buffer[512];
  auto size = ::read(file.number(), buffer, sizeof buffer);
  if (size < 0) return cannot("read", path);
  std::string key(trim(std::string_view(buffer, static_cast<std::size_t>(size))));
  if (key.size() < key_length_min) {
    return fail(ErrorKind::system,
                fmt::format("{} holds no Admin API key of at least {} characters: remove it, and a "
                            "new one is made at the next start",
                            path, key_length_min));
  }
  return key;
}

}  // namespace

Result<Keys> Keys::make(std::vector<Key> keys, Reach reach) {
  if (keys.empty()) return fail(ErrorKind::system, "the Admin API needs a key");
  for (const auto& key : keys) {
    if (is_published(key)) {
      if (reach == Reach::network) return published_to_the_network(key);
      log::warn(
          "the Admin API key \"{}\" is a default that APISIX published and everybody knows: it admits every "
          "program on this "
          "machine; set another in deployment.admin.admin_key",
          key.name);
    }
    if (key.key.size() < key_length_min) {
      return fail(ErrorKind::system,
                  fmt::format("the Admin API key \"{}\" has {} characters: use at least {}, or leave "
                              "deployment.admin.admin_key out to have one generated",
                              key.name, key.key.size(), key_length_min));
    }
  }
  Keys made;
  made.keys_ = std::move(keys);
  made.required_ = true;
  return made;
}

Access Keys::check(std::string_view given, bool reading, bool by_page) const {
  if (given.empty()) return {nullptr, nullptr, "missing apikey"};
  const Key* found = nullptr;
  for (const auto& key : keys_) {
    if (equals_in_constant_time(key.key, given)) found = &key;
  }
  if (!found) return {nullptr, nullptr, "wrong apikey"};
  if (found->role == Role::viewer && !reading) return {nullptr, found, "invalid method for role viewer"};
  if (by_page && is_published(*found))
    return {nullptr, found, "a key that APISIX published is not taken from web pages"};
  return {found, found, {}};
}

Result<std::string> load_or_make_key(const std::string& path) {
  {
    File file(path, O_RDONLY);
    if (file.number() >= 0) return read_key(file, path);
    if (errno != ENOENT) return cannot("read", path);
  }
  auto key = secret_hex(32);
  auto text = key + "\n";
  File file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (file.number() < 0) return cannot("keep", path);
  auto written = ::write(file.number(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size()) || ::fsync(file.number()) != 0) {
    auto error = cannot("keep", path);
    ::unlink(path.c_str());
    return error;
  }
  return key;
}

}  // namespace sluice::admin
