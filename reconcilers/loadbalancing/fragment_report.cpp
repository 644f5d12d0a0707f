#include "loadbalancing/fragment.hpp"
#include "loadbalancing/judgement.hpp"
#include "loadbalancing/rendering.hpp"

#include <algorithm>
#include <utility>

namespace ocim::loadbalancing {

namespace {

using Object = crd::LoadBalancerFragment;
using Server = std::decay_t<decltype(Object::Status{}.servers)>::value_type;
using HostStatus = std::decay_t<decltype(Object::Status{}.hosts)>::value_type;
using runtime::Verdict;
using Checks = std::map<std::string, Check>;
constexpr Duration soon{1000}, later{5000};

/// Of what is known of a server on several hosts, what holds for all of them.
Server::Check together(Server::Check one, Server::Check other) {
    if (one == Server::Check::failed || other == Server::Check::failed) return Server::Check::failed;
    return one == other ? one : Server::Check::unknown;
}

void add_server(Object::Status& status, Server server) {
    const auto found = std::ranges::find(status.servers, server.name, &Server::name);
    if (found == status.servers.end()) {
        status.servers.push_back(std::move(server));
        return;
    }
    found->standby = found->standby && server.standby;
    found->check = together(found->check, server.check);
    if (!found->message) found->message = std::move(server.message);
}

/// What one host says of each server. A check that is not known now is what it was, as long as nothing of the fragment
/// changed: after each reload HAProxy begins anew for all of them.
void add_servers(Object::Status& status, const Object& object, const Thing& thing, const Checks& checks) {
    const bool unchanged = object.status.applied_hash == hash_of(thing.text.reveal(), thing.domains);
    for (const auto& rendered : servers_of(thing.text.reveal())) {
        Server server;
        server.name = rendered.name;
        server.standby = rendered.standby;
        const auto check = checks.find(rendered.name);
        if (check != checks.end() && thing.live && check->second.state != Check::State::unknown) {
            const bool passed = check->second.state == Check::State::passed;
            server.check = passed ? Server::Check::passed : Server::Check::failed;
            if (!passed) server.message = check->second.message;
        } else if (unchanged && thing.live) {
            for (const auto& before : object.status.servers)
                if (before.name == server.name && before.standby == server.standby) server = before;
        }
        add_server(status, std::move(server));
    }
}

/// What is in force on one host, if it is ours.
void add_host(Object::Status& status, const Object& object, const Judgement& judged, const std::string& host,
              const std::string& installation, const Snapshot& seen) {
    const auto found = seen.find(fragment_key(judged.name, host));
    const bool ours = found != seen.end() && found->second.mark && found->second.mark->uid == object.metadata.uid &&
                      found->second.mark->installation == installation;
    if (!ours) return;
    const auto& thing = found->second;
    if (!status.backend) {
        status.backend = judged.name;
        status.applied_hash = hash_of(thing.text.reveal(), thing.domains);
        status.domains = thing.domains;
    }
    const auto checks = seen.find(checks_key(judged.name, host));
    const bool current = checks != seen.end() && checks->second.text == thing.text;
    add_servers(status, object, thing, current ? checks->second.checks : Checks{});
}

/// A host that cannot be looked at may well send visitors where it was last seen to. What the others say of a server
/// counts as it is: what was said before holds the word of all of them already.
void add_unknown_host(Object::Status& status, const Object& object) {
    if (!status.backend) {
        status.backend = object.status.backend;
        status.applied_hash = object.status.applied_hash;
        status.domains = object.status.domains;
    }
    for (const auto& before : object.status.servers) {
        const auto found = std::ranges::find(status.servers, before.name, &Server::name);
        if (found == status.servers.end())
            status.servers.push_back(before);
        else
            found->standby = found->standby && before.standby;
    }
}

HostStatus host_status(const OnHost& there) {
    using State = HostStatus::State;
    const auto state = there.unknown                                     ? State::unknown
                       : there.action                                    ? State::pending
                       : !there.blocked                                  ? State::in_force
                       : there.blocked->state == Verdict::State::stalled ? State::refused
                                                                         : State::pending;
    HostStatus out{there.host, state, {}};
    if (there.unknown) out.message = *there.unknown;
    if (there.blocked) out.message = there.blocked->message;
    return out;
}

Verdict verdict_of(const Object& object, const Judgement& judged) {
    if (judged.blocked) return *judged.blocked;
    for (const auto& there : judged.hosts)
        if (there.action)
            return {Verdict::State::progressing, "Updating", "to be done: " + Fragment::describe(*there.action)};
    for (const auto& there : judged.hosts)
        if (there.blocked) return *there.blocked;
    for (const auto& there : judged.hosts)
        if (there.unknown)
            return {Verdict::State::progressing, "HostUnreachable",
                    on(there.host) + *there.unknown +
                        "; the other hosts are done, this one is when it answers or leaves the LoadBalancer's hosts"};
    return {Verdict::State::ready, "Applied",
            object.spec.servers.empty() ? "in force; no server is active, the preliminary page answers" : "in force"};
}

}  // namespace

runtime::Report<crd::LoadBalancerFragment> Fragment::report(const Object& object, const runtime::Inputs& inputs,
                                                            const Snapshot& seen) {
    runtime::Report<Object> out;
    const auto judged = judge(object, inputs, seen);
    for (const auto& there : judged.hosts)
        if (!there.unknown) add_host(out.status, object, judged, there.host, inputs.installation, seen);
    for (const auto& there : judged.hosts)
        if (there.unknown) add_unknown_host(out.status, object);
    for (const auto& server : out.status.servers) {
        if (server.check == Server::Check::unknown) out.look_again = soon;
        if (server.check == Server::Check::failed && server.standby) out.look_again = out.look_again.value_or(later);
        if (!server.standby) out.status.active_servers.push_back(server.name);
    }
    for (const auto& there : judged.hosts) {
        if (there.unknown) out.look_again = later;
        if (!there.host.empty() && !judged.blocked) out.status.hosts.push_back(host_status(there));
    }
    out.verdict = verdict_of(object, judged);
    return out;
}

}  // namespace ocim::loadbalancing
