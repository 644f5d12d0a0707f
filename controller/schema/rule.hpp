#pragma once

#include "schema/node.hpp"

namespace ocim::schema {

/// One of x-kubernetes-validations.
class Rule {};

}  // namespace ocim::schema
