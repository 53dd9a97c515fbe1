// SPDX-License-Identifier: Apache-2.0
// The operator's verbs as one table: what each is called, takes and does, with an example. The parser of the
// command line, every --help and the completion of shells are made from these rows. Constant data.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "model/resources.h"

namespace sluice::cli {

// One option; a flag when it takes no value.
struct Option {
  std::string_view names;  // "-f,--file"
  std::string_view value;  // "FILE"; "": a flag
  std::string_view help;
  std::string Command::*text = nullptr;
  bool Command::*flag = nullptr;
};

struct Verb {
  std::string_view name;
  std::string_view summary;
  std::string_view example = {};
  std::string_view argument = {};  // "ID", or "[ID]" when it may be left out; "": takes none
  std::span<const Option* const> options = {};
  std::span<const Verb> below = {};  // verbs of its own, as `history show`
};

// `sluice apply …`
std::span<const Verb> verbs();
// `sluice route list …`, the same for every kind of resource
std::span<const Verb> resource_verbs();
// The names of a kind, the one to show first: "route", "routes".
std::vector<std::string> names_of(const model::Resource& resource);
// Options of every verb that asks a gateway.
std::span<const Option* const> gateway_options();

}  // namespace sluice::cli
