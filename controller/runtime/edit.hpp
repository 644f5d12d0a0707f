#pragma once

#include "api/json.hpp"
#include "api/kind.hpp"
#include "runtime/kinds.hpp"

#include <map>
#include <string>

namespace ocim::runtime {

/// A change of an object that is not ours, asked for by a composite kind's optional
/// `static std::vector<Edit> edits(const Object&, const Children&, const Inputs&)`, which is pure like compose(). What
/// asks for it must be stored in the status before, and the change itself must leave a trace by which the next
/// composition knows that it was made.
struct Edit {
    api::Kind kind;
    std::string namespace_, name;
    std::string resource_version;            ///< as it was when this was decided: a later change means another look
    api::Json patch;                         ///< RFC 7386
    std::map<std::string, Generate> draw{};  ///< these keys of a Secret get a value that was never there
    Note note{};                             ///< told of the owner when it is done; without a reason: nothing
};

}  // namespace ocim::runtime
