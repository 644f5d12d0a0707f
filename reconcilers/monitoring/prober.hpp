#pragma once

#include "monitoring/check.hpp"
#include "monitoring/watch.hpp"
#include "runtime/kinds.hpp"

#include <cstddef>
#include <memory>

namespace ocim::monitoring {

/// The built-in prober: a system in our own memory, empty when it begins. It asks by itself, in tasks of
/// `services.tasks`, which must not be null; at most `concurrent_max` at once, the rest in the order they were due.
std::unique_ptr<Watch> open_prober(Senses senses, std::size_t concurrent_max, const runtime::Services& services);

}  // namespace ocim::monitoring
