// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "base/text.h"
#include "json/schema_node.h"
#include "json/text.h"

namespace sluice::json {
namespace {

// Problems end the reading of a schema from wherever they are found.
struct SchemaProblem {
  std::string what;
};

constexpr std::string_view type_names[]{"null", "boolean", "integer", "number", "string", "array", "object"};

}  // namespace

class SchemaCompiler {
 public:
  using Node = Schema::Node;

  explicit SchemaCompiler(const Value& document) : document_(document) {}

  Schema run() {
    Schema schema;
    schema.root_ = node(document_, "", 0);
    schema.nodes_ = std::move(nodes_);
    return schema;
  }

 private:
  [[noreturn]] static void refuse(const std::string& path, std::string_view what) {
    throw SchemaProblem{(path.empty() ? "the schema" : path) + " " + std::string(what)};
  }

  // Every place of the document is compiled once, so that references may go round in circles.
  const Node* node(const Value& value, const std::string& path, int depth) {
    if (const auto known = known_.find(path); known != known_.end()) return known->second;
    if (depth > Schema::depth_max) refuse(path, "nests too deep");
    Node& made = nodes_->emplace_back();
    known_.emplace(path, &made);
    if (value.is_bool()) {
      made.never = !value.as_bool();
    } else if (value.is_object()) {
      fill(made, value, path, depth);
    } else {
      refuse(path, "must be an object or a boolean");
    }
    return &made;
  }

  void fill(Node& made, const Value& value, const std::string& path, int depth) {
    if (const Value* reference = value.find("$ref")) {
      if (!reference->is_string()) refuse(path + "/$ref", "must be a string");
      made.target = referred(reference->as_string(), path, depth);
      return;
    }
    Part part{*this, value, path, depth};
    read_type(made, value, path);
    read_values(made, value, path);
    made.least = bound(part, "minimum", "exclusiveMinimum");
    made.most = bound(part, "maximum", "exclusiveMaximum");
    made.multiple_of = part.number("multipleOf");
    if (made.multiple_of && *made.multiple_of <= 0) refuse(path + "/multipleOf", "must be above 0");
    made.length_least = part.count("minLength");
    made.length_most = part.count("maxLength");
    if (const Value* pattern = value.find("pattern")) made.pattern = regex(*pattern, path + "/pattern");
    read_array(made, part);
    read_object(made, part);
    made.all_of = part.schemas("allOf");
    made.any_of = part.schemas("anyOf");
    made.one_of = part.schemas("oneOf");
    made.none_of = part.schema("not");
    made.condition = part.schema("if");
    made.consequence = part.schema("then");
    made.alternative = part.schema("else");
  }

  // One schema of the document, asked for its keywords.
  struct Part {
    SchemaCompiler& compiler;
    const Value& value;
    const std::string& path;
    int depth;

    std::string at(std::string_view keyword) const { return path + "/" + std::string(keyword); }
    std::optional<double> number(std::string_view keyword) const {
      const Value* found = value.find(keyword);
      if (found == nullptr) return std::nullopt;
      if (!found->is_number()) refuse(at(keyword), "must be a number");
      return found->as_double();
    }
    std::optional<std::size_t> count(std::string_view keyword) const {
      const Value* found = value.find(keyword);
      if (found == nullptr) return std::nullopt;
      if (!found->is_integer() || found->as_double() < 0)
        refuse(at(keyword), "must be a whole number from 0 on");
      return static_cast<std::size_t>(found->as_double());
    }
    bool flag(std::string_view keyword) const {
      const Value* found = value.find(keyword);
      if (found != nullptr && !found->is_bool()) refuse(at(keyword), "must be a boolean");
      return found != nullptr && found->as_bool();
    }
    const Node* schema(std::string_view keyword) const {
      const Value* found = value.find(keyword);
      return found == nullptr ? nullptr : compiler.node(*found, at(keyword), depth + 1);
    }
    std::vector<const Node*> schemas(std::string_view keyword) const {
      std::vector<const Node*> list;
      const Value* found = value.find(keyword);
      if (found == nullptr) return list;
      if (!found->is_array() || found->as_array().empty()) refuse(at(keyword), "must be an array of schemas");
      for (std::size_t i = 0; i < found->as_array().size(); ++i)
        list.push_back(compiler.node(found->as_array()[i], at(keyword) + "/" + std::to_string(i), depth + 1));
      return list;
    }
    // The members of an object of schemas.
    template <class Each>
    void members(std::string_view keyword, Each each) const {
      const Value* found = value.find(keyword);
      if (found == nullptr) return;
      if (!found->is_object()) refuse(at(keyword), "must be an object");
      for (const auto& [name, member] : found->as_object())
        each(name, member, at(keyword) + "/" + pointer_segment(name));
    }
    std::vector<std::string> texts(const Value& list, const std::string& where) const {
      std::vector<std::string> out;
      if (!list.is_array()) refuse(where, "must be an array of strings");
      for (const Value& item : list.as_array()) {
        if (!item.is_string()) refuse(where, "must be an array of strings");
        out.push_back(item.as_string());
      }
      return out;
    }
  };

  static void read_type(Node& made, const Value& value, const std::string& path) {
    const Value* type = value.find("type");
    if (type == nullptr) return;
    const auto add = [&](const Value& name) {
      const auto* found =
          std::find(std::begin(type_names), std::end(type_names),
                    name.is_string() ? std::string_view(name.as_string()) : std::string_view());
      if (found == std::end(type_names)) refuse(path + "/type", "must name types of JSON");
      made.types = static_cast<std::uint8_t>(made.types | 1u << (found - type_names));
      made.type_names.emplace_back(*found);
    };
    if (!type->is_array()) return add(*type);
    for (const Value& name : type->as_array()) add(name);
  }

