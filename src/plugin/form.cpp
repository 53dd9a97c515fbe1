// SPDX-License-Identifier: Apache-2.0
#include "plugin/form.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::plugin {
namespace {

constexpr std::size_t boundary_max = 70;  // RFC 2046 §5.1.1

// The parameter of a field value such as `form-data; name="a"`; empty when it is absent.
std::string_view parameter(std::string_view value, std::string_view name) {
  while (!value.empty()) {
    const std::size_t end = value.find(';');
    if (end == std::string_view::npos) return {};
    value = trim(value.substr(end + 1));
    const std::size_t equal = value.find('=');
    if (equal == std::string_view::npos) return {};
    const std::string_view key = trim(value.substr(0, equal));
    value = trim(value.substr(equal + 1));
    const bool quoted = value.starts_with('"');
    const std::size_t stop = quoted ? value.find('"', 1) : std::min(value.find(';'), value.size());
    if (stop == std::string_view::npos) return {};
    const std::string_view given = quoted ? value.substr(1, stop - 1) : trim(value.substr(0, stop));
    if (equals_ignoring_case(key, name)) return given;
    value.remove_prefix(stop);
  }
  return {};
}

// The name in a part's fields; no value: it is no part of a form.
std::optional<std::string_view> part_name(std::string_view fields) {
  for (std::string_view line : Split(fields, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (!equals_ignoring_case(trim(line.substr(0, colon)), "content-disposition")) continue;
    return parameter(line.substr(colon + 1), "name");
  }
  return std::nullopt;
}

}  // namespace

std::string_view Form::decoded(std::string_view raw) {
  if (raw.find_first_of("%+") == std::string_view::npos) return raw;
  std::string& text = texts_.emplace_back();
  percent_decode(raw, text, true);
  return text;
}

void Form::sort() {
  std::ranges::stable_sort(fields_, {}, [](const auto& field) { return field.first; });
}

Form Form::of_urlencoded(std::string_view body) {
  Form form;
  for (std::string_view piece : Split(body, '&')) {
    const std::size_t equal = piece.find('=');
    const std::string_view name = piece.substr(0, equal);
    if (name.empty()) continue;
    if (form.fields_.size() == fields_max) return {};
    form.fields_.emplace_back(form.decoded(name), equal == std::string_view::npos
                                                      ? std::string_view("true")
                                                      : form.decoded(piece.substr(equal + 1)));
  }
  form.sort();
  return form;
}

Form Form::of_multipart(std::string_view body, std::string_view content_type) {
  Form form;
  const std::string_view boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > boundary_max) return form;
  const std::string line = "\r\n--" + std::string(boundary);
  if (!body.starts_with(std::string_view(line).substr(2))) {  // a preamble is skipped
    const std::size_t first = body.find(line);
    if (first == std::string_view::npos) return form;
    body.remove_prefix(first + 2);
  }
  body.remove_prefix(line.size() - 2);
  while (!body.starts_with("--")) {
    const std::size_t end = body.find(line);
    const std::string_view part = body.substr(0, end);
    const std::size_t fields_end = part.find("\r\n\r\n");
    if (end == std::string_view::npos || form.fields_.size() == fields_max) return {};
    if (fields_end != std::string_view::npos) {
      const auto name = part_name(part.substr(0, fields_end));
      if (name) form.fields_.emplace_back(*name, part.substr(fields_end + 4));
    }
    body.remove_prefix(end + line.size());
  }
  form.sort();
  return form;
}

std::optional<std::string_view> Form::find(std::string_view name) const {
  const auto found =
      std::ranges::lower_bound(fields_, name, {}, [](const auto& field) { return field.first; });
  if (found == fields_.end() || found->first != name) return std::nullopt;
  return found->second;
}

}  // namespace sluice::plugin
