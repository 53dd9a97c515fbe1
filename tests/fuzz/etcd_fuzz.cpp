// SPDX-License-Identifier: Apache-2.0
// Any bytes as etcd's answers, as the lines of its watch cut at any place, as records of the history, and as
// stand-alone files.
#include "json/text.h"
#include "store/config_file.h"
#include "store/etcd_record.h"
#include "store/etcd_wire.h"
#include "store/history_index.h"
#include "store/mirror.h"

namespace {

using namespace sluice;

void read_answers(std::string_view text) {
  if (const auto key = store::etcd::glance_at_last_key(text)) SLUICE_CHECK(!key->empty());
  const auto value = json::parse(text);
  if (!value) return;
  (void)store::etcd::read_range(*value);
  (void)store::etcd::refusal_of(200, *value);
  const auto transaction = store::etcd::read_transaction(*value);
  if (transaction) SLUICE_CHECK(transaction->revision >= 0);
}

void follow(std::string_view bytes, std::size_t piece) {
  store::etcd::Lines lines(1 << 12);
  store::Mirror mirror([](std::string_view, std::string_view value) {
    return std::vector<std::string>{std::string(value)};
  });
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    if (!lines.add(bytes.substr(0, piece))) return;
    while (const auto line = lines.next()) {
      const auto answer = store::etcd::read_watch(*line);
      if (!answer) continue;
      for (const auto& change : answer->changes) mirror.apply(change);
    }
  }
  mirror.replace({}, 1, Instant());
  SLUICE_CHECK(mirror.list("", "", 10).entries.empty());
}

void read_record(std::string_view text) {
  if (const auto heads = store::etcd::read_heads(text)) {
    const auto again = store::etcd::read_heads(to_text(*heads));
    SLUICE_CHECK(again && again->size() == heads->size());
    SLUICE_CHECK(again->back().keys.size() == heads->back().keys.size());
  }
  if (const auto values = store::etcd::read_values(text)) {
    const auto again = store::etcd::read_values(to_text(*values));
    SLUICE_CHECK(again && again->size() == values->size());
  }
  store::HistoryIndex index;
  const std::string id(text.substr(0, text.find_first_of("{[")));
  store::Change change{.revision = 1, .key = "records/" + id, .value = std::string(text.substr(id.size()))};
  index.apply(change);
  const auto beyond = index.beyond({.revisions_max = 0}, 0, 50);
  SLUICE_CHECK(beyond.ids.size() <= index.records().size());
  change.value.reset();
  index.apply(change);
  SLUICE_CHECK(index.records().empty());
}

void read_file(std::string_view text, store::FileFormat format) {
  json::Findings findings;
  const store::CheckResource check = [](const model::Resource& resource, std::string_view id,
                                        const json::Value& body, json::Findings& found) {
    json::Reader reader(found);
    resource.check(id, body, reader);
  };
  (void)store::read_config_file(text, format, check, findings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_answers(text);
  follow(text, 1 + size % 7);
  follow(text, size + 1);
  read_record(text);
  if (size > 8192) return 0;
  read_file(text, store::FileFormat::json);
  read_file(std::string(text) + "\n#END", store::FileFormat::yaml);
  return 0;
}
