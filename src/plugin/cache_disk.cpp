// SPDX-License-Identifier: Apache-2.0
#include "plugin/cache_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"

namespace sluice::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t waiting_bytes_max = std::uint64_t{128} << 20;
constexpr std::size_t jobs_max = 16'384;
constexpr std::size_t name_size = 32;
constexpr std::string_view unfinished = ".new";  // of a file that is being written
constexpr std::int64_t unfinished_seconds = 60;  // older ones nobody writes any more

// 128 bits of SHA-256 in hexadecimal; the whole key stands in the file.
std::string name_of(std::string_view key) {
  constexpr char digits[] = "0123456789abcdef";
  const std::string digest = digest_of(Digest::sha256, key);
  std::string name;
  for (std::size_t i = 0; i < name_size / 2; ++i) {
    const auto byte = static_cast<unsigned char>(digest[i]);
    name += digits[byte >> 4];
    name += digits[byte & 15];
  }
  return name;
}

bool is_name(std::string_view text) {
  return text.size() == name_size && std::ranges::all_of(text, [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f');
         });
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

bool read_file(const std::string& path, std::string& bytes, std::size_t most) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (file.number() < 0 || ::fstat(file.number(), &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
  bytes.resize(std::min(static_cast<std::size_t>(facts.st_size), most));
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t count = ::read(file.number(), bytes.data() + at, bytes.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    at += static_cast<std::size_t>(count);
  }
  bytes.resize(at);
  return true;
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

CacheDisk::CacheDisk(CacheDiskOptions options) : options_(std::move(options)) {
  thread_ = std::thread([this] { work(); });
}

CacheDisk::~CacheDisk() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool CacheDisk::may_have(std::string_view key) {
  const std::string name = name_of(key);
  const std::lock_guard lock(mutex_);
  return !scanned_ || by_name_.contains(name);
}

async::Task<CacheEntry> CacheDisk::load(async::Loop& loop, std::string key, Instant deadline) {
  struct Loaded {
    std::mutex mutex;
    CacheEntry entry;
  };
  const auto loaded = std::make_shared<Loaded>();
  Waiting waiting(loop);
  Job job{Job::Kind::load, std::move(key), nullptr, {}, loop.now(), loop.wall()};
  job.done = [loaded, wake = waiting.wake()](CacheEntry entry) {
    {
      const std::lock_guard lock(loaded->mutex);
      loaded->entry = std::move(entry);
    }
    Wake::tell(wake);
  };
  hand_over(std::move(job));
  auto until = waiting.until(deadline);
  const bool told = co_await until;
  if (!told) co_return CacheEntry();
  const std::lock_guard lock(loaded->mutex);
  co_return loaded->entry;
}

void CacheDisk::write(CacheEntry entry) {
  Job job{Job::Kind::write, entry->key, entry, {}};
  hand_over(std::move(job));
}

void CacheDisk::erase(std::string_view key) {
  {
    const std::string name = name_of(key);
    const std::lock_guard lock(mutex_);
    forget(name);
  }
  hand_over({Job::Kind::erase, std::string(key), nullptr, {}});
}

std::uint64_t CacheDisk::bytes() {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t CacheDisk::files() {
  const std::lock_guard lock(mutex_);
  return files_.size();
}

void CacheDisk::settle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return jobs_.empty() && !busy_; });
}

void CacheDisk::hand_over(Job job) {
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t size = job.kind == Job::Kind::write ? job.entry->body->size() : 0;
    const bool full =
        jobs_.size() >= jobs_max || (waiting_bytes_ > 0 && waiting_bytes_ + size > waiting_bytes_max);
    if (!full || job.kind == Job::Kind::erase) {  // one that must not be found again is not dropped
      waiting_bytes_ += size;
      jobs_.push_back(std::move(job));
      job.done = nullptr;
    }
  }
  if (job.done) return job.done(nullptr);
  wake_.notify_one();
}

void CacheDisk::work() {
  scan();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (jobs_.empty()) {
      busy_ = false;
      idle_.notify_all();
      if (ending_) return;
      wake_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
      busy_ = true;
      continue;
    }
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    run(job);
    lock.lock();
    if (job.kind == Job::Kind::write) waiting_bytes_ -= job.entry->body->size();
  }
}

void CacheDisk::run(Job& job) {
  switch (job.kind) {
    case Job::Kind::load: return job.done(load_file(job));
    case Job::Kind::write: return write_file(*job.entry);
    case Job::Kind::erase: {
      const std::string name = name_of(job.key);
      ::unlink(place_of(name).c_str());
      const std::lock_guard lock(mutex_);
      forget(name);
    }
  }
}

