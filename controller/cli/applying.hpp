#pragma once

#include "cli/targets.hpp"

#include <string>

namespace ocim::cli {

struct Applying {
    std::string field_manager = "ocim-cli";
    bool force = false, dry_run = false;
};

/// An object by server-side apply, with strict fields: what it is afterwards. A conflict comes with the ways out of it.
Answer<api::Json> apply_object(Connection& server, const Named& named, const api::Json& object, const Applying& how);

/// Without what every write changes.
api::Json essence(api::Json object);

}  // namespace ocim::cli
