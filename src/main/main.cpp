// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

int main() {
  std::puts("sluice " SLUICE_VERSION);
  return 0;
}
