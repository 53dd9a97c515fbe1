// SPDX-License-Identifier: Apache-2.0
#include "plugin/query.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::plugin {

void remove_query_argument(Exchange& x, std::string_view name) {
  const std::string_view target = x.upstream.target.empty() ? x.request.target : x.upstream.target;
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return;
  char* kept = x.arena.text(target.size());
  std::size_t size = target.copy(kept, mark);
  std::string_view rest = target.substr(mark + 1);
  char separator = '?';
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view argument = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (argument.substr(0, std::min(argument.find('='), argument.size())) == name) continue;
    kept[size++] = separator;
    size += argument.copy(kept + size, argument.size());
    separator = '&';
  }
  x.upstream.target = {kept, size};
  const std::size_t query = x.upstream.target.find('?');
  x.request.query =
      query == std::string_view::npos ? std::string_view() : x.upstream.target.substr(query + 1);
}

void append_path(std::string_view path, std::string& out) { percent_encode(path, out, "!$&'()*+,/:;=@[]"); }

}  // namespace sluice::plugin
