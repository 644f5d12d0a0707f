#include "register.hpp"

#include "runtime/manager.hpp"

namespace ocim::reconcilers {

// One line an area: area::register_kinds(manager), declared in area/register.hpp.
void register_all([[maybe_unused]] runtime::Manager& manager) {}

}  // namespace ocim::reconcilers
