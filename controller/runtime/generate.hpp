#pragma once

#include "runtime/engine.hpp"

#include <string>
#include <vector>

/// Values that are drawn once and then belong to whoever has them.
namespace ocim::runtime {

/// A fresh value, as text.
Secret drawn(const Generate& form, Random& random);

/// Of what `wanted` names in a namespace, what is not there yet. Nothing of a Secret of which it is not known.
std::vector<GeneratedSecret> not_there(Engine& engine, const std::string& namespace_,
                                       const std::vector<GeneratedSecret>& wanted);

/// Makes these for `owner`. What exists meanwhile is not changed: that is a conflict, and the visit looks anew.
awaitable<Result<void>> make_secrets(Engine& engine, api::Kind owner_kind, ObjectPtr owner,
                                     std::vector<GeneratedSecret> missing, const void* writer);

}  // namespace ocim::runtime
