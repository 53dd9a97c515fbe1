// SPDX-License-Identifier: Apache-2.0
#include "gateway/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/settings.h"

namespace sluice::gateway {
namespace {

constexpr Duration flush_after = std::chrono::seconds(3);
constexpr char hex[] = "0123456789ABCDEF";

}  // namespace

AccessLog::AccessLog(async::Loop& loop, const AccessLogSettings& settings)
    : settings_(settings),
      loop_(loop),
      flush_timer_(loop, [](void* self) { static_cast<AccessLog*>(self)->flush(); }, this) {
  if (settings_.on) reopen();
}

AccessLog::~AccessLog() {
  flush();
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AccessLog::reopen() {
  if (!settings_.on) return;
  flush();
  const int fresh =
      ::open(settings_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fresh < 0) {
    log::error("the access log cannot be opened: {}",
               system_message("open " + settings_.path, errno));
    return;
  }
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = fresh;
}

void AccessLog::write(plugin::Exchange& x) {
  if (descriptor_ < 0) return;
  if (buffer_.empty()) flush_timer_.set(after(loop_.now(), flush_after));
  settings_.format.render(x, buffer_, settings_.escape, "-");
  buffer_ += '\n';
  if (buffer_.size() >= settings_.buffer) flush();
}

void AccessLog::flush() {
  if (buffer_.empty() || descriptor_ < 0) return;
  [[maybe_unused]] auto written = ::write(descriptor_, buffer_.data(), buffer_.size());
  buffer_.clear();
  flush_timer_.cancel();
}

void escape_default(std::string_view value, std::string& out) {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
      continue;
    }
    out += "\\x";
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
}

void escape_json(std::string_view value, std::string& out) {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
}

}  // namespace sluice::gateway
