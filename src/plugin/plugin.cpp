// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin.h"

#include "json/text.h"

namespace sluice::plugin {

Verdict reply(int status) {
  auto made = std::make_unique<http::Reply>();
  made->status = status;
  if (status < 300) return made;  // nginx has pages for the others only
  std::string title = std::to_string(status);
  if (const auto reason = http::reason_of(status); !reason.empty()) title.append(" ").append(reason);
  made->body = "<html>\n<head><title>" + title + "</title></head>\n<body>\n<center><h1>" + title +
               "</h1></center>\n</body>\n</html>\n";
  made->content_type = "text/html; charset=utf-8";
  return made;
}

Verdict reply(int status, std::string text) {
  auto made = std::make_unique<http::Reply>();
  made->status = status;
  made->body = std::move(text);
  return made;
}

Verdict reply_json(int status, json::Value body) {
  auto made = std::make_unique<http::Reply>();
  made->status = status;
  made->body = json::dump(body) + "\n";
  made->content_type = "application/json";
  return made;
}

Verdict reply_message(int status, std::string_view message) {
  return reply_json(status, json::Value::object({{"message", message}}));
}

Verdict reply_made() {
  auto made = std::make_unique<http::Reply>();
  made->status = status_made;
  return made;
}

}  // namespace sluice::plugin
