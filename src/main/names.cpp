// SPDX-License-Identifier: Apache-2.0
#include "main/names.h"

namespace sluice::main {
namespace {

class NoNames final : public upstream::Names {
 public:
  void use(std::string_view) override {}
  void release(std::string_view) override {}
  const std::vector<IpAddress>* find(std::string_view) const override { return nullptr; }
};

}  // namespace

std::unique_ptr<upstream::Names> make_names(async::Loop&, const std::vector<std::string>&,
                                            std::function<void(std::string_view)>) {
  return std::make_unique<NoNames>();
}

}  // namespace sluice::main
