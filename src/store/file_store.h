// SPDX-License-Identifier: Apache-2.0
// The store of a gateway without a control plane: conf/apisix.yaml or apisix.json, read at start and whenever
// it changes. What is new in it is told as changes, so that only that is replaced. Nothing can be written
// through it. One loop, which outlives it.
#pragma once
#include <memory>
#include <string>

#include "async/loop.h"
#include "store/config_file.h"
#include "store/store.h"

namespace sluice::store {

struct FilePlace {
  std::string path;
  FileFormat format = FileFormat::yaml;
  CheckResource check;
};

// A file that is not there, or cannot be read as a whole, is named in the log; the store is empty until it
// can.
std::unique_ptr<Store> open_file(FilePlace place, async::Loop& loop);

}  // namespace sluice::store
