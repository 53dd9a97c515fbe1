// SPDX-License-Identifier: Apache-2.0
#include "store/file_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>

namespace sluice::store {
namespace {

constexpr Duration look_every = std::chrono::seconds(1);

}  // namespace

FileWatcher::FileWatcher(async::Loop& loop, std::string path, std::function<void()> changed)
    : loop_(loop), path_(std::move(path)), changed_(std::move(changed)), seen_(look()),
      timer_(loop, &FileWatcher::tick, this) {
  notify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (notify_ >= 0) {
    const std::string folder = std::filesystem::path(path_).parent_path();
    constexpr std::uint32_t what = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
    ::inotify_add_watch(notify_, folder.empty() ? "." : folder.c_str(), what);
    handle_ = loop_.watch(notify_, *this);
  }
  timer_.set(after(loop_.clock().now(), look_every));
}

FileWatcher::~FileWatcher() {
  if (handle_ != async::Loop::no_handle) loop_.unwatch(handle_, notify_);
  if (notify_ >= 0) ::close(notify_);
}

FileWatcher::Look FileWatcher::look() const {
  struct stat about{};
  if (::stat(path_.c_str(), &about) != 0) return {};
  return {about.st_dev, about.st_ino, about.st_size,
          static_cast<std::int64_t>(about.st_mtim.tv_sec) * 1'000'000'000 + about.st_mtim.tv_nsec};
}

void FileWatcher::on_ready(std::uint32_t) {
  alignas(inotify_event) char events[4096];
  while (::read(notify_, events, sizeof events) > 0) {
  }
  compare();
}

void FileWatcher::tick(void* self) {
  auto& watcher = *static_cast<FileWatcher*>(self);
  watcher.timer_.set(after(watcher.loop_.now(), look_every));
  watcher.compare();
}

void FileWatcher::compare() {
  const Look now = look();
  if (now == seen_) return;
  seen_ = now;
  changed_();
}

}  // namespace sluice::store
