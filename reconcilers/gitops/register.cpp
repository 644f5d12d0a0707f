#include "gitops/register.hpp"

#include "runtime/external.hpp"

namespace ocim::gitops {

void register_kinds(runtime::Manager& manager, Doors doors) {
    runtime::add_external<Sources>(
        manager, [doors = std::move(doors)](const auto& source, const auto& inputs, const auto& services) {
            return Sources::open_with(doors, source, inputs, services);
        });
}

}  // namespace ocim::gitops
