#pragma once

#include "api/json.hpp"

#include <cstddef>

/// What of an object can matter to a decision about another one. Pure.
namespace ocim::runtime {

/// Of what a person or a kind declares and finds: spec, data, labels, annotations, and the status without what every
/// status has (conditions, counts, times). The same for every version that differs in the rest only.
std::size_t content_hash(const api::Json& object);

/// Whether who refers to the object should decide again: its content, its deletion, or how one of its conditions
/// stands is different. A message or a time alone is no news.
bool tells_news(const api::Json& before, const api::Json& after);

}  // namespace ocim::runtime
