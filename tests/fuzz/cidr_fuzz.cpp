// SPDX-License-Identifier: Apache-2.0
// Any text as an address, a network, an endpoint and a host with a port: what is taken says the same when it
// is written and read again.
#include <string>
#include <vector>

#include "base/address.h"
#include "base/cidr.h"
#include "base/result.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sluice;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto address = IpAddress::parse(text)) {
    char written[46];
    const std::size_t length = address->format(written);
    const auto again = IpAddress::parse({written, length});
    SLUICE_CHECK(again && *again == *address);
    const auto set = CidrSet::parse(std::vector<std::string>{std::string(written, length)});
    SLUICE_CHECK(set && set->contains(*address));
  }
  const auto set = CidrSet::parse(std::vector<std::string>{text, "10.0.0.0/8", "::1"});
  if (set)
    SLUICE_CHECK(set->contains(*IpAddress::parse("10.1.2.3")) && set->contains(*IpAddress::parse("::1")));
  if (const auto parts = split_host_port(text)) SLUICE_CHECK(parts->host.size() <= text.size());
  return 0;
}
