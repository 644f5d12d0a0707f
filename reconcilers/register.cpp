#include "register.hpp"

#include "database/register.hpp"
#include "dns/register.hpp"
#include "github/register.hpp"
#include "loadbalancing/register.hpp"
#include "mail/register.hpp"
#include "messaging/register.hpp"
#include "monitoring/register.hpp"
#include "openedx/register.hpp"
#include "runtime/manager.hpp"
#include "storage/register.hpp"

namespace ocim::reconcilers {

// One line an area: area::register_kinds(manager), declared in area/register.hpp.
void register_all(runtime::Manager& manager, webhooks::Hooks& hooks, compute::LocalMachines local) {
    compute::register_kinds(manager, local);
    database::register_kinds(manager);
    dns::register_kinds(manager);
    github::register_kinds(manager, hooks);
    loadbalancing::register_kinds(manager);
    mail::register_kinds(manager);
    messaging::register_kinds(manager);
    monitoring::register_kinds(manager);
    openedx::register_kinds(manager);
    storage::register_kinds(manager);
}

}  // namespace ocim::reconcilers
