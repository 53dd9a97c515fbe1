// SPDX-License-Identifier: Apache-2.0
#include "admin/shapes_v2.h"

#include <algorithm>

#include "json/text.h"

namespace sluice::admin {
namespace {

using http::Method;
using json::Value;

struct Renamed {
  std::string_view v2, v3;
};
constexpr Renamed renamed[] = {{"ssl", "ssls"}, {"proto", "protos"}};

std::string_view action_of(Method method) {
  switch (method) {
    case Method::put:
      return "set";
    case Method::post:
      return "create";
    case Method::patch:
      return "compareAndSwap";
    case Method::del:
      return "delete";
    default:
      return "get";
  }
}

// "/apisix/ssls/1" is "/apisix/ssl/1" to whoever has asked for "ssl".
void rename_key(Value& holder, std::string_view kind) {
  Value* key = holder.find("key");
  if (key == nullptr || !key->is_string()) return;
  for (const Renamed& one : renamed) {
    const auto prefix = std::string(model::key_prefix).append(one.v3).append("/");
    if (kind != one.v2 || !key->as_string().starts_with(prefix)) continue;
    *key = std::string(model::key_prefix).append(one.v2).append("/").append(
        key->as_string().substr(prefix.size()));
    return;
  }
}

Value list_of(const AskedV2& asked, Value& read) {
  Value* list = read.find("list");
  auto nodes = list && list->is_array() ? std::move(*list) : Value::array();
  for (Value& node : nodes.as_array()) rename_key(node, asked.kind);
  const auto count = nodes.as_array().size() + 1;  // with the key of the directory
  if (nodes.as_array().empty()) nodes = Value::object();
  return Value::object({{"action", "get"},
                        {"count", std::to_string(count)},
                        {"node", Value::object({{"dir", true},
                                                {"key", asked.list_key},
                                                {"nodes", std::move(nodes)}})}});
}

// Members beside key and value (warnings, a trial's) stay beside the node.
Value node_of(const AskedV2& asked, Value& read) {
  auto node = Value::object(), shaped = Value::object({{"action", action_of(asked.method)}});
  if (asked.method == Method::get) shaped.set("count", "1");
  rename_key(read, asked.kind);
  for (auto& [name, value] : read.as_object()) {
    const bool counts = name == "createdIndex" || name == "modifiedIndex";
    const bool of_node = (name == "key" || name == "value") && asked.method != Method::del;
    if (!counts) (of_node ? node : shaped).set(name, std::move(value));
  }
  shaped.set("node", std::move(node));
  return shaped;
}

}  // namespace

void read_as_v2(Call& call) {
  if (call.segments.empty()) return;
  const auto found = std::ranges::find(renamed, call.segments.front(), &Renamed::v2);
  if (found != std::end(renamed)) call.segments.front() = found->v3;
  if (call.method != Method::get) return;
  for (std::string_view name : {"page", "page_size", "name", "label", "uri", "filter"})
    call.arguments.erase(name);
}

AskedV2 asked_v2(const Call& call, std::string_view kind) {
  AskedV2 asked{.method = call.method, .kind = std::string(kind)};
  asked.of_list = call.method == Method::get && call.place.id.empty();
  if (asked.of_list) {
    asked.list_key = std::string(model::key_prefix).append(kind);
    if (!call.place.above.empty() && call.segments.size() > 1) asked.list_key = call.place.key();
    if (asked.list_key.ends_with('/')) asked.list_key.pop_back();
  }
  return asked;
}

http::Reply to_v2(const AskedV2& asked, http::Reply reply) {
  if (reply.status == 503) reply.status = 500;
  auto read = json::parse(reply.body);
  if (!read || !read->is_object()) return reply;
  if (reply.status == 400 && read->find("req_body")) {
    read->set("error_msg", "invalid request body");
  } else if (reply.status > 201) {
    return reply;
  } else if (asked.of_list) {
    *read = list_of(asked, *read);
  } else {
    if (asked.method == Method::patch) reply.status = 201;
    *read = node_of(asked, *read);
  }
  reply.body = json::dump(*read) + "\n";
  return reply;
}

}  // namespace sluice::admin
