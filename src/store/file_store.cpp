// SPDX-License-Identifier: Apache-2.0
#include "store/file_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/log.h"
#include "store/file_watcher.h"
#include "store/mirror.h"
#include "store/watch_hub.h"

namespace sluice::store {
namespace {

Result<std::string> read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in) return fail(ErrorKind::system, "it cannot be read: " + system_message("open", errno));
  return std::move(text).str();
}

class FileStore final : public Store {
 public:
  FileStore(FilePlace place, async::Loop& loop)
      : place_(std::move(place)), loop_(loop),
        mirror_([](std::string_view, std::string_view) { return std::vector<std::string>(); }), hub_(loop),
        watcher_(loop, place_.path, [this] { reload(); }) {
    standing_.provider = place_.format == FileFormat::yaml ? "yaml" : "json";
    standing_.loaded = false;
    reload();
    hub_.begin_at(mirror_.revision());
  }

  async::Task<Result<std::optional<Entry>>> get(std::string key) override {
    const Entry* found = mirror_.find(key);
    return Result<std::optional<Entry>>(found ? std::optional(*found) : std::nullopt);
  }
  async::Task<Result<Page>> list(std::string prefix, std::string after, std::size_t limit) override {
    return Result<Page>(mirror_.list(prefix, after, std::clamp<std::size_t>(limit, 1, 10'000)));
  }
  async::Task<Result<Committed>> transact(Transaction) override { return Result<Committed>(read_only()); }
  async::Task<Result<Revision>> revision() override { return Result<Revision>(mirror_.revision()); }
  async::Task<Result<std::int64_t>> next_id() override { return Result<std::int64_t>(read_only()); }
  async::Task<Result<HistorySlice>> history(HistoryQuestion) override {
    return Result<HistorySlice>(fail(ErrorKind::system, "a file has no history"));
  }
  std::unique_ptr<Watch> watch(Revision from, OnChanges on_changes) override {
    return hub_.watch(from, std::move(on_changes));
  }
  async::Task<Result<>> backup(std::string) override {
    return Result<>(fail(ErrorKind::system, "copy " + place_.path + ": it is all there is"));
  }
  Result<Revision> scan(std::string prefix, const std::function<void(Entry&&)>& sink) override {
    return mirror_.scan(prefix, sink);
  }
  Standing standing() const override { return standing_; }

 private:
  std::unexpected<Error> read_only() const {
    return fail(ErrorKind::system,
                fmt::format("the configuration is the file {}: edit that, it is read when it changes",
                            place_.path));
  }

  void reload() {
    json::Findings findings;
    auto entries = read(findings);
    for (const auto& warning : findings.warnings)
      log::warn("{}: {} {}", place_.path, warning.path, warning.what);
    for (const auto& problem : findings.problems)
      log::error("{}: {} {}; it is left out", place_.path, problem.path, problem.what);
    tell(entries ? (findings.ok() ? "" : fmt::format("{} problems", findings.problems.size()))
                 : entries.error().what);
    standing_.reachable = entries.has_value();
    if (!entries) {
      log::error("{}: {}; {}", place_.path, standing_.what,
                 standing_.loaded ? "the configuration stays as it is" : "nothing is served");
      return;
    }
    apply(std::move(*entries));
  }

  Result<std::vector<Entry>> read(json::Findings& findings) const {
    auto text = read_whole(place_.path);
    if (!text) return std::unexpected(text.error());
    return read_config_file(*text, place_.format, place_.check, findings);
  }

  void tell(std::string what) {
    standing_.what = std::move(what);
    standing_.since = loop_.now();
  }

  // A revision for each reading; an entry that stays keeps its own.
  void apply(std::vector<Entry> entries) {
    const Revision next = mirror_.revision() + 1;
    for (Entry& entry : entries) {
      const Entry* old = mirror_.find(entry.key);
      entry.created = old ? old->created : next;
      entry.modified = old && old->value == entry.value ? old->modified : next;
    }
    auto changes = mirror_.replace(std::move(entries), next, loop_.clock().now());
    standing_.loaded = true;
    log::warn("{}: read, {} resources changed", place_.path, changes.size());
    hub_.announce(std::move(changes));
  }

  FilePlace place_;
  async::Loop& loop_;
  Mirror mirror_;
  WatchHub hub_;
  Standing standing_;
  FileWatcher watcher_;
};

}  // namespace

std::unique_ptr<Store> open_file(FilePlace place, async::Loop& loop) {
  return std::make_unique<FileStore>(std::move(place), loop);
}

}  // namespace sluice::store
