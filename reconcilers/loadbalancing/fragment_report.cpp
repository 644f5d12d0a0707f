#include "loadbalancing/fragment.hpp"
#include "loadbalancing/judgement.hpp"
#include "loadbalancing/rendering.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace ocim::loadbalancing {

namespace {

using Object = crd::LoadBalancerFragment;
using Server = std::decay_t<decltype(Object::Status{}.servers)>::value_type;
using HostStatus = std::decay_t<decltype(Object::Status{}.hosts)>::value_type;
using runtime::Verdict;
using Checks = std::map<std::string, Check>;
constexpr Duration soon{1000}, later{5000};
using CertificateStatus = std::decay_t<decltype(*Object::Status{}.certificate)>;
using CertificateState = CertificateStatus::State;

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

/// Of several hosts the certificate that ends first.
void add_certificate(Object::Status& status, const std::optional<CertificateNote>& note, WallTime now) {
    if (!note) return;
    auto until = rfc3339(note->not_after);
    if (status.certificate && status.certificate->not_after <= until) return;
    const auto state = now >= note->not_after   ? CertificateState::expired
                       : now >= note->warn_at() ? CertificateState::expires_soon
                                                : CertificateState::valid;
    status.certificate = CertificateStatus{note->fingerprint, rfc3339(note->not_before), std::move(until), state};
}

/// All hosts' together. Nothing is said when one of them says nothing: a sum without it would look like a fall.
void add_traffic(Object::Status& status, const Judgement& judged, const Snapshot& seen) {
    using Sum = std::decay_t<decltype(*status.traffic)>;
    Sum sum;
    const auto add = [](std::int64_t& to, std::uint64_t more) {
        constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        to = static_cast<std::int64_t>(std::min(most, static_cast<std::uint64_t>(to) + std::min(more, most)));
    };
    for (const auto& there : judged.hosts) {
        const auto found = seen.find(traffic_key(judged.name, there.host));
        if (found == seen.end()) return;
        const auto& traffic = found->second.traffic;
        add(sum.requests, traffic.requests());
        add(sum.failures, traffic.failures());
        add(sum.bytes_in, traffic.bytes_in);
        add(sum.bytes_out, traffic.bytes_out);
        add(sum.sessions, traffic.sessions);
    }
    if (!judged.hosts.empty()) status.traffic = sum;
}

/// What is in force on one host, if it is ours.
void add_host(Object::Status& status, const Object& object, const Judgement& judged, const std::string& host,
              const std::string& installation, WallTime now, const Snapshot& seen) {
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
    add_certificate(status, certificate_of(thing.text.reveal()), now);
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
    if (!status.certificate) status.certificate = object.status.certificate;
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

/// A host whose HAProxy was not told to read our list of certificates.
std::optional<std::string> without_list(const Judgement& judged, const Snapshot& seen) {
    for (const auto& there : judged.hosts) {
        const auto found = seen.find(fragment_key(judged.name, there.host));
        if (found == seen.end() || !found->second.unlisted) continue;
        return on(there.host) +
               "HAProxy does not read our certificates: no bind line that it runs with says "
               "\"crt-list\" and the path of current/certs.list";
    }
    return std::nullopt;
}

/// A host whose HAProxy was started without our file.
std::optional<std::string> without_backend(const Judgement& judged, const Snapshot& seen) {
    for (const auto& there : judged.hosts) {
        const auto found = seen.find(fragment_key(judged.name, there.host));
        if (found == seen.end() || !found->second.unread) continue;
        return on(there.host) + "HAProxy was reloaded and has no backend " + judged.name +
               ": it is not started with \"-f\" and the path of current/haproxy.cfg";
    }
    return std::nullopt;
}

runtime::Finding certificate_finding(const Judgement& judged, const std::optional<CertificateStatus>& certificate,
                                     const std::optional<std::string>& unlisted) {
    const auto said = [](const char* status, std::string reason, std::string message) {
        return runtime::Finding{"CertificateReady", status, std::move(reason), std::move(message)};
    };
    if (judged.certificate_refused)
        return said("False", judged.certificate_refused->reason, judged.certificate_refused->message);
    if (unlisted) return said("False", "NotServed", *unlisted);
    if (!certificate) return said("False", "Updating", "it is not in force yet");
    const auto until = "the certificate in force is good until " + certificate->not_after;
    switch (certificate->state) {
        case CertificateState::valid: return said("True", "Valid", until);
        case CertificateState::expires_soon:
            return said("True", "ExpiresSoon", until + "; put its successor into the Secret");
        case CertificateState::expired: break;
    }
    return said("False", "Expired", "the certificate in force ended at " + certificate->not_after);
}

/// Told once of each certificate, before it ends and when it has.
void add_notes(runtime::Report<Object>& report, const Object& object) {
    const auto& now = report.status.certificate;
    if (!now || now->state == CertificateState::valid) return;
    const auto& before = object.status.certificate;
    if (before && before->fingerprint == now->fingerprint && before->state == now->state) return;
    const bool ended = now->state == CertificateState::expired;
    report.notes.push_back({true, ended ? "CertificateExpired" : "CertificateExpires",
                            (ended ? "the certificate in force ended at " : "the certificate in force ends at ") +
                                now->not_after + "; put its successor into the Secret"});
}

/// When the certificate's state changes by itself.
std::optional<Duration> until_next_state(const std::optional<CertificateNote>& note, WallTime now) {
    if (!note || now >= note->not_after) return std::nullopt;
    const auto when = now < note->warn_at() ? note->warn_at() : note->not_after;
    return std::chrono::ceil<Duration>(when - now);
}

Verdict verdict_of(const Object& object, const Judgement& judged, const std::optional<CertificateStatus>& certificate,
                   const std::optional<std::string>& unlisted, const Snapshot& seen) {
    if (judged.blocked) return *judged.blocked;
    for (const auto& there : judged.hosts)
        if (there.action)
            return {Verdict::State::progressing, "Updating", "to be done: " + Fragment::describe(*there.action)};
    for (const auto& there : judged.hosts)
        if (there.blocked) return *there.blocked;
    if (const auto unread = without_backend(judged, seen)) return {Verdict::State::stalled, "NotServed", *unread};
    if (const auto& refused = judged.certificate_refused)
        return {
            Verdict::State::stalled, "CertificateRefused",
            refused->message +
                (certificate ? "; the former certificate stays for what it is good for" : "; there is none in force") +
                ", all else is in force"};
    for (const auto& there : judged.hosts)
        if (there.unknown)
            return {Verdict::State::progressing, "HostUnreachable",
                    on(there.host) + *there.unknown +
                        "; the other hosts are done, this one is when it answers or leaves the LoadBalancer's hosts"};
    if (unlisted) return {Verdict::State::stalled, "CertificateNotServed", *unlisted};
    return {Verdict::State::ready, "Applied",
            object.spec.servers.empty() ? "in force; no server is active, the preliminary page answers" : "in force"};
}

}  // namespace

runtime::Report<crd::LoadBalancerFragment> Fragment::report(const Object& object, const runtime::Inputs& inputs,
                                                            const Snapshot& seen) {
    runtime::Report<Object> out;
    const auto judged = judge(object, inputs, seen);
    if (judged.name.empty()) {  // nobody can say what is there: it is what it was
        out.status = object.status;
        out.status.conditions.clear();
        out.status.observed_generation.reset();
        out.verdict = judged.blocked.value_or(Verdict());
        return out;
    }
    for (const auto& there : judged.hosts)
        if (!there.unknown) add_host(out.status, object, judged, there.host, inputs.installation, inputs.now, seen);
    for (const auto& there : judged.hosts)
        if (there.unknown) add_unknown_host(out.status, object);
    if (out.status.backend) add_traffic(out.status, judged, seen);
    for (const auto& server : out.status.servers) {
        if (server.check == Server::Check::unknown && judged.told_of_checks) out.look_again = soon;
        if (server.check == Server::Check::failed && server.standby) out.look_again = out.look_again.value_or(later);
        if (!server.standby) out.status.active_servers.push_back(server.name);
    }
    for (const auto& there : judged.hosts) {
        if (there.unknown) out.look_again = later;
        if (!there.host.empty() && !judged.blocked) out.status.hosts.push_back(host_status(there));
    }
    const auto unlisted = object.spec.certificate_secret_ref ? without_list(judged, seen) : std::nullopt;
    if (object.spec.certificate_secret_ref && !judged.blocked)
        out.findings.push_back(certificate_finding(judged, out.status.certificate, unlisted));
    add_notes(out, object);
    for (const auto& there : judged.hosts) {
        const auto found = seen.find(fragment_key(judged.name, there.host));
        if (found == seen.end()) continue;
        const auto wait = until_next_state(certificate_of(found->second.text.reveal()), inputs.now);
        if (wait) out.look_again = std::min(*wait, out.look_again.value_or(*wait));
    }
    out.verdict = verdict_of(object, judged, out.status.certificate, unlisted, seen);
    return out;
}

}  // namespace ocim::loadbalancing
