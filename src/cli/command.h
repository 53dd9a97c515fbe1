// SPDX-License-Identifier: Apache-2.0
// What an operator typed for the running gateway to do, taken apart: one verb, what it is about, the options
// as they were given. Filled by main/command_line.cpp by way of the table in cli/verbs.h. Plain values.
#pragma once
#include <string>

namespace sluice::cli {

struct Command {
  std::string verb;  // "list", "apply", "history show"
  std::string kind;  // path of the kind of resource it is about: "routes"; "": none
  std::string argument;  // an id, a revision, a file: what stands behind the verb

  // Which gateway, and who asks.
  std::string prefix;  // directory of conf/, logs/ and data/
  std::string config;  // its configuration file
  std::string binary;  // the program that takes over, of `upgrade`
  std::string server;  // URL of the Admin API; "": what the configuration file says
  std::string key_file;
  std::string authority_file, certificate_file, certificate_key_file;  // PEM, of TLS

  std::string file;    // what is read: a file, a directory, "-" for standard input
  std::string output;  // what is written; "": standard output
  std::string resource;  // "routes/1": of the history
  std::string name, uri, label, limit;
  bool json = false;
  bool force = false;
  bool prune = false;
  bool dry_run = false;
  bool strict = false;
  bool apply = false;
};

}  // namespace sluice::cli
