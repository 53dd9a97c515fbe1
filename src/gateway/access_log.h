// SPDX-License-Identifier: Apache-2.0
// An access log of one worker, of requests or of connections below HTTP: lines are rendered into a buffer of
// the worker and written in one call when it is full, or three seconds old. Each write ends with a whole line
// and the file is opened for appending, so workers share it. `reopen` follows a rotation.
#pragma once
#include <string>

#include "async/loop.h"
#include "plugin/exchange.h"

namespace sluice::gateway {

struct AccessLogSettings;

class AccessLog {
 public:
  AccessLog(async::Loop& loop, const AccessLogSettings& settings);
  ~AccessLog();
  void write(plugin::Exchange& x);
  void flush();
  void reopen();

 private:
  const AccessLogSettings& settings_;
  async::Loop& loop_;
  int descriptor_ = -1;
  std::string buffer_;
  async::Timer flush_timer_;
};

// Values in the log as nginx escapes them: quotes, backslashes and bytes outside printable ASCII as \xNN.
void escape_default(std::string_view value, std::string& out);
// As JSON strings are written.
void escape_json(std::string_view value, std::string& out);

}  // namespace sluice::gateway
