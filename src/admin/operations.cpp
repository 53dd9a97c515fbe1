// SPDX-License-Identifier: Apache-2.0
#include "admin/operations.h"

#include <fmt/core.h>

#include "admin/call.h"
#include "admin/drafting.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Findings;
using json::Value;
using Kind = Operation::Kind;

void complain(Findings& findings, std::string path, std::string what) {
  if (findings.problems.size() < Findings::problems_max)
    findings.problems.push_back({std::move(path), std::move(what), {}});
}

std::optional<Kind> kind_of(std::string_view op) {
  if (op == "put") return Kind::put;
  if (op == "patch") return Kind::patch;
  if (op == "delete") return Kind::remove;
  return std::nullopt;
}

std::optional<store::Revision> read_revision(const Value& holder, const std::string& path,
                                             Findings& findings) {
  const Value* written = holder.find("if_revision");
  if (!written) return std::nullopt;
  if (written->is_integer() && written->as_int() >= 0) return written->as_int();
  complain(findings, path + "/if_revision", "must be a revision: a whole number, 0 or more");
  return std::nullopt;
}

void check_members(const Value& written, const std::string& path, Findings& findings) {
  for (const auto& [name, value] : written.as_object()) {
    if (name != "op" && name != "resource" && name != "value" && name != "if_revision")
      complain(findings, path + "/" + json::pointer_segment(name),
               "is none of op, resource, value, if_revision");
  }
}

void check_place(const Operation& operation, std::string_view name, Findings& findings) {
  const auto* resource = operation.place.resource;
  const auto path = operation.path + "/resource";
  if (!resource) {
    complain(findings, path, fmt::format("'{}' is no resource: write routes/1", name));
  } else if (operation.place.id.empty()) {
    complain(findings, path, fmt::format("must name one {}: write {}/1", resource->kind, resource->path));
  } else if (operation.kind == Kind::patch && !resource->patch) {
    complain(findings, operation.path + "/op", fmt::format("a {} cannot be patched: put it", resource->kind));
  }
}

Operation read_operation(const Value& written, std::string path, Findings& findings) {
  Operation operation{.path = std::move(path)};
  if (!written.is_object()) {
    complain(findings, operation.path, "must be an object with op, resource and value");
    return operation;
  }
  check_members(written, operation.path, findings);
  const auto kind = kind_of(written.text("op"));
  if (!kind) complain(findings, operation.path + "/op", "must be put, patch or delete");
  operation.kind = kind.value_or(Kind::put);
  const auto name = written.text("resource");
  const auto method = operation.kind == Kind::patch ? http::Method::patch : http::Method::put;
  operation.place = find_place(split_path(name), method);
  check_place(operation, name, findings);
  operation.if_revision = read_revision(written, operation.path, findings);
  const Value* value = written.find("value");
  if (value) operation.value = *value;
  if (!value && operation.kind != Kind::remove)
    complain(findings, operation.path + "/value", "is required, except to delete");
  return operation;
}

}  // namespace

Operations read_operations(const Value& body, std::size_t count_max, Findings& findings) {
  Operations operations;
  const Value* list = body.is_array() ? &body : body.find("operations");
  if (!list || !list->is_array()) {
    complain(findings, "/operations", "must be a list of operations");
    return operations;
  }
  if (list->as_array().size() > count_max) {
    complain(findings, "/operations",
             fmt::format("are {}: one transaction takes {} at most", list->as_array().size(), count_max));
    return operations;
  }
  if (body.is_object()) {
    operations.if_revision = read_revision(body, "", findings);
    for (const auto& [name, value] : body.as_object()) {
      if (name != "operations" && name != "if_revision")
        complain(findings, "/" + json::pointer_segment(name), "is none of operations, if_revision");
    }
  }
  for (const Value& written : list->as_array()) {
    auto path = fmt::format("/operations/{}", operations.list.size());
    operations.list.push_back(read_operation(written, std::move(path), findings));
  }
  return operations;
}

bool add_draft(const Operation& operation, std::optional<store::Entry> stored, ChangeSet& changes,
               Findings& findings) {
  const auto key = operation.place.key();
  const Draft* earlier = changes.find(key);
  const auto modified = stored ? stored->modified : 0;
  const bool unchanged = !operation.if_revision || earlier || *operation.if_revision == modified;
  if (!unchanged) {
    complain(findings, operation.path + "/if_revision",
             stored ? fmt::format("it was written last in revision {}", modified) : "it is not there");
  }
  Draft made{.previous = stored, .path = operation.path + "/value"};
  if (earlier) {  // what the operations before have made of it
    made.previous.reset();
    if (earlier->body) made.previous = store::Entry{key, json::dump(*earlier->body)};
  }
  Refusal refusal;
  if (operation.kind == Kind::put) {
    refusal = draft_put(operation.place, operation.value, made);
  } else if (!made.previous) {
    complain(findings, operation.path + "/resource", "is not there");
    return unchanged;
  } else if (operation.kind == Kind::patch) {
    refusal = draft_patch(operation.place, operation.value, made);
  } else {
    made.resource = operation.place.resource;
    made.id = operation.place.above + operation.place.id;
    made.path = operation.path;
  }
  if (refusal) {
    complain(findings, made.path, *refusal);
    return unchanged;
  }
  made.previous = std::move(stored);
  made.only_if_unchanged = made.only_if_unchanged || operation.if_revision.has_value();
  changes.add(std::move(made));
  return unchanged;
}

}  // namespace sluice::admin
