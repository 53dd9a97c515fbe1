// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <fmt/core.h>

#include "base/text.h"
#include "cli/session.h"

namespace sluice::cli {
namespace {

// A place in the command line: the words that lead there, and what may follow.
struct Spot {
  std::string words;                                        // " route list"
  std::vector<std::pair<std::string, std::string>> follow;  // word, what it is
};

void add_options(std::span<const Option* const> options, Spot& place) {
  for (const Option* option : options) {
    for (std::string_view name : Split(option->names, ',')) place.follow.emplace_back(name, option->help);
  }
}

void add_verb(const std::string& before, const Verb& verb, bool asks_gateway, std::vector<Spot>& spots) {
  Spot place{before + " " + std::string(verb.name), {}};
  for (const Verb& below : verb.below) {
    place.follow.emplace_back(below.name, below.summary);
    add_verb(place.words, below, asks_gateway, spots);
  }
  if (verb.name == "completion") place.follow = {{"bash", "for bash"}, {"zsh", "for zsh"}};
  add_options(verb.options, place);
  if (asks_gateway) add_options(gateway_options(), place);
  place.follow.emplace_back("--help", "What it does, and an example");
  spots.push_back(std::move(place));
}

std::vector<Spot> all_spots(std::span<const Verb> more) {
  std::vector<Spot> spots(1);
  const auto add_top = [&](std::string_view name, std::string_view summary) {
    spots.front().follow.emplace_back(name, summary);
  };
  for (const Verb& verb : more) add_top(verb.name, verb.summary), add_verb("", verb, false, spots);
  for (const Verb& verb : verbs()) add_top(verb.name, verb.summary), add_verb("", verb, true, spots);
  for (const auto& resource : model::resources()) {
    const auto names = names_of(resource);
    add_top(names.front(), fmt::format("Resources of the kind {}", resource.kind));
    for (const std::string& name : names) {
      Spot place{" " + name, {}};
      for (const Verb& verb : resource_verbs()) {
        place.follow.emplace_back(verb.name, verb.summary);
        add_verb(place.words, verb, true, spots);
      }
      spots.push_back(std::move(place));
    }
  }
  return spots;
}

// Every option that takes a value, as a pattern of the shells' `case`.
std::string options_with_value(std::span<const Verb> more) {
  std::string pattern;
  const auto add = [&](const Option& option) {
    for (std::string_view name : Split(option.names, ',')) {
      const std::string alternative = (pattern.empty() ? "" : "|") + std::string(name);
      if (!option.value.empty() && !("|" + pattern + "|").contains("|" + std::string(name) + "|"))
        pattern += alternative;
    }
  };
  for (const Option* option : gateway_options()) add(*option);
  for (const auto& table : {more, verbs(), resource_verbs()}) {
    for (const Verb& verb : table) {
      for (const Option* option : verb.options) add(*option);
    }
  }
  return pattern;
}

// In single quotes, for a shell.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') out += "'\\''";
    else out += c;
  }
  return out + "'";
}

}  // namespace

std::string bash_completion(std::span<const Verb> more) {
  std::string out = fmt::format(R"(# Completion of sluice for bash: source <(sluice completion bash)
_sluice() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" place= words= skip= word
  case "$before" in
    {0}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    if [ -n "$skip" ]; then skip=; continue; fi
    case "$word" in
      {0}) skip=1 ;;
      -*) ;;
      *) place="$place $word" ;;
    esac
  done
  while :; do
    case "$place" in
)",
                                options_with_value(more));
  for (const Spot& place : all_spots(more)) {
    std::string words;
    for (const auto& [word, what] : place.follow) words.append(words.empty() ? "" : " ").append(word);
    out += fmt::format("      {}) words={}; break ;;\n", quoted(place.words), quoted(words));
  }
  // Behind an id or a file the options of its verb go on.
  out += R"(      *) place="${place% *}" ;;
    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _sluice sluice
)";
  return out;
}

std::string zsh_completion(std::span<const Verb> more) {
  std::string out = fmt::format(R"(#compdef sluice
# Completion of sluice for zsh: source <(sluice completion zsh), or a file _sluice in a directory of $fpath
_sluice() {{
  local place= skip= word
  local -a follow
  case "${{words[CURRENT-1]}}" in
    {0}) _files; return ;;
  esac
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    if [[ -n "$skip" ]]; then skip=; continue; fi
    case "$word" in
      {0}) skip=1 ;;
      -*) ;;
      *) place="$place $word" ;;
    esac
  done
  while true; do
    case "$place" in
)",
                                options_with_value(more));
  for (const Spot& place : all_spots(more)) {
    std::string words;
    for (const auto& [word, what] : place.follow) words.append(" ").append(quoted(word + ":" + what));
    out += fmt::format("      {}) follow=({}); break ;;\n", quoted(place.words), words.substr(1));
  }
  out += R"(      *) place="${place% *}" ;;
    esac
  done
  _describe 'sluice' follow
}
if [[ "${funcstack[1]}" = _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi
)";
  return out;
}

Outcome print_completion(Session& session) {
  const auto more = session.surroundings.more_verbs;
  if (session.command.argument == "bash") session.out.raw(bash_completion(more));
  else if (session.command.argument == "zsh") session.out.raw(zsh_completion(more));
  else return session.usage("completion is for bash or zsh: sluice completion bash");
  return Exit::done;
}

}  // namespace sluice::cli
