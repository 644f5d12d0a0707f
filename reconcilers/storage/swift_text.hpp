#pragma once

#include "storage/store.hpp"

#include <map>
#include <string>
#include <string_view>

/// What Swift and we say to each other, as text. Pure.
namespace ocim::storage {

using Headers = std::map<std::string, std::string>;

/// Everything that a container's headers say. `headers`: names in lower case.
Thing read_headers(const Headers& headers);
/// What makes a container say that. `found`: what it says now; what it has and should not is removed.
Headers write_headers(const Thing& wanted, const Thing& found);

}  // namespace ocim::storage
