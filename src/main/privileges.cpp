// SPDX-License-Identifier: Apache-2.0
#include "main/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/log.h"

namespace sluice::main {
namespace {

Result<> give_to(const std::string& folder, uid_t user, gid_t group) {
  std::error_code error;
  if (::lchown(folder.c_str(), user, group) != 0)
    return fail(ErrorKind::system, system_message("cannot give " + folder + " to the user", errno));
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!entry.is_regular_file(error) || entry.is_symlink(error)) continue;
    if (::lchown(entry.path().c_str(), user, group) != 0 && errno != ENOENT)
      return fail(ErrorKind::system,
                  system_message("cannot give " + entry.path().string() + " to the user", errno));
  }
  return {};
}

struct Identity {
  std::string name;
  uid_t user;
  gid_t group;
};

Result<Identity> find_user(const std::string& user) {
  const auto space = std::min(user.find(' '), user.size());
  Identity identity{user.substr(0, space), 0, 0};
  const passwd* entry = ::getpwnam(identity.name.c_str());
  if (entry == nullptr)
    return fail(ErrorKind::not_found,
                "nginx_config.user names " + identity.name + ", who is no user of this system");
  identity.user = entry->pw_uid;
  identity.group = entry->pw_gid;
  if (space == user.size()) return identity;
  const std::string group = user.substr(space + 1);
  const auto* found = ::getgrnam(group.c_str());
  if (found == nullptr)
    return fail(ErrorKind::not_found,
                "nginx_config.user names the group " + group + ", which is none here");
  identity.group = found->gr_gid;
  return identity;
}

}  // namespace

void raise_descriptor_limit(std::uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  rlimit raised{wanted, std::max<rlim_t>(limit.rlim_max, wanted)};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  raised = {std::min<rlim_t>(wanted, limit.rlim_max), limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) raised.rlim_cur = limit.rlim_cur;
  log::warn(
      "nginx_config.worker_rlimit_nofile asks for {} descriptors, the system allows {}: raise the hard limit "
      "(ulimit -Hn, or LimitNOFILE of the unit) or lower the key",
      wanted, raised.rlim_cur);
}

Result<> check_user(const std::string& user) {
  if (::geteuid() != 0 || user.empty()) return {};
  const auto found = find_user(user);
  if (!found) return std::unexpected(found.error());
  return {};
}

Result<> become_user(const std::string& user, const std::string& prefix) {
  if (::geteuid() != 0) {
    if (!user.empty())
      log::warn("nginx_config.user is {}, but only root can become another user: it stays as it is", user);
    return {};
  }
  if (user.empty() || user == "root") {
    log::notice("serves as root: name a user in nginx_config.user to give the rights away behind the start");
    return {};
  }
  const auto found = find_user(user);
  if (!found) return std::unexpected(found.error());
  const auto& [name, user_number, group_number] = *found;
  for (const char* folder : {"/data", "/logs"}) {
    if (auto given = give_to(prefix + folder, user_number, group_number); !given) return given;
  }
  if (::initgroups(name.c_str(), group_number) != 0 || ::setgid(group_number) != 0 ||
      ::setuid(user_number) != 0)
    return fail(ErrorKind::system, system_message("cannot become " + name, errno));
  if (::access((prefix + "/data").c_str(), R_OK | W_OK | X_OK) != 0)
    return fail(ErrorKind::system, system_message("as " + name + " the gateway cannot reach " + prefix +
                                                      "/data, let the user into the folders above it",
                                                  errno));
  log::notice("started as root, serves as {}", name);
  return {};
}

}  // namespace sluice::main
