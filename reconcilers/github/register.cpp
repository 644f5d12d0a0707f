#include "github/register.hpp"

#include "github/feed.hpp"
#include "github/organization.hpp"
#include "github/watch.hpp"
#include "runtime/composite.hpp"
#include "runtime/external.hpp"

namespace ocim::github {

void register_kinds(runtime::Manager& manager, webhooks::Hooks& hooks) {
    runtime::add_composite<Watches>(manager);
    runtime::add_external<Organizations>(manager);
    runtime::add_external<Feeds>(manager, [&hooks](const auto& watch, const auto& inputs, const auto& services) {
        return Feeds::open_with(&hooks, watch, inputs, services);
    });
}

}  // namespace ocim::github
