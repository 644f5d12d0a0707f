#include "storage/register.hpp"

#include "runtime/external.hpp"
#include "storage/container.hpp"

namespace ocim::storage {

void register_kinds(runtime::Manager& manager) { runtime::add_external<Container>(manager); }

}  // namespace ocim::storage
