// SPDX-License-Identifier: Apache-2.0
// What a GraphQL request is about, as far as routes ask: the kind and the name of its first operation and the
// fields at its root (GraphQL, October 2021, §2). The document is read to its end, so that what is no GraphQL
// tells nothing; nesting is bounded. Pure functions, any thread.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

namespace sluice::plugin {

struct GraphqlRequest {
  std::string_view operation;  // query, mutation, subscription; "" when the document begins with a fragment
  std::string_view name;       // "" without one
  std::vector<std::string_view> root_fields;  // names, not aliases; of a fragment spread the fragment's name
};

inline constexpr int graphql_depth_max = 64;  // nested selections and values

// The first definition of a document, as views into it. No value: it is no executable document.
std::optional<GraphqlRequest> parse_graphql(std::string_view document);

}  // namespace sluice::plugin
