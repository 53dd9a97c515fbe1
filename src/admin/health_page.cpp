// SPDX-License-Identifier: Apache-2.0
#include "admin/health_page.h"

#include <string_view>

#include "base/text.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Value;

constexpr std::string_view head = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Health of upstreams</title>
<style>
body { font-family: sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th, td { border: 1px solid #bbb; padding: .3em .7em; text-align: left; }
td.count { text-align: right; }
tr.unhealthy { background: #fbd5d5; }
</style>
</head>
<body>
<h1>Health of upstreams</h1>
<table>
<tr><th>Upstream</th><th>Check</th><th>Host</th><th>Address</th><th>Status</th><th>Successes</th>
<th>TCP failures</th><th>HTTP failures</th><th>Timeouts</th></tr>
)";
constexpr std::string_view foot = "</table>\n</body>\n</html>\n";

void append_cell(std::string& page, std::string_view text) {
  page.append("<td>");
  append_markup(text, page);
  page.append("</td>");
}

void append_count(std::string& page, const Value* counter, std::string_view name) {
  const Value* count = counter == nullptr ? nullptr : counter->find(name);
  page.append("<td class=\"count\">").append(count == nullptr ? "0" : json::dump(*count)).append("</td>");
}

void append_node(std::string& page, const Value& checker, const Value& node) {
  const auto status = node.text("status");
  const bool healthy = status == "healthy" || status == "mostly_healthy";
  page.append(healthy ? "<tr>" : "<tr class=\"unhealthy\">");
  append_cell(page, checker.text("name"));
  append_cell(page, checker.text("type"));
  append_cell(page, node.text("hostname"));
  const Value* port = node.find("port");
  append_cell(page, std::string(node.text("ip")) + ":" + (port == nullptr ? "" : json::dump(*port)));
  append_cell(page, status);
  for (const auto name : {"success", "tcp_failure", "http_failure", "timeout_failure"})
    append_count(page, node.find("counter"), name);
  page.append("</tr>\n");
}

}  // namespace

std::string health_page(const Value& checkers) {
  std::string page(head);
  for (const Value& checker : checkers.as_array()) {
    const Value* nodes = checker.find("nodes");
    if (nodes == nullptr || !nodes->is_array()) continue;
    for (const Value& node : nodes->as_array()) append_node(page, checker, node);
  }
  return page.append(foot);
}

}  // namespace sluice::admin
