// SPDX-License-Identifier: Apache-2.0
// Signals as events of the control loop (signalfd), so that a handler is ordinary code. They are blocked in
// every thread started afterwards.
#pragma once
#include <functional>
#include <initializer_list>

#include "async/loop.h"

namespace sluice::main {

class Signals final : public async::Pollable {
 public:
  Signals(async::Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal);
  ~Signals();
  void on_ready(std::uint32_t events) override;

 private:
  async::Loop& loop_;
  std::function<void(int)> on_signal_;
  int descriptor_ = -1;
  async::Loop::Handle handle_ = async::Loop::no_handle;
};

}  // namespace sluice::main
