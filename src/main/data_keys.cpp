// SPDX-License-Identifier: Apache-2.0
#include "main/data_keys.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/cipher.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"

namespace sluice::main {
namespace {

std::unexpected<Error> cannot(std::string_view doing, const std::string& path, std::string_view call) {
  return fail(ErrorKind::system, fmt::format("cannot {} the key that seals secrets, {}: {}", doing, path,
                                             system_message(call, errno)));
}

DataKeys::Key make_key() {
  DataKeys::Key key{secret_hex(4), std::string(seal_key_bytes, '\0')};
  fill_with_secret_bytes(key.bytes.data(), key.bytes.size());
  return key;
}

// Into a new file of mode 0600 that then takes the place of `path`.
Result<> replace_file(const std::string& path, std::string_view text) {
  const std::string unfinished = path + ".unfinished";
  ::unlink(unfinished.c_str());
  const int file = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return cannot("keep", path, "open");
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(file) == 0;
  ::close(file);
  if (!written || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    auto error = cannot("keep", path, "write");
    ::unlink(unfinished.c_str());
    return error;
  }
  const auto folder = std::filesystem::path(path).parent_path();
  if (const int held = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); held >= 0) {
    ::fsync(held);
    ::close(held);
  }
  return {};
}

void keep_from_others(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0 || (about.st_mode & 077) == 0) return;
  if (::chmod(path.c_str(), 0600) == 0)
    log::warn("{} could be read by others; its mode is 0600 now, but the key may be known: run sluice "
              "change-key",
              path);
}

}  // namespace

Result<std::vector<DataKeys::Key>> DataKeys::parse(const std::string& text, const std::string& path) {
  std::vector<Key> keys;
  for (std::string_view line : Split(text, '\n')) {
    line = trim(line);
    if (line.empty()) continue;
    const auto blank = line.find(' ');
    Key key{std::string(line.substr(0, blank)), {}};
    const bool good = blank != line.npos && key.id.size() == 8 &&
                      decode_hex(trim(line.substr(blank)), key.bytes) && key.bytes.size() == seal_key_bytes;
    if (!good) {
      return fail(
          ErrorKind::system,
          fmt::format("{} has a line that is no key: put the file of a backup in its place, or remove "
                      "it; what it has sealed is lost then",
                      path));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<DataKeys> DataKeys::load_or_make(const std::string& path) {
  DataKeys all;
  all.path_ = path;
  std::ifstream file(path, std::ios::binary);
  if (file) {
    keep_from_others(path);
    std::stringstream text;
    text << file.rdbuf();
    auto keys = parse(text.str(), path);
    if (!keys) return std::unexpected(keys.error());
    all.keys_ = std::move(*keys);
  } else if (errno != ENOENT) {
    return cannot("read", path, "open");
  }
  if (!all.keys_.empty()) return all;
  all.made_ = true;
  all.keys_.push_back(make_key());
  if (auto kept = all.write(); !kept) return std::unexpected(kept.error());
  return all;
}

const DataKeys::Key* DataKeys::find(std::string_view id) const {
  const auto found = std::ranges::find(keys_, id, &Key::id);
  return found == keys_.end() ? nullptr : &*found;
}

Result<> DataKeys::add_new() {
  DataKeys more = *this;
  more.keys_.insert(more.keys_.begin(), make_key());
  if (auto kept = more.write(); !kept) return kept;
  *this = std::move(more);
  return {};
}

Result<> DataKeys::keep_current_only() {
  DataKeys fewer = *this;
  fewer.keys_.resize(1);
  fewer.made_ = false;
  if (keys_.size() > 1) {
    if (auto kept = fewer.write(); !kept) return kept;
  }
  *this = std::move(fewer);
  return {};
}

Result<> DataKeys::write() const {
  std::string text;
  for (const Key& key : keys_) {
    text.append(key.id).append(" ");
    append_hex(key.bytes, text);
    text += '\n';
  }
  return replace_file(path_, text);
}

}  // namespace sluice::main
