// SPDX-License-Identifier: Apache-2.0
#include "plugin/exchange.h"

#include "http/field_lines.h"

namespace sluice::plugin {

Exchange::Exchange(Worker& the_worker, const Endpoint& client_end, const Endpoint& server_end)
    : worker(the_worker),
      client(client_end),
      server(server_end),
      remote(client_end),
      started(the_worker.loop.now()) {}

Exchange::~Exchange() = default;

void Exchange::authenticate(const Consumer& found) {
  consumer = &found;
  consumer_name = found.name;
  // The upstream is told who it is, and never believes a client that says so itself.
  static const http::FieldName name("X-Consumer-Username"), credential("X-Credential-Identifier"),
      custom("X-Consumer-Custom-Id");
  static const http::NameLengths lengths(name.text(), credential.text(), custom.text());
  auto& headers = request.headers;
  if (lengths.may_be_in(headers))
    for (const auto* field : {&name, &credential, &custom}) headers.remove(*field);
  headers.add(name, found.name);
  if (!found.credential_id.empty()) headers.add(credential, found.credential_id);
  if (!found.custom_id.empty()) headers.add(custom, found.custom_id);
}

void Exchange::set_remote(const Endpoint& found) {
  constexpr std::size_t characters_max = 46;
  remote = found;
  char* text = arena.text(characters_max);
  remote_text = {text, remote.address.format(text)};
}

bool Exchange::is_secure() const {
  const auto* proto = trusted_client ? request.headers.find(http::HeaderId::x_forwarded_proto) : nullptr;
  return proto == nullptr ? request.secure : proto->value == "https";
}

void Exchange::set_target(std::string_view target) {
  constexpr char hex[] = "0123456789ABCDEF";
  char* text = arena.text(target.size() * 3);
  std::size_t size = 0;
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte != 0x7f) {
      text[size++] = c;
      continue;
    }
    text[size++] = '%';
    text[size++] = hex[byte >> 4];
    text[size++] = hex[byte & 15];
  }
  upstream.target = {text, size};
}

void* Exchange::find_state(const void* owner) const {
  for (const State* state = states_; state != nullptr; state = state->next) {
    if (state->owner == owner) return state->value;
  }
  return nullptr;
}

void Exchange::keep_state(const void* owner, void* value) {
  states_ = arena.make<State>(State{owner, value, states_});
}

std::unique_ptr<Local> Worker::take_local(const Plugin& plugin) {
  auto found = locals_.find(&plugin);
  if (found == locals_.end()) return nullptr;
  auto taken = std::move(found->second);
  locals_.erase(found);
  return taken;
}

std::vector<std::unique_ptr<Local>> Worker::take_locals() {
  std::vector<std::unique_ptr<Local>> all;
  for (auto& [plugin, local] : locals_) all.push_back(std::move(local));
  locals_.clear();
  return all;
}

}  // namespace sluice::plugin
