// SPDX-License-Identifier: Apache-2.0
// Tells when a file may have changed: written, replaced, or its folder's link turned (as Kubernetes does).
// inotify on the folder says it at once; a look every second finds what inotify cannot see (network file
// systems, a file mounted alone). One loop, which outlives it.
#pragma once
#include <sys/stat.h>

#include <functional>
#include <string>

#include "async/loop.h"
#include "async/timer.h"

namespace sluice::store {

class FileWatcher final : public async::Pollable {
 public:
  FileWatcher(async::Loop& loop, std::string path, std::function<void()> changed);
  FileWatcher(const FileWatcher&) = delete;
  ~FileWatcher();

  void on_ready(std::uint32_t events) override;

 private:
  // What distinguishes one content from the next.
  struct Look {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;  // -1: there is no file
    std::int64_t modified_ns = 0;
    friend bool operator==(const Look&, const Look&) = default;
  };
  Look look() const;
  void compare();
  static void tick(void* self);

  async::Loop& loop_;
  std::string path_;
  std::function<void()> changed_;
  Look seen_;
  int notify_ = -1;
  async::Loop::Handle handle_ = async::Loop::no_handle;
  async::Timer timer_;
};

}  // namespace sluice::store
