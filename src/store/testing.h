// SPDX-License-Identifier: Apache-2.0
// What the tests of the stores share: a folder that goes away, driving a loop until a task has ended, and an
// etcd of one's own. Tests only.
#pragma once
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "async/loop.h"
#include "base/address.h"
#include "http/client.h"
#include "json/value.h"
#include "net/network.h"
#include "store/store.h"

namespace sluice::store {

class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "sluice-store-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

template <class T>
async::Task<> keep(async::Task<T> task, std::optional<T>& into) {
  auto value = co_await task;
  into.emplace(std::move(value));
}

// Drives the loop until the task has ended.
template <class T>
T wait(async::Loop& loop, async::Task<T> task) {
  std::optional<T> result;
  loop.spawn(keep(std::move(task), result));
  while (!result) loop.run_once(std::chrono::seconds(10));
  return std::move(*result);
}

inline Transaction put(std::string key, std::string value, std::vector<std::string> references = {}) {
  Transaction transaction;
  transaction.writes.push_back({std::move(key), std::move(value), std::move(references)});
  transaction.author = {"test", "127.0.0.1"};
  return transaction;
}

inline Transaction remove(std::string key, std::vector<Condition> conditions = {}) {
  Transaction transaction;
  transaction.conditions = std::move(conditions);
  transaction.writes.push_back({std::move(key), {}, {}});
  return transaction;
}

// An etcd of one member on free ports of 127.0.0.1, with a folder of its own.
class EtcdServer {
 public:
  static bool installed() {
    for (std::string_view folder : {"/usr/bin/etcd", "/usr/local/bin/etcd"}) {
      if (::access(std::string(folder).c_str(), X_OK) == 0) return true;
    }
    return false;
  }

  EtcdServer() : port_(free_port()), peer_port_(free_port()) { start(); }
  EtcdServer(const EtcdServer&) = delete;
  ~EtcdServer() { kill(); }

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // Serves when it returns.
  void start() {
    pid_ = ::fork();
    if (pid_ == 0) become_etcd();
    async::Loop loop;
    http::Client client(loop, net::Network::system(), {"127.0.0.1", port_, "etcd", nullptr, ""}, {});
    for (int i = 0; i < 300; ++i) {
      const Instant deadline = after(loop.clock().now(), std::chrono::seconds(5));
      http::Client::Question question;
      question.method = "GET";
      question.target = "/health";
      question.deadline = deadline;
      auto answer = wait(loop, client.ask(std::move(question)));
      if (answer && answer->status == 200) return;
      loop.spawn(loop.sleep(std::chrono::milliseconds(50)));
      loop.run_once(std::chrono::milliseconds(50));
    }
    SLUICE_CHECK(!"etcd does not start");
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // Hangs, and goes on.
  void pause() { ::kill(pid_, SIGSTOP); }
  void go_on() { ::kill(pid_, SIGCONT); }
  // Forgets everything.
  void wipe() { std::filesystem::remove_all(folder_ / "data"); }

 private:
  static std::uint16_t free_port() {
    async::Loop loop;
    auto listener = net::Network::system().listen(loop, {IpAddress::loopback(), 0}, {.reuse_port = false},
                                                  [](net::Accepted) {});
    return (*listener)->endpoint().port;
  }
  [[noreturn]] void become_etcd() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto peer = "http://127.0.0.1:" + std::to_string(peer_port_);
    const auto data = folder_ / "data", cluster = "default=" + peer, log = folder_ / "etcd.log";
    if (std::freopen(log.c_str(), "a", stderr) == nullptr) ::_exit(126);
    if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);
    ::execlp("etcd", "etcd", "--data-dir", data.c_str(), "--listen-client-urls", url().c_str(),
             "--advertise-client-urls", url().c_str(), "--listen-peer-urls", peer.c_str(),
             "--initial-advertise-peer-urls", peer.c_str(), "--initial-cluster", cluster.c_str(),
             static_cast<char*>(nullptr));
    ::_exit(127);
  }

  Folder folder_;
  std::uint16_t port_, peer_port_;
  int pid_ = -1;
};

}  // namespace sluice::store
