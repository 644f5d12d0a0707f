#include "simulation/house_effects.hpp"

#include "database/mysql_sql.hpp"
#include "loadbalancing/rendering.hpp"

#include <algorithm>

namespace ocim::simulation {

using namespace std::chrono_literals;
using runtime::Ownership;

namespace {

Error taken(const std::string& what) { return {ErrorClass::conflict, what + " has come to belong to another"}; }
Error missing(const std::string& what) { return {ErrorClass::not_found, what + " is not there"}; }

template <class Map, class Key>
bool foreign(const Map& things, const Key& key, const runtime::Mark& self) {
    const auto found = things.find(key);
    return found != things.end() && ownership(found->second.mark, self) == Ownership::foreign;
}

/// A machine that was started answers by SSH some seconds later.
void boots(Cloud& cloud, const compute::Key& key) {
    cloud.later(4s, [key](compute::Snapshot& things) {
        const auto found = things.find(key);
        if (found == things.end() || found->second.state != compute::Machine::State::booting) return;
        found->second.state = compute::Machine::State::running;
        found->second.addresses = {"10.20.0." + std::to_string(std::hash<std::string>()(key) % 250 + 2)};
        found->second.ssh_host_key = "ssh-ed25519 AAAA" + key;
    });
}

}  // namespace

Result<void> change_machine(Cloud& cloud, compute::Snapshot& things, const compute::Action& action) {
    using Verb = compute::Action::Verb;
    using State = compute::Machine::State;
    if (foreign(things, action.key, action.mark)) return taken("machine " + action.key);
    const auto found = things.find(action.key);
    if (action.verb == Verb::create) {
        if (found != things.end()) return {};
        compute::Machine machine;
        machine.mark = action.mark;
        machine.id = action.key;
        machine.key_name = action.plan.key_name;
        machine.reboot_request = action.plan.reboot_request;
        machine.state = action.plan.stopped ? State::stopped : State::booting;
        things.emplace(action.key, std::move(machine));
        boots(cloud, action.key);
        return {};
    }
    if (found == things.end()) return action.verb == Verb::remove ? Result<void>() : missing("machine " + action.key);
    switch (action.verb) {
        case Verb::create:
        case Verb::attach:
        case Verb::release: break;
        case Verb::remove: things.erase(found); break;
        case Verb::mark: found->second.mark = action.mark; break;
        case Verb::stop: found->second.state = State::stopped; break;
        case Verb::reboot:
            found->second.reboot_request = action.reboot_request;
            found->second.state = State::booting;
            boots(cloud, action.key);
            break;
        case Verb::start:
            found->second.state = State::booting;
            boots(cloud, action.key);
            break;
    }
    return {};
}

Result<void> change_run(RunWorld& world, openedx::RunSnapshot& things, const openedx::RunAction& action, bool fails) {
    using Verb = openedx::RunAction::Verb;
    using State = openedx::Run::State;
    const auto found = things.find(action.key);
    switch (action.verb) {
        case Verb::start: {
            if (found != things.end()) return {};  // its folder is there: never twice
            openedx::Run run;
            run.mark = action.mark;
            run.state = State::running;
            run.started_at = "2026-01-01T00:00:00Z";
            things.emplace(action.key, std::move(run));
            world.later(20s, [key = action.key, fails](openedx::RunSnapshot& runs) {
                const auto it = runs.find(key);
                if (it == runs.end() || it->second.state != State::running) return;
                it->second.state = State::finished;
                it->second.exit_code = fails ? 2 : 0;
                if (fails) it->second.failed_task = "install the platform";
                it->second.commit = "4f2a";
                it->second.finished_at = "2026-01-01T00:10:00Z";
                it->second.log_bytes = 1'000;
            });
            // the site answers some time after the machine's reboot, which follows the playbook
            world.later(40s, [key = action.key](openedx::RunSnapshot& runs) {
                const auto it = runs.find(key);
                if (it != runs.end() && it->second.exit_code == 0) it->second.verified_at = "2026-01-01T00:12:00Z";
            });
            return {};
        }
        case Verb::restore: {
            auto& run = things[action.key];
            const auto text = [&](const char* name) {
                const auto file = action.files.find(name);
                return file == action.files.end() ? std::string() : file->second;
            };
            run.mark = action.mark;
            run.state = State::finished;
            run.exit_code = text("exit") == "0" ? 0 : 2;
            run.commit = text("commit");
            run.started_at = text("started");
            run.finished_at = text("finished");
            run.verified_at = text("verified");
            // the record is all that comes back: no site answers on the machine that is there now
            if (action.check)
                world.later(20s, [key = action.key](openedx::RunSnapshot& runs) {
                    if (const auto it = runs.find(key); it != runs.end()) it->second.waited_seconds = 100'000;
                });
            return {};
        }
        case Verb::keep:
        case Verb::go_on: return found == things.end() ? missing("the run") : Result<void>();
        case Verb::fetch_log:
            if (found == things.end()) return missing("the run");
            found->second.fetched_bytes = found->second.log_bytes;
            return {};
        case Verb::remove: things.erase(action.key); return {};
    }
    return {};
}

Result<void> change_database(database::Snapshot& things, const database::Action& action) {
    using Verb = database::Action::Verb;
    const bool marked = action.key.kind != database::Key::Kind::grant;
    if (marked && foreign(things, action.key, action.mark)) return taken(action.key.name);
    const database::Key owner{database::Key::Kind::user, action.key.name, action.key.host, ""};
    switch (action.verb) {
        case Verb::drop_schema:
        case Verb::drop_user:
            for (const auto& key : action.gone_too) things.erase(key);
            things.erase(action.key);
            return {};
        case Verb::forget:
        case Verb::revoke: things.erase(action.key); return {};
        case Verb::grant:
            if (!things.contains(owner)) return missing("account " + action.key.name);
            break;
        case Verb::alter_schema:
        case Verb::alter_user:
        case Verb::close_user:
        case Verb::mark:
            if (!things.contains(action.key)) return missing(action.key.name);
            break;
        case Verb::create_schema:
        case Verb::create_user: break;
    }
    auto thing = action.then.value_or(database::Thing{});
    if (action.verb == Verb::create_user || action.verb == Verb::alter_user) {
        thing.login = database::Thing::Login::native;
        thing.hash = database::mysql::native_hash(action.password);
        thing.second_hash = action.second ? database::mysql::native_hash(*action.second) : "";
    }
    things.insert_or_assign(action.key, std::move(thing));
    return {};
}

Result<void> change_balancer(loadbalancing::Snapshot& things, const loadbalancing::Action& action) {
    using namespace loadbalancing;
    const auto wanted = still_wanted(action, things);
    if (!wanted) return wanted.error();
    if (!*wanted) return {};
    std::erase_if(things, [&](const auto& item) {
        return item.first.part == Key::Part::domain && item.second.backend == action.fragment;
    });
    if (action.verb == Action::Verb::delete_) {
        things.erase(fragment_key(action.fragment));
        things.erase(checks_key(action.fragment));
        return {};
    }
    Thing fragment;
    fragment.mark = action.mark;
    fragment.text = action.text;
    fragment.domains = action.domains;
    fragment.live = true;
    Thing known;
    known.text = action.text;
    for (const auto& server : servers_of(action.text.reveal())) known.checks[server.name].state = Check::State::passed;
    things.insert_or_assign(checks_key(action.fragment), std::move(known));
    things.insert_or_assign(fragment_key(action.fragment), std::move(fragment));
    for (const auto& domain : action.domains) {
        Thing leads;
        leads.backend = action.fragment;
        things.insert_or_assign(domain_key(domain), std::move(leads));
    }
    return {};
}

Result<void> change_watch(monitoring::Snapshot& things, const monitoring::Action& action,
                          const monitoring::Outcome& found) {
    if (action.verb == monitoring::Action::Verb::delete_) {
        things.erase(action.key);
        return {};
    }
    monitoring::Thing thing;
    thing.mark = action.mark;
    thing.probe = action.probe;
    if (action.probe.enabled) thing.last = found;
    things.insert_or_assign(action.key, std::move(thing));
    return {};
}

}  // namespace ocim::simulation
