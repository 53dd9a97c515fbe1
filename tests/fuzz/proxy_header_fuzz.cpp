// SPDX-License-Identifier: Apache-2.0
// The header of the PROXY protocol in front of a connection: whatever is said there is decided within the
// limits, no byte behind the header is counted, and a header that is read holds no matter how it is cut.
#include <string>
#include <string_view>

#include "net/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sluice;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = net::parse_proxy_header(bytes);
  if (!whole) return 0;
  if (!*whole) {
    SLUICE_CHECK(size < net::ProxyHeader::binary_bytes_max);  // more than that is never waited for
    return 0;
  }
  const std::size_t used = (*whole)->size;
  SLUICE_CHECK(used > 0 && used <= size && used <= net::ProxyHeader::binary_bytes_max);
  const auto again = net::parse_proxy_header(bytes.substr(0, used));
  SLUICE_CHECK(again && *again && (*again)->size == used);
  for (std::size_t cut = 0; cut < used; ++cut) {
    const auto part = net::parse_proxy_header(bytes.substr(0, cut));
    SLUICE_CHECK(part && !*part);
  }
  if (!(*whole)->header.ends) return 0;
  const auto& ends = *(*whole)->header.ends;
  for (const auto version : {net::ProxyVersion::text, net::ProxyVersion::binary}) {
    const std::string written = net::write_proxy_header(version, ends.source, ends.destination);
    const auto read = net::parse_proxy_header(written);
    SLUICE_CHECK(read && *read && (*read)->header.ends);
    SLUICE_CHECK((*read)->header.ends->source == ends.source);
    SLUICE_CHECK((*read)->header.ends->destination == ends.destination);
  }
  return 0;
}
