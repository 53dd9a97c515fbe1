// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "cli/session.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

using json::Value;

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) all.append(all.empty() ? "" : ",").append(text);
  return all;
}

std::string plain(const Value& value) { return value.is_string() ? value.as_string() : json::dump(value); }

// ---- the columns of a list: how each is read out of a resource of any kind ----

std::string members(const Value& body, std::initializer_list<std::string_view> names) {
  std::vector<std::string> texts;
  for (const auto name : names) {
    const Value* value = body.find(name);
    if (value == nullptr) continue;
    if (!value->is_array()) texts.push_back(plain(*value));
    else for (const Value& item : value->as_array()) texts.push_back(plain(item));
  }
  return joined(texts);
}

std::string nodes(const Value& upstream) {
  const Value* written = upstream.find("nodes");
  std::vector<std::string> texts;
  if (written != nullptr && written->is_object()) {
    for (const auto& [address, weight] : written->as_object()) texts.push_back(address);
  } else if (written != nullptr && written->is_array()) {
    for (const Value& node : written->as_array()) {
      const Value* port = node.find("port");
      texts.push_back(std::string(node.text("host")) + (port != nullptr ? ":" + plain(*port) : ""));
    }
  }
  return joined(texts);
}

// Where requests go: nodes, or who knows them.
std::string target(const Value& body) {
  if (body.find("nodes")) return nodes(body);
  if (const Value* upstream = body.find("upstream"); upstream != nullptr) return nodes(*upstream);
  if (const Value* id = body.find("upstream_id")) return "upstream " + plain(*id);
  if (const Value* id = body.find("service_id")) return "service " + plain(*id);
  return {};
}

std::string plugin_names(const Value& body) {
  const Value* plugins = body.find("plugins");
  std::vector<std::string> names;
  if (plugins != nullptr && plugins->is_object()) {
    for (const auto& [name, config] : plugins->as_object()) names.push_back(name);
  }
  return joined(names);
}

std::string status(const Value& body) {
  const Value* value = body.find("status");
  return value != nullptr && value->is_integer() && value->as_int() == 0 ? "off" : "";
}

std::string priority(const Value& body) {
  const Value* value = body.find("priority");
  return value != nullptr && *value != Value(0) ? plain(*value) : "";
}

std::string updated(const Value& body) {
  const Value* value = body.find("update_time");
  if (value == nullptr || !value->is_integer()) return {};
  const std::chrono::sys_seconds time{std::chrono::seconds(value->as_int())};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count());
}

struct Column {
  const char* head;
  std::string (*cell)(const Value& body);
};
constexpr Column columns[] = {
    {"NAME", [](const Value& body) { return members(body, {"name"}); }},
    {"URI", [](const Value& body) { return members(body, {"uri", "uris"}); }},
    {"HOST", [](const Value& body) { return members(body, {"host", "hosts", "sni", "snis"}); }},
    {"METHODS", [](const Value& body) { return members(body, {"methods"}); }},
    {"PRIORITY", priority},
    {"STATUS", status},
    {"TYPE", [](const Value& body) { return members(body, {"type"}); }},
    {"TO", target},
    {"GROUP", [](const Value& body) { return members(body, {"group_id"}); }},
    {"PLUGINS", plugin_names},
    {"UPDATED", updated},
};

// ---- what a resource is called on the command line ----

const model::Resource& kind_of(const Session& session) { return *model::find_resource(session.command.kind); }

// "jack/1" is short for "jack/credentials/1", where a credential is meant.
std::string full_id(const model::Resource& resource, std::string id) {
  const auto slash = id.find('/');
  if (resource.under.empty() || slash == id.npos || id.find('/', slash + 1) != id.npos) return id;
  return fmt::format("{}/{}/{}", id.substr(0, slash), resource.path, id.substr(slash + 1));
}

std::string list_target(const Command& command, const std::string& base) {
  std::string target = base;
  for (const auto& [name, value] :
       {std::pair("name", &command.name), {"uri", &command.uri}, {"label", &command.label}}) {
    if (!value->empty())
      target.append(target.contains('?') ? "&" : "?").append(name).append("=").append(encoded(*value));
  }
  return target;
}

// The lists that hold every resource of a kind: one, or one for each resource that it belongs to.
Result<std::vector<std::string>> list_targets(AdminClient& client, const model::Resource& resource) {
  std::vector<std::string> targets;
  if (resource.under.empty()) return std::vector{"/" + std::string(resource.path)};
  auto owners = load_list(client, "/" + std::string(resource.under));
  if (!owners) return std::unexpected(owners.error());
  for (const Item& owner : *owners) targets.push_back(target_of(owner) + "/" + std::string(resource.path));
  return targets;
}