// The last characters of the name, then those before them, as nginx lays its caches out.
std::string CacheDisk::place_of(const std::string& name) const {
  std::string path = options_.path;
  std::size_t end = name.size();
  for (const std::size_t level : options_.levels) {
    end -= level;
    path += "/" + name.substr(end, level);
  }
  return path + "/" + name;
}

// What the last process left. Files that are no responses and have a name of ours, and those it did not
// finish, are taken away.
void CacheDisk::scan() {
  std::vector<std::pair<std::int64_t, File>> found;
  std::error_code error;
  fs::recursive_directory_iterator at(options_.path, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
    }
    if (static_cast<std::size_t>(at.depth()) == options_.levels.size()) {
      at.disable_recursion_pending();
      look_at(at->path().filename().string(), found);
    }
  }
  std::ranges::sort(found, {}, [](const auto& one) { return one.first; });
  const std::lock_guard lock(mutex_);
  for (auto& [time, file] : found)
    if (!by_name_.contains(file.name)) note(file.name, file.size);
  scanned_ = true;
  make_room();
}

void CacheDisk::look_at(const std::string& name, std::vector<std::pair<std::int64_t, File>>& found) {
  if (!is_name(std::string_view(name).substr(0, name_size))) return;
  const std::string path = place_of(name.substr(0, name_size)) + name.substr(name_size);
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return;
  if (name.size() != name_size) {  // maybe of a process whose place this one takes, and which still writes
    const bool old = facts.st_mtime + unfinished_seconds < ::time(nullptr);
    if (old && name.ends_with(unfinished)) ::unlink(path.c_str());
    return;
  }
  std::string beginning;
  if (!read_file(path, beginning, cache_file_head)) return;
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (cache_file_size(beginning) == size) found.push_back({facts.st_mtime, {name, size}});
  else ::unlink(path.c_str());
}

CacheEntry CacheDisk::load_file(const Job& job) {
  const std::string name = name_of(job.key), path = place_of(name);
  std::string bytes;
  const bool read = read_file(path, bytes, std::size_t{1} << 40);
  CacheEntry entry = read ? read_cache_file(bytes, job.key, job.now, job.wall) : nullptr;
  if (read && entry == nullptr) ::unlink(path.c_str());
  const std::lock_guard lock(mutex_);
  if (entry == nullptr) forget(name);
  else note(name, bytes.size());
  return entry;
}

Result<> CacheDisk::try_write(const CachedResponse& entry, const std::string& name, std::uint64_t& size) {
  const std::string place = place_of(name);
  const std::string beside = place + "." + std::to_string(::getpid()) + std::string(unfinished);
  const std::string prefix = cache_file_prefix(entry);
  std::error_code error;
  fs::create_directories(fs::path(place).parent_path(), error);
  if (error) return fail(ErrorKind::system, place + ": " + error.message());
  {
    const Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.number() < 0) return fail(ErrorKind::system, system_message("open " + beside, errno));
    if (!write_all(file.number(), prefix) || !write_all(file.number(), *entry.body)) {
      auto failed = fail(ErrorKind::system, system_message("write " + beside, errno));
      ::unlink(beside.c_str());
      return failed;
    }
  }
  if (::rename(beside.c_str(), place.c_str()) != 0) {
    auto failed = fail(ErrorKind::system, system_message("rename " + beside, errno));
    ::unlink(beside.c_str());
    return failed;
  }
  size = prefix.size() + entry.body->size();
  return {};
}

void CacheDisk::write_file(const CachedResponse& entry) {
  const std::string name = name_of(entry.key);
  std::uint64_t size = 0;
  const auto written = try_write(entry, name, size);
  if (!written) {
    ::unlink(place_of(name).c_str());  // what stood there is older than what could not be written
    {
      const std::lock_guard lock(mutex_);
      forget(name);
    }
    return complain(written.error().what);
  }
  if (complained_) log::notice("proxy-cache: files are written below {} again", options_.path);
  complained_ = false;
  const std::lock_guard lock(mutex_);
  note(name, size);
  make_room();
}

void CacheDisk::complain(const std::string& what) {
  if (!complained_)
    log::error(
        "proxy-cache: {}; responses are not kept below {} until that is mended, and requests are served "
        "without",
        what, options_.path);
  complained_ = true;
}

void CacheDisk::note(const std::string& name, std::uint64_t size) {
  forget(name);
  files_.push_front({name, size});
  by_name_[files_.front().name] = files_.begin();
  bytes_ += size;
}

void CacheDisk::forget(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return;
  const auto file = found->second;
  bytes_ -= file->size;
  by_name_.erase(found);
  files_.erase(file);
}

void CacheDisk::make_room() {
  while (!files_.empty() && (bytes_ > options_.bytes_max || files_.size() > options_.files_max)) {
    ::unlink(place_of(files_.back().name).c_str());
    forget(std::string(files_.back().name));
  }
}

}  // namespace sluice::plugin
