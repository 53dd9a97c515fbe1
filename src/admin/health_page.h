// SPDX-License-Identifier: Apache-2.0
// What the health checkers know, as a page for people: who opens /v1/healthcheck of the control API in a
// browser sees a table. Pure function, any thread.
#pragma once
#include <string>

#include "json/value.h"

namespace sluice::admin {

// `checkers` as plugin::Status::health tells them.
std::string health_page(const json::Value& checkers);

}  // namespace sluice::admin
