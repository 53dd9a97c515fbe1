// SPDX-License-Identifier: Apache-2.0
// Finds where an HTTP/1.1 message ends, as cheaply as a load generator needs it: length or chunks, no
// validation. One per connection, on its thread; the bench's own peers are trusted to speak well.
#pragma once
#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

class HttpReader {
 public:
  // Takes bytes of a message; how many belong to it. `done()` says whether it is whole.
  std::size_t take(const char* data, std::size_t size) {
    std::size_t used = 0;
    while (used < size && !done_) {
      const std::size_t step =
          in_head_ ? take_head(data + used, size - used) : take_body(data + used, size - used);
      used += step;
    }
    return used;
  }
  bool done() const { return done_; }
  int status() const { return head_.size() > 12 ? std::atoi(head_.c_str() + 9) : 0; }
  bool closes() const { return closes_; }
  void next(bool no_body = false) {
    head_.clear();
    in_head_ = true;
    no_body_ = no_body;
    done_ = chunked_ = closes_ = false;
    left_ = 0;
    line_.clear();
    in_trailer_ = false;
  }

 private:
  std::size_t take_head(const char* data, std::size_t size) {
    const std::size_t before = head_.size();
    head_.append(data, size);
    const std::size_t end = head_.find("\r\n\r\n", before > 3 ? before - 3 : 0);
    if (end == std::string::npos) return size;
    head_.resize(end + 4);
    in_head_ = false;
    const std::string_view length = header("content-length:");
    left_ = length.empty() ? 0 : std::strtoul(length.data(), nullptr, 10);
    chunked_ = header("transfer-encoding:").substr(0, 7) == "chunked";
    closes_ = header("connection:").substr(0, 5) == "close";
    done_ = no_body_ || (!chunked_ && left_ == 0);
    return end + 4 - before;
  }
  std::size_t take_body(const char* data, std::size_t size) {
    if (left_ > 0) {
      const std::size_t step = std::min(left_, size);
      left_ -= step;
      done_ = left_ == 0 && !chunked_;
      return step;
    }
    std::size_t at = 0;
    while (at < size) {
      const char letter = data[at++];
      if (letter != '\n') {
        if (letter != '\r') line_ += letter;
        continue;
      }
      end_of_line();
      return at;
    }
    return at;
  }
  void end_of_line() {
    if (in_trailer_) {
      done_ = line_.empty();
    } else if (!line_.empty()) {
      left_ = std::strtoul(line_.c_str(), nullptr, 16);
      in_trailer_ = left_ == 0;
    }
    line_.clear();
  }
  std::string_view header(std::string_view name) const {
    for (std::size_t at = head_.find('\n'); at != std::string::npos; at = head_.find('\n', at)) {
      at++;
      if (head_.size() - at > name.size() && strncasecmp(head_.data() + at, name.data(), name.size()) == 0) {
        std::size_t value = at + name.size();
        while (head_[value] == ' ') value++;
        return std::string_view(head_).substr(value);
      }
    }
    return {};
  }

  std::string head_, line_;
  std::size_t left_ = 0;
  bool in_head_ = true, done_ = false, chunked_ = false, closes_ = false, no_body_ = false,
       in_trailer_ = false;
};