  static void read_values(Node& made, const Value& value, const std::string& path) {
    if (const Value* values = value.find("enum")) {
      if (!values->is_array()) refuse(path + "/enum", "must be an array");
      made.one_of_values = values->as_array();
    }
    if (const Value* only = value.find("const")) {
      made.one_of_values = std::vector<Value>{*only};
      made.is_const = true;
    }
  }

  static std::optional<Node::Bound> bound(const Part& part, std::string_view inclusive,
                                          std::string_view exclusive) {
    const auto limit = part.number(inclusive);
    const Value* other = part.value.find(exclusive);
    if (other == nullptr || other->is_bool()) {  // draft 4
      if (!limit) return std::nullopt;
      return Node::Bound{*limit, other != nullptr && other->as_bool()};
    }
    const double strict = *part.number(exclusive);
    const bool is_least = inclusive == "minimum";
    const bool strict_decides = !limit || (is_least ? strict >= *limit : strict <= *limit);
    return strict_decides ? Node::Bound{strict, true} : Node::Bound{*limit, false};
  }

  static Regex regex(const Value& pattern, const std::string& path) {
    if (!pattern.is_string()) refuse(path, "must be a string");
    return regex_of(pattern.as_string(), path);
  }
  static Regex regex_of(std::string_view pattern, const std::string& path) {
    auto compiled = Regex::compile(pattern, "u");
    if (!compiled) refuse(path, compiled.error().what);
    return std::move(*compiled);
  }

  void read_array(Node& made, const Part& part) {
    const Value* items = part.value.find("items");
    if (items != nullptr && items->is_array()) {
      for (std::size_t i = 0; i < items->as_array().size(); ++i)
        made.items_in_order.push_back(
            node(items->as_array()[i], part.at("items") + "/" + std::to_string(i), part.depth + 1));
      made.additional_items = part.schema("additionalItems");
    } else {
      made.items = part.schema("items");
    }
    made.contains = part.schema("contains");
    made.items_least = part.count("minItems");
    made.items_most = part.count("maxItems");
    made.unique = part.flag("uniqueItems");
  }

  void read_object(Node& made, const Part& part) {
    part.members("properties", [&](const std::string& name, const Value& member, const std::string& where) {
      made.properties.emplace_back(name, node(member, where, part.depth + 1));
      const Value* otherwise = member.find("default");
      if (otherwise != nullptr) made.defaults.emplace_back(name, *otherwise);
    });
    part.members(
        "patternProperties", [&](const std::string& name, const Value& member, const std::string& where) {
          made.pattern_properties.emplace_back(regex_of(name, where), node(member, where, part.depth + 1));
        });
    made.additional_properties = part.schema("additionalProperties");
    made.property_names = part.schema("propertyNames");
    if (const Value* required = part.value.find("required"); required != nullptr && !required->is_bool())
      made.required = part.texts(*required, part.at("required"));
    part.members("dependencies", [&](const std::string& name, const Value& member, const std::string& where) {
      if (member.is_array()) made.dependencies.push_back({name, part.texts(member, where), nullptr});
      else made.dependencies.push_back({name, {}, node(member, where, part.depth + 1)});
    });
    made.properties_least = part.count("minProperties");
    made.properties_most = part.count("maxProperties");
  }

  const Node* referred(std::string_view reference, const std::string& path, int depth) {
    std::string decoded;
    percent_decode(reference, decoded);
    if (!decoded.starts_with('#') || (decoded.size() > 1 && decoded[1] != '/'))
      refuse(path + "/$ref",
             "must point inside the schema (\"#/definitions/name\"), not to " + std::string(reference));
    const std::string place = decoded.substr(1);
    const Value* at = at_pointer(document_, place);
    if (at == nullptr) refuse(path + "/$ref", "points to " + std::string(reference) + ", which is not there");
    return node(*at, place, depth + 1);
  }

  const Value& document_;
  std::shared_ptr<std::deque<Node>> nodes_ = std::make_shared<std::deque<Node>>();
  std::map<std::string, const Node*> known_;
};

Result<Schema> Schema::compile(const Value& document) {
  try {
    return SchemaCompiler(document).run();
  } catch (const SchemaProblem& problem) {
    return fail(ErrorKind::protocol, problem.what);
  }
}

// The names a schema asks an object for.
class SchemaMembers {
 public:
  using Node = Schema::Node;

  // False when it may ask for any.
  bool gather(const Node& asked) {
    if (!seen_.insert(&asked).second) return true;
    if (asked.target != nullptr) return gather(*asked.target);
    if (asked.one_of_values || !asked.pattern_properties.empty() || asked.additional_properties != nullptr ||
        asked.property_names != nullptr || asked.properties_least || asked.properties_most)
      return false;
    names.insert(asked.required.begin(), asked.required.end());
    for (const auto& [name, node] : asked.properties) names.insert(name);
    for (const auto& dependency : asked.dependencies) {
      names.insert(dependency.name);
      names.insert(dependency.required.begin(), dependency.required.end());
      if (dependency.schema != nullptr && !gather(*dependency.schema)) return false;
    }
    const Node* single[]{asked.none_of, asked.condition, asked.consequence, asked.alternative};
    return all(asked.all_of) && all(asked.any_of) && all(asked.one_of) && all(single);
  }

  std::set<std::string> names;

 private:
  bool all(std::span<const Node* const> nodes) {
    return std::ranges::all_of(nodes, [this](const Node* node) { return node == nullptr || gather(*node); });
  }

  std::set<const Node*> seen_;
};

std::optional<std::vector<std::string>> Schema::members_asked() const {
  SchemaMembers members;
  if (!members.gather(*root_)) return std::nullopt;
  return std::vector<std::string>(members.names.begin(), members.names.end());
}

}  // namespace sluice::json
