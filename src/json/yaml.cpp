// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "json/text.h"

namespace sluice::json {
namespace {

struct Refused {
  std::string what;
};

Value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  bool minus = *begin == '-';
  const char* digits = begin + minus;
  if (digits == end || (*digits != '.' && (*digits < '0' || *digits > '9'))) return text;
  std::int64_t whole = 0;
  if (text.size() > 2 && text.starts_with("0x")) {
    auto [stop, error] = std::from_chars(text.data() + 2, end, whole, 16);
    return stop == end && error == std::errc() ? Value(whole) : Value(text);
  }
  if (auto [stop, error] = std::from_chars(begin, end, whole); stop == end && error == std::errc())
    return whole;
  double number = 0;
  auto [stop, error] = std::from_chars(begin, end, number);
  return stop == end && error == std::errc() && std::isfinite(number) ? Value(number) : Value(text);
}

class Converter {
 public:
  explicit Converter(const Limits& limits) : limits_(limits) {}

  Value convert(const YAML::Node& node, std::uint32_t depth = 0) {
    auto line = node.Mark().line + 1;
    if (depth > limits_.depth)
      throw Refused{fmt::format("line {}: nested deeper than {}", line, limits_.depth)};
    if (++count_ > limits_.values)
      throw Refused{fmt::format("line {}: more than {} values", line, limits_.values)};
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return node.Tag() == "?" ? plain_scalar(node.Scalar()) : typed_scalar(node);
      case YAML::NodeType::Sequence: {
        Array items;
        for (const auto& item : node) items.push_back(convert(item, depth + 1));
        return items;
      }
      case YAML::NodeType::Map: {
        Object object;
        for (const auto& pair : node) {
          if (!pair.first.IsScalar()) throw Refused{fmt::format("line {}: a key must be a plain word", line)};
          object.append(pair.first.Scalar(), convert(pair.second, depth + 1));
        }
        object.remove_duplicates();
        return object;
      }
      default:
        return nullptr;
    }
  }

 private:
  static Value typed_scalar(const YAML::Node& node) {
    const auto& tag = node.Tag();
    bool typed = tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" ||
                 tag == "tag:yaml.org,2002:bool" || tag == "tag:yaml.org,2002:null";
    return typed ? plain_scalar(node.Scalar()) : Value(node.Scalar());
  }

  Limits limits_;
  std::size_t count_ = 0;
};

}  // namespace

Result<Value> parse_yaml(std::string_view text, Limits limits) {
  if (text.size() > limits.bytes) {
    return fail(ErrorKind::limit,
                fmt::format("{} bytes of YAML are more than the {} allowed", text.size(), limits.bytes));
  }
  try {
    return Converter(limits).convert(YAML::Load(std::string(text)));
  } catch (const Refused& refused) {
    return fail(ErrorKind::protocol, refused.what);
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::protocol,
                fmt::format("line {}, column {}: {}", error.mark.line + 1, error.mark.column + 1, error.msg));
  } catch (const std::exception& error) {
    return fail(ErrorKind::protocol, error.what());
  }
}

}  // namespace sluice::json
