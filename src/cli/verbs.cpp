// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs.h"

namespace sluice::cli {
namespace {

constexpr Option prefix{"-p,--prefix", "DIR", "Directory of conf/, logs/ and data/ (default: here)",
                        &Command::prefix};
constexpr Option config{"-c,--config", "FILE", "Configuration file (default: PREFIX/conf/config.yaml)",
                        &Command::config};
constexpr Option server{"--server", "URL",
                        "The gateway's Admin API, as http://10.0.0.1:9180 (default: what the configuration "
                        "file says)",
                        &Command::server};
constexpr Option key_file{"--key-file", "FILE",
                          "File with the Admin API's key (default: the variable SLUICE_ADMIN_KEY, then the "
                          "configuration file, then PREFIX/data/admin.key)",
                          &Command::key_file};
constexpr Option authority_file{"--ca-file", "FILE", "PEM of who signed the Admin API's certificate",
                                &Command::authority_file};
constexpr Option certificate_file{"--cert", "FILE", "PEM of a client certificate, if the Admin API wants one",
                                  &Command::certificate_file};
constexpr Option certificate_key_file{"--cert-key", "FILE", "PEM of its key", &Command::certificate_key_file};

constexpr Option json{"--json", "", "Answer in JSON, for programs", nullptr, &Command::json};
constexpr Option name{"--name", "REGEX", "Only those whose name matches", &Command::name};
constexpr Option uri{"--uri", "REGEX", "Only those with a uri that matches", &Command::uri};
constexpr Option label{"--label", "KEY", "Only those with this label", &Command::label};
constexpr Option body_file{"-f,--file", "FILE", "The resource, JSON or YAML; - reads standard input",
                           &Command::file};
constexpr Option force{"--force", "", "Also when others refer to it", nullptr, &Command::force};
constexpr Option output{"-o,--output", "FILE",
                        "Write here, replacing what is there, instead of to the terminal", &Command::output};
constexpr Option files{"-f,--file", "PATH",
                       "A file in the shape of apisix.yaml, or a directory of them (.yaml, .yml, .json); - "
                       "reads standard input",
                       &Command::file};
constexpr Option prune{"--prune", "", "Delete what the files do not have", nullptr, &Command::prune};
constexpr Option dry_run{"--dry-run", "", "Check it and show what would change; change nothing", nullptr,
                         &Command::dry_run};
constexpr Option resource{"--resource", "NAME", "Only this resource, as routes/1", &Command::resource};
constexpr Option limit{"--limit", "N", "At most so many revisions, 1 to 1000 (default: 20)", &Command::limit};
constexpr Option strict{"--strict", "", "Exit with 1 on warnings too", nullptr, &Command::strict};
constexpr Option apply{"--apply", "", "Apply what holds; without it there is a report only", nullptr,
                       &Command::apply};

using Options = const Option* const[];
constexpr Options of_gateway{&prefix, &config,           &server,          &key_file,
                             &authority_file, &certificate_file, &certificate_key_file};
constexpr Options of_list{&json, &name, &uri, &label};
constexpr Options of_get{&json};
constexpr Options of_put{&body_file, &json};
constexpr Options of_delete{&force, &json};
constexpr Options of_dump{&output, &json};
constexpr Options of_apply{&files, &prune, &dry_run, &json};
constexpr Options of_diff{&files, &prune, &json};
constexpr Options of_history{&resource, &limit, &json};
constexpr Options of_show{&json};
constexpr Options of_rollback{&resource, &dry_run, &json};
constexpr Options of_lint{&files, &strict, &json};
constexpr Options of_import{&apply, &dry_run, &json};

constexpr Verb below_history[] = {
    {"show", "Show what a revision changed", "sluice history show 42", "REV", of_show},
};

constexpr Verb table[] = {
    {"dump", "Write every resource as YAML that `apply` and a stand-alone gateway read",
     "sluice dump -o apisix.yaml", "", of_dump},
    {"apply", "Bring the gateway to what files say, in one step: all of it or nothing",
     "sluice apply -f conf.d/ --prune --dry-run", "", of_apply},
    {"diff", "Show what `apply` would change", "sluice diff -f apisix.yaml", "", of_diff},
    {"history", "List what was changed, when and by whom, the latest first",
     "sluice history --resource routes/1 --limit 5", "", of_history, below_history},
    {"rollback", "Go back to a revision, as a new revision, which can be undone as well",
     "sluice rollback 41 --resource routes/1", "REV", of_rollback},
    {"lint", "Look for what is valid and still wrong: routes no request reaches, what nobody uses, "
             "certificates that end",
     "sluice lint -f apisix.yaml --strict", "", of_lint},
    {"import", "Report what of an APISIX's configuration cannot be honoured, and apply the rest",
     "sluice import etcd://127.0.0.1:2379/apisix --apply", "SOURCE", of_import},
    {"change-key", "Seal all secrets in the gateway's store with a new key, and forget the old one",
     "sluice change-key -p /etc/sluice", "", of_get},
    {"completion", "Print the completion script of a shell: bash or zsh",
     "source <(sluice completion bash)", "SHELL", {}},
};

constexpr Verb of_resources[] = {
    {"list", "List them", "sluice route list --uri '^/api/'", "", of_list},
    {"get", "Show one", "sluice route get 1", "ID", of_get},
    {"put", "Create or replace one; without ID the file names it, or the gateway chooses one",
     "sluice route put 1 -f route.yaml", "[ID]", of_put},
    {"delete", "Delete one", "sluice route delete 1", "ID", of_delete},
};

}  // namespace

std::span<const Verb> verbs() { return table; }
std::span<const Verb> resource_verbs() { return of_resources; }
std::span<const Option* const> gateway_options() { return of_gateway; }

std::vector<std::string> names_of(const model::Resource& resource) {
  std::vector<std::string> names{std::string(resource.schema_name)};
  if (resource.path != resource.schema_name) names.emplace_back(resource.path);
  return names;
}

}  // namespace sluice::cli
