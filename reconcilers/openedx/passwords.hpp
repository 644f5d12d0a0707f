#pragma once

#include "openedx/rollout.hpp"
#include "runtime/edit.hpp"
#include "runtime/kinds.hpp"

#include <optional>

/// How the passwords that a site has for databases and broker are replaced, in steps of which each leaves a state in
/// which no AppServer is refused. With <key> for each value of the site's Secret that passwords are, or follow from
/// (the names are those of runtime/rotation.hpp):
///
///     <key>.next           drawn: databases and broker are to let it in beside <key>
///     <key>.previous       the former one: once they do, <key>.next becomes <key>, which makes a new AppServer, and
///                          this is let in as long as there is an AppServer that has it
///     <key>.username       where an account has one password, so that two take turns: whose <key> is
///     mysqlKey.next-due    the time that was asked for: what is drawn is no older than that
///     mysqlKey.rotated-at  when that was: AppServers say in their status which they have
///
/// All that is known about how far it has come is in that Secret, so that every step may follow a crash.
namespace ocim::openedx {

struct Replacement {
    std::optional<runtime::Edit> step;        ///< due now
    std::optional<runtime::Finding> finding;  ///< nothing when nobody ever asked
    std::optional<WallTime> due_at;           ///< when time alone makes a step due
};

/// `stage` is how far the rollout is, for the words.
Replacement replacement_of(const crd::Instance& instance, const runtime::Children& children,
                           const runtime::Inputs& inputs, const Stage& stage = {});

}  // namespace ocim::openedx
