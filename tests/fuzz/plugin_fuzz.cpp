// SPDX-License-Identifier: Apache-2.0
// Any config for any plugin, its consumers and its metadata, and any request through it, in a whole gateway
// in memory. The input is {"plugin": "cors", "config": …, "consumer": …, "metadata": …}, \xfe, pieces of a
// client's side with \xff between them, \xfe, pieces that whoever is asked on port 1000 answers with: the
// upstream, and what the plugin itself asks (a provider, a Redis, an authorization service).
#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/log.h"
#include "conversation.h"
#include "json/text.h"
#include "plugin/cache_zones.h"
#include "plugin/config_mutator.h"
#include "plugins/list.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using namespace sluice;
using gateway::MemoryGateway;

constexpr std::string_view upstream =
    R"({"type": "roundrobin", "timeout": {"connect": 1, "send": 1, "read": 1},
        "nodes": {"127.0.0.1:1000": 1}})";
constexpr std::string_view plain_request =
    "GET /a%20b?x=1&apikey=k HTTP/1.1\r\nHost: a.test\r\nOrigin: http://a.test\r\napikey: k\r\n\r\n";

const plugin::PluginType* type_of(const json::Value& input) {
  if (!input.is_object()) return nullptr;
  const auto all = plugins::all();
  const auto found =
      std::ranges::find(all, input.text("plugin"), [](const auto* type) { return type->name; });
  return found == all.end() ? nullptr : *found;
}

// Read, or refused with sentences.
bool is_read(const plugin::PluginType& type, const json::Value& config, const json::Value& consumer,
             const json::Value& metadata) {
  json::Findings findings;
  json::Reader reader(findings, "", "invalid configuration: ");
  std::string credential;
  const auto made = type.make(config, reader, "/apisix/routes/1");
  SLUICE_CHECK((made == nullptr) == !findings.ok());
  if (type.make_consumer != nullptr) (void)type.make_consumer(consumer, reader, credential);
  if (type.make_metadata != nullptr) (void)type.make_metadata(metadata, reader);
  (void)findings.sentence();
  return made != nullptr;
}

void put(MemoryGateway& gateway, const plugin::PluginType& type, const json::Value& config,
         const json::Value& consumer, const json::Value& metadata) {
  using json::Value;
  const std::string name(type.name);
  if (type.make_metadata != nullptr && metadata.is_object())
    gateway.put("plugin_metadata/" + name, json::dump(metadata));
  if (type.make_consumer != nullptr)
    gateway.put(
        "consumers/joe",
        json::dump(Value::object({{"username", "joe"}, {"plugins", Value::object({{name, consumer}})}})));
  gateway.put("upstreams/1", upstream);
  gateway.put("routes/1", json::dump(Value::object({{"uri", "/*"},
                                                    {"upstream_id", "1"},
                                                    {"plugins", Value::object({{name, config}})}})));
}

gateway::Settings settings() {
  static const plugin::Registry registry(plugins::all(), {});
  gateway::Settings settings;
  settings.public_apis = registry.public_apis({});
  return settings;
}

void run(const plugin::PluginType& type, const json::Value& config, const json::Value& consumer,
         const json::Value& metadata, std::string_view from_client, std::string_view from_upstream) {
  MemoryGateway gateway(plugins::all(), settings());
  MemoryGateway::Peer peer(gateway, {IpAddress::loopback(), 1000}, fuzz::giving(from_upstream));
  put(gateway, type, config, consumer, metadata);
  fuzz::converse(gateway, from_client);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  log::set_level(log::Level::emerg);
  plugin::CacheOptions options;  // none on disk
  for (const char* name : {"disk_cache_one", "memory_cache"}) {
    auto& zone = options.zones.emplace_back();
    zone.name = name;
    zone.memory_size = 1 << 20;
  }
  plugin::CacheZones::shared().configure(options);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto input = json::parse(fuzz::cut(rest, '\xfe'));
  if (!input) return 0;
  const auto* type = type_of(*input);
  if (type == nullptr) return 0;
  const auto member = [&](std::string_view name) {
    const auto* value = input->find(name);
    return value == nullptr ? json::Value::object() : *value;
  };
  const json::Value config = member("config"), consumer = member("consumer"), metadata = member("metadata");
  if (!is_read(*type, config, consumer, metadata)) return 0;
  const std::string_view from_client = fuzz::cut(rest, '\xfe');
  run(*type, config, consumer, metadata, from_client.empty() ? plain_request : from_client, rest);
  return 0;
}

// Half of the changes are made to a config, as its schema has it; the others to bytes.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(bytes.find('\xfe'), size);
  auto input = json::parse(bytes.substr(0, end));
  const auto* type = input ? type_of(*input) : nullptr;
  if (type == nullptr || seed % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  if (seed % 2 == 0 && end < size)
    return end + 1 + LLVMFuzzerMutate(data + end + 1, size - end - 1, max_size - end - 1);
  plugin::testing::Mutator mutator(seed);
  const auto change = [&](std::string_view name, const plugin::ConfigType& kind) {
    auto* value = input->find(name);
    if (value == nullptr) value = &input->set(std::string(name), json::Value::object());
    mutator.change(*value, kind.schema());
  };
  change("config", type->config);
  if (type->make_consumer != nullptr && seed % 3 == 0) change("consumer", type->consumer);
  if (type->make_metadata != nullptr && seed % 5 == 0) change("metadata", type->metadata);
  const std::string made = json::dump(*input) + std::string(bytes.substr(end));
  if (made.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::ranges::copy(made, data);
  return made.size();
}
