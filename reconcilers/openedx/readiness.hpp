#pragma once

#include "api/json.hpp"

#include <string>

namespace ocim::openedx {

/// What an object's own conditions say of it. Ready counts for the generation that there is now only.
struct Readiness {
    bool ready = false, stalled = false;
    bool current = false;  ///< it tells of what is declared now
    std::string reason = "Progressing", message = "not reported yet";
};
Readiness readiness(const api::Json& object);

}  // namespace ocim::openedx
