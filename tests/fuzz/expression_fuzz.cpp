// SPDX-License-Identifier: Apache-2.0
// Expressions as an operator might write them: any JSON compiles or gives a problem; what compiled can be
// evaluated. The same text is tried as a template.
#include <string_view>

#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/expression.h"
#include "plugin/template.h"

namespace {

using sluice::plugin::Exchange;
using sluice::plugin::Variable;

Variable::Value read_name(Exchange&, const Variable& variable) { return variable.argument(); }
Variable find(std::string_view name) { return Variable(read_name, std::string(name)); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  alignas(Exchange) static char never_read[sizeof(Exchange)];
  auto& x = reinterpret_cast<Exchange&>(never_read);
  if (const auto rule = sluice::json::parse(input)) {
    const auto expression = sluice::plugin::Expression::compile(*rule, find);
    if (expression) expression->evaluate(x);
  }
  std::string out;
  sluice::plugin::Template::compile(input, find).render(x, out);
  return 0;
}
