// SPDX-License-Identifier: Apache-2.0
#include "secrets/secrets.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"

namespace sluice::secrets {
namespace {

// Behind a path: "/plugins/key-auth/key names $secret://vault/1/a/b, …".
std::string told(std::string_view reference, std::string_view why) {
  return fmt::format("names {}: {}", reference, why);
}

}  // namespace

Secrets::Secrets(async::Loop& loop, std::shared_ptr<Asker> asker, Lifetimes lifetimes, Events events)
    : loop_(loop), asker_(std::move(asker)), lifetimes_(lifetimes), events_(std::move(events)), moved_(loop) {
  keeper_.start(keep_fresh());
}

Secrets::~Secrets() { *alive_ = false; }

Result<std::string> Secrets::known(std::string_view reference) const {
  const auto found = entries_.find(reference);
  if (found == entries_.end() || !found->second.answered)
    return fail(ErrorKind::not_found, told(reference, "its manager has not answered yet"));
  const Entry& entry = found->second;
  if (!entry.value) return fail(ErrorKind::not_found, told(reference, entry.error));
  return *entry.value;
}

bool Secrets::waiting() const {
  return std::ranges::any_of(entries_, [](const auto& entry) { return !entry.second.answered; });
}

Secrets::Entry* Secrets::entry_of(std::string_view reference) {
  if (const auto found = entries_.find(reference); found != entries_.end()) return &found->second;
  if (entries_.size() >= references_max) return nullptr;
  Entry& fresh = entries_[std::string(reference)];
  fresh.due = loop_.now();
  moved_.notify();
  return &fresh;
}

Result<std::string> Secrets::want(std::string_view reference) {
  if (entry_of(reference) != nullptr) return known(reference);
  return fail(ErrorKind::limit, told(reference, fmt::format("more than {} different ones are not kept",
                                                            references_max)));
}

async::Task<> Secrets::ask(std::vector<std::string> references) {
  for (const auto& reference : references) {
    Entry* entry = entry_of(reference);
    if (entry == nullptr || entry->value) continue;
    entry->answered = false;  // a failure may be over by now
    entry->due = loop_.now();
  }
  moved_.notify();
  const auto all_answered = [&] {
    return std::ranges::all_of(references, [&](const std::string& reference) {
      const auto found = entries_.find(reference);
      return found == entries_.end() || found->second.answered;
    });
  };
  while (!all_answered()) co_await moved_.wait(never);
}

void Secrets::set_manager(std::string_view id, const json::Value* body) {
  const std::string name(id);
  if (body == nullptr) {
    managers_.erase(name);
  } else {
    auto made = make_manager(id, *body, asker_);
    if (made) managers_[name] = {std::move(*made), {}};
    else managers_[name] = {nullptr, made.error().what};
  }
  const std::string prefix = fmt::format("$secret://{}/", id);
  for (auto at = entries_.lower_bound(prefix); at != entries_.end() && at->first.starts_with(prefix); ++at)
    at->second.due = loop_.now();
  moved_.notify();
}

// ---- asking ----

async::Task<> Secrets::keep_fresh() {
  for (;;) {
    const Instant due = next_due();
    co_await moved_.wait(due);
    ask_what_is_due();
  }
}

Instant Secrets::next_due() const {
  Instant next = never;
  if (asking_ >= asked_at_once_max) return next;  // an answer comes first
  for (const auto& [reference, entry] : entries_) {
    if (!entry.asking) next = std::min(next, entry.due);
  }
  return next;
}

void Secrets::ask_what_is_due() {
  std::vector<std::string> due;
  for (const auto& [reference, entry] : entries_) {
    if (!entry.asking && entry.due <= loop_.now()) due.push_back(reference);
  }
  for (const auto& reference : due) {
    if (asking_ >= asked_at_once_max) return;
    const auto found = entries_.find(reference);
    if (found == entries_.end()) continue;
    if (found->second.answered && !events_.is_used(reference)) entries_.erase(found);
    else ask(reference, found->second);
  }
}

void Secrets::ask(const std::string& reference, Entry& entry) {
  auto parts = model::parse_secret_reference(reference);
  if (!parts) return settle(reference, entry, std::unexpected(parts.error()));
  const auto found = managers_.find(parts->manager);
  if (found == managers_.end())
    return settle(reference, entry,
                  fail(ErrorKind::not_found, fmt::format("there is no secrets/{}", parts->manager)));
  if (found->second.manager == nullptr)
    return settle(reference, entry, fail(ErrorKind::protocol, fmt::format("secrets/{} does not hold: {}",
                                                                          parts->manager,
                                                                          found->second.error)));
  entry.asking = true;
  ++asking_;
  loop_.spawn(answer(this, alive_, reference, found->second.manager, std::move(parts->key)));
}

async::Task<> Secrets::answer(Secrets* self, std::shared_ptr<bool> alive, std::string reference,
                              std::shared_ptr<Manager> manager, std::string key) {
  auto result = co_await manager->get(std::move(key));
  if (*alive) self->take(reference, manager, std::move(result));
}

void Secrets::take(const std::string& reference, const std::shared_ptr<Manager>& from,
                   Result<std::string> result) {
  --asking_;
  moved_.notify();
  const auto found = entries_.find(reference);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.asking = false;
  const auto parts = model::parse_secret_reference(reference);
  const auto manager = managers_.find(parts->manager);
  if (manager == managers_.end() || manager->second.manager != from) {
    entry.due = loop_.now();  // the manager is another one by now
    return;
  }
  settle(reference, entry, std::move(result));
}

void Secrets::settle(const std::string& reference, Entry& entry, Result<std::string> result) {
  const bool changed = result && entry.value != *result;
  entry.answered = true;
  entry.due = after(loop_.now(), result ? lifetimes_.known : lifetimes_.failed);
  moved_.notify();
  if (result) {
    if (!entry.error.empty() && entry.value) log::notice("{} is answered again", reference);
    entry.error.clear();
    entry.value = std::move(*result);
  } else if (entry.error != result.error().what) {
    entry.error = result.error().what;
    log::error(
        "{}: {}; {}", reference, entry.error,
        entry.value ? "what was known before stays" : "what needs it is not applied until it is known");
  }
  if (changed) events_.changed(reference);
}

}  // namespace sluice::secrets