Result<std::vector<Item>> load_filtered(Session& session, AdminClient& client) {
  auto targets = list_targets(client, kind_of(session));
  if (!targets) return std::unexpected(targets.error());
  std::vector<Item> all;
  for (const std::string& target : *targets) {
    auto items = load_list(client, list_target(session.command, target));
    if (!items) return items;
    std::ranges::move(*items, std::back_inserter(all));
  }
  return all;
}

// About one resource that has to be there.
Result<Value> ask_about(Session& session, std::string_view method, const std::string& id,
                        std::string_view query) {
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto answer = (*client)->ask(method, target_of(kind_of(session), id) + std::string(query));
  if (!answer) return std::unexpected(answer.error());
  if (answer->status == 404)
    return fail(ErrorKind::not_found, fmt::format("there is no {} {}: `sluice {} list` shows what there is",
                                                  kind_of(session).kind, id, kind_of(session).schema_name));
  if (!answer->good()) return fail(ErrorKind::conflict, refusal_text(*answer));
  return std::move(answer->body);
}

void tell_written(Session& session, const Value& answer, std::string_view what) {
  if (session.command.json) return session.print_json(answer);
  const auto parts = model::split_key(answer.text("key"));
  const std::string name = parts.resource == nullptr
                               ? std::string(answer.text("key"))
                               : Item{parts.resource, std::string(parts.id), {}, {}}.name();
  session.out.line(fmt::format("{} {}", name, what));
  const Value* warnings = answer.find("warnings");
  for (const Value& warning :
       warnings != nullptr && warnings->is_array() ? warnings->as_array() : json::Array())
    session.say(fmt::format("warning: {} {}", warning.text("path"), warning.text("what")));
}

std::string id_in(const model::Resource& resource, const Value& body) {
  const Value* id = body.find(resource.key);
  return id == nullptr ? std::string() : plain(*id);
}

}  // namespace

Outcome list_resources(Session& session) {
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto items = load_filtered(session, **client);
  if (!items) return std::unexpected(items.error());
  if (session.command.json) {
    Value all = Value::array();
    for (Item& item : *items) all.push_back(std::move(item.body));
    session.print_json(all);
    return Exit::done;
  }
  std::vector<std::string> heads{"ID"};
  for (const Column& column : columns) heads.emplace_back(column.head);
  Table table(std::move(heads));
  for (const Item& item : *items) {
    std::vector<std::string> cells{item.id};
    for (const Column& column : columns) cells.push_back(column.cell(item.body));
    table.add(std::move(cells));
  }
  if (table.empty()) session.say(fmt::format("there is no {}", kind_of(session).kind));
  else session.out.raw(table.text(session.out.look()));
  return Exit::done;
}

Outcome get_resource(Session& session) {
  const auto& resource = kind_of(session);
  auto answer = ask_about(session, "GET", full_id(resource, session.command.argument), "");
  if (!answer) return std::unexpected(answer.error());
  const Value* value = answer->find("value");
  if (value == nullptr) return fail(ErrorKind::protocol, "the gateway's answer holds no value");
  if (session.command.json) session.print_json(*value);
  else session.out.raw(json::dump_yaml(*value));
  return Exit::done;
}

Outcome put_resource(Session& session) {
  const auto& resource = kind_of(session);
  const Command& command = session.command;
  if (command.file.empty())
    return session.usage("say with -f which file holds the resource; -f - reads standard input");
  auto text = read_text(command.file);
  if (!text) return std::unexpected(text.error());
  auto body = read_value(*text, command.file);
  if (!body) return std::unexpected(body.error());
  std::string id = command.argument.empty() ? id_in(resource, *body) : command.argument;
  if (id.empty() && !resource.post)
    return session.usage(fmt::format("say which {} it is: as an argument, or as `{}` in the file",
                                     resource.kind, resource.key));
  body->erase("create_time");
  body->erase("update_time");
  const bool named = !id.empty();
  const std::string target =
      named ? target_of(resource, full_id(resource, id)) : "/" + std::string(resource.path);
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto answer = (*client)->ask(named ? "PUT" : "POST", target + "?wait=applied", json::dump(*body));
  if (!answer) return std::unexpected(answer.error());
  if (!answer->good()) return fail(ErrorKind::conflict, refusal_text(*answer));
  tell_written(session, answer->body, answer->status == 201 ? "created" : "updated");
  return Exit::done;
}

Outcome delete_resource(Session& session) {
  const auto& resource = kind_of(session);
  const std::string id = full_id(resource, session.command.argument);
  auto answer = ask_about(session, "DELETE", id,
                          session.command.force ? "?wait=applied&force=true" : "?wait=applied");
  if (!answer) return std::unexpected(answer.error());
  if (session.command.json) session.print_json(*answer);
  else session.out.line(Item{&resource, id, {}, {}}.name() + " deleted");
  return Exit::done;
}

}  // namespace sluice::cli
