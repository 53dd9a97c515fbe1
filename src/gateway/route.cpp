// SPDX-License-Identifier: Apache-2.0
#include "gateway/route.h"

#include <algorithm>

#include "base/slab.h"
#include "base/text.h"

namespace sluice::gateway {
namespace {

using Parameter = plugin::Exchange::Parameter;
using Kind = PathPattern::Kind;

// Takes the next segment off the front, with the slash behind it.
std::string_view take_segment(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view segment = rest.substr(0, slash);
  rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  return segment;
}

void capture(std::span<Parameter> captured, std::uint32_t& count, std::string_view name,
             std::string_view value) {
  if (count < captured.size()) captured[count++] = {name, value};
}

// A bare * is named ":ext", as in APISIX.
std::string_view star_name(std::string_view segment) {
  return segment.size() == 1 ? ":ext" : segment.substr(1);
}

// Segment by segment; a * segment is the last of the pattern and takes the rest, also nothing.
bool fits_segments(std::string_view pattern, std::string_view path, std::span<Parameter> captured,
                   std::uint32_t& count) {
  while (true) {
    const bool last = pattern.find('/') == std::string_view::npos;
    const std::string_view wanted = take_segment(pattern);
    if (last && wanted.starts_with('*')) {
      capture(captured, count, star_name(wanted), path);
      return true;
    }
    const bool path_last = path.find('/') == std::string_view::npos;
    const std::string_view rest = path;
    const std::string_view segment = take_segment(path);
    if (wanted.starts_with(':')) {
      if (segment.empty()) return false;
      capture(captured, count, wanted.substr(1), segment);
    } else if (last && wanted.ends_with('*')) {
      return rest.starts_with(wanted.substr(0, wanted.size() - 1));
    } else if (wanted != segment) {
      return false;
    }
    if (last || path_last) return last && path_last;
  }
}

// Only for patterns with a * before the last segment.
std::string regex_of(std::string_view pattern) {
  std::string regex = "^";
  bool first = true;
  for (std::string_view segment : Split(pattern, '/')) {
    if (!first) regex += '/';
    first = false;
    if (segment.starts_with(':')) {
      regex += "([^/]+)";
    } else if (segment.starts_with('*')) {
      regex += "((?s:.*))";
    } else {
      for (const char c : segment) {
        if (!is_word(c)) regex += '\\';
        regex += c;
      }
    }
  }
  return regex + "\\z";
}

bool has_segment_from(std::string_view pattern, char first) {
  for (std::string_view segment : Split(pattern, '/')) {
    if (segment.starts_with(first)) return true;
  }
  return false;
}

}  // namespace

PathPattern take_apart(std::string_view pattern, RouterMode mode) {
  const std::string_view marks = mode == RouterMode::uri_with_parameter ? ":*" : "*";
  const std::size_t mark = pattern.find_first_of(marks);
  if (mark == std::string_view::npos) return {Kind::exact, pattern};
  const std::string_view literal = pattern.substr(0, mark);
  const std::size_t star = pattern.find('*');
  const bool star_is_last =
      star == std::string_view::npos || pattern.find('/', star) == std::string_view::npos;
  const bool names_segments = has_segment_from(pattern.substr(literal.rfind('/') + 1), ':');
  if (!star_is_last) {
    // "/a*/b": no segment begins with the star, so it is a prefix like "/a*".
    return {has_segment_from(pattern, '*') ? Kind::regex
            : names_segments               ? Kind::parameters
                                           : Kind::prefix,
            literal};
  }
  if (mode == RouterMode::uri_with_parameter && (names_segments || has_segment_from(pattern, '*'))) {
    return {Kind::parameters, literal};
  }
  return {Kind::prefix, literal};
}

Route::Route() : Counted(radix::Kind::route) {}

void Route::destroy(Counted* self) {
  auto* route = static_cast<Route*>(self);
  const std::size_t size = route->size_;
  route->~Route();
  Slab::give(route, size);
}

std::string_view Route::id() const {
  const std::uint32_t begin = ends()[uri_count_ + host_count_ - 1];
  const char* end = reinterpret_cast<const char*>(this) + size_;
  return {texts() + begin, static_cast<std::size_t>(end - texts()) - begin};
}

void Route::store_texts(const RouteSpec& spec) {
  uri_count_ = static_cast<std::uint16_t>(spec.uris.size());
  host_count_ = static_cast<std::uint16_t>(spec.hosts.size());
  char* const start = const_cast<char*>(texts());
  char* at = start;
  std::uint32_t* end = ends();
  for (const std::string& uri : spec.uris) {
    at = std::copy(uri.begin(), uri.end(), at);
    *end++ = static_cast<std::uint32_t>(at - start);
  }
  for (const std::string& host : spec.hosts) {
    at = std::transform(host.begin(), host.end(), at, lower);
    *end++ = static_cast<std::uint32_t>(at - start);
    names_port_ = names_port_ || host.find(':') != std::string::npos;
  }
  std::copy(spec.id.begin(), spec.id.end(), at);
}

Result<Route*> Route::make(RouteSpec spec, RouterMode mode) {
  radix::destroyers[static_cast<int>(radix::Kind::route)] = &Route::destroy;
  if (spec.uris.empty() || spec.uris.size() > 0xFFFF || spec.hosts.size() > 0xFFFF) {
    return fail(ErrorKind::limit, "route " + spec.id + " has no uri, or more than 65535 uris or hosts");
  }
  std::size_t size = spec.id.size() + (spec.uris.size() + spec.hosts.size()) * sizeof(std::uint32_t);
  for (const auto* list : {&spec.uris, &spec.hosts}) {
    for (const std::string& text : *list) {
      if (text.size() > radix::key_bytes_max) {
        return fail(ErrorKind::limit, "route " + spec.id + " has a pattern of more than 65535 bytes");
      }
      size += text.size();
    }
  }
  size += sizeof(Route);
  if (size > UINT32_MAX)
    return fail(ErrorKind::limit, "route " + spec.id + " has more than 4 GiB of patterns");
  auto conditions = std::make_unique<Conditions>();
  for (std::size_t i = 0; i < spec.uris.size(); ++i) {
    if (take_apart(spec.uris[i], mode).kind != Kind::regex) continue;
    auto regex = Regex::compile(regex_of(spec.uris[i]));
    if (!regex) return std::unexpected(std::move(regex.error()));
    conditions->regexes.resize(spec.uris.size());
    conditions->regexes[i] = std::move(*regex);
  }
  Route* route = new (Slab::take(size)) Route();
  route->size_ = static_cast<std::uint32_t>(size);
  route->store_texts(spec);
  if (spec.uris.size() == 1) {
    const Kind kind = take_apart(spec.uris[0], mode).kind;
    route->plain_ = kind == Kind::exact || kind == Kind::prefix;
  }
  route->priority_ = spec.priority;
  route->methods_ = spec.methods;
  route->target_ = std::move(spec.target);
  conditions->any_remote = spec.remote_addresses.empty();
  conditions->remote = CidrSet(spec.remote_addresses);
  conditions->vars = std::move(spec.vars);
  conditions->filter = std::move(spec.filter);
  const bool needed = !conditions->any_remote || !conditions->vars.always() || conditions->filter ||
                      !conditions->regexes.empty();
  if (needed) route->conditions_ = std::move(conditions);
  return route;
}

std::string_view Route::fitting_host(const RouteQuestion& question) const {
  std::string_view best;
  for (std::size_t i = 0; i < host_count_; ++i) {
    const std::string_view pattern = host(i);
    const bool wild = pattern.starts_with('*');
    const std::string_view wanted = wild ? pattern.substr(1) : pattern;
    const auto same = [&](std::string_view asked) {
      return asked.size() >= wanted.size() && (wild || asked.size() == wanted.size()) &&
             equals_ignoring_case(asked.substr(asked.size() - wanted.size()), wanted);
    };
    const bool colon = names_port_ && wanted.find(':') != std::string_view::npos;
    if (!same(question.host) && !(colon && same(question.authority))) continue;
    if (!wild) return pattern;
    if (pattern.size() > best.size()) best = pattern;
  }
  return best;
}

bool Route::accepts(const RouteQuestion& question, bool with_hosts) const {
  if (conditions_ && !conditions_->any_remote && !conditions_->remote.contains(question.remote)) return false;
  if (with_hosts && host_count_ > 0 && fitting_host(question).empty()) return false;
  if (!conditions_) return true;
  if (!conditions_->vars.always() && !conditions_->vars.matches(*question.exchange)) return false;
  return conditions_->filter == nullptr || conditions_->filter->matches(*question.exchange);
}

bool Route::fits(std::size_t index, Kind by, std::string_view path, std::span<Parameter> captured,
                 std::uint32_t& count) const {
  count = 0;
  if (by == Kind::exact || by == Kind::prefix) return true;
  if (by == Kind::parameters) return fits_segments(uri(index), path, captured, count);
  std::string_view groups[Regex::captures_max];
  if (conditions_->regexes[index].captures(path, groups) != Regex::Outcome::match) return false;
  std::size_t group = 1;
  for (std::string_view segment : Split(uri(index), '/')) {
    if (!segment.starts_with(':') && !segment.starts_with('*')) continue;
    if (group >= Regex::captures_max) break;
    capture(captured, count, segment[0] == '*' ? star_name(segment) : segment.substr(1), groups[group++]);
  }
  return true;
}

}  // namespace sluice::gateway
