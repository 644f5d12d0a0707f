#include "loadbalancing/judgement.hpp"

#include "loadbalancing/rendering.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ocim::loadbalancing {

namespace {

using Spec = crd::LoadBalancerFragment::Spec;
using runtime::Inputs;
using runtime::Ownership;
using runtime::Verdict;
using State = Verdict::State;

constexpr const char* domain_in_use = "DomainInUse";

std::vector<std::string> hosts_of(const crd::LoadBalancer& balancer) {
    std::vector<std::string> out;
    if (balancer.spec.haproxy)
        for (const auto& host : balancer.spec.haproxy->hosts) out.push_back(host.name);
    if (out.empty()) out.emplace_back();
    return out;
}

Surroundings surroundings(const crd::LoadBalancerFragment& object, const Inputs& inputs,
                          const crd::LoadBalancer& balancer) {
    const auto& meta = object.metadata;
    const std::string prefix = balancer.spec.haproxy ? balancer.spec.haproxy->fragment_prefix : "ocim-";
    Surroundings out{fragment_name(prefix, meta.namespace_, meta.name),
                     Mark{inputs.installation, meta.key(), meta.uid, false},
                     {},
                     {},
                     balancer.spec.preliminary_page_server};
    if (const auto& ref = object.spec.basic_auth_secret_ref) {
        out.username = inputs.secret(meta.namespace_, ref->name, ref->username_key);
        out.password = inputs.secret(meta.namespace_, ref->name, ref->password_key);
    }
    return out;
}

/// The key that the Secret with the credential lacks.
std::optional<std::string> lacking(const crd::LoadBalancerFragment& object, const Surroundings& around) {
    const auto& ref = object.spec.basic_auth_secret_ref;
    if (!ref || (around.username && around.password)) return std::nullopt;
    return "the Secret " + ref->name + " has no key \"" + (around.username ? ref->password_key : ref->username_key) +
           "\"";
}

std::string owner_of(const Thing& thing) {
    return thing.mark ? "is held by " + thing.mark->namespace_name + " of installation " + thing.mark->installation
                      : "carries no mark of ours";
}

/// A host of which it is known that nothing is known.
std::optional<std::string> unknown(const std::string& host, const Snapshot& seen) {
    const auto found = seen.find(unknown_host_key(host));
    if (found == seen.end()) return std::nullopt;
    return found->second.trouble;
}

JudgedCertificate certificate_of_secret(const crd::LoadBalancerFragment& object, const Inputs& inputs,
                                        const Rendered& rendered) {
    const auto& ref = *object.spec.certificate_secret_ref;
    const auto& namespace_ = object.metadata.namespace_;
    if (!inputs.find(api::secret_kind, namespace_, ref.name))
        return {{}, {}, "SecretNotFound", "there is no Secret " + ref.name};
    const auto chain = inputs.secret(namespace_, ref.name, ref.certificate_key);
    const auto key = inputs.secret(namespace_, ref.name, ref.private_key_key);
    if (!chain || !key)
        return {
            {},
            {},
            "SecretIncomplete",
            "the Secret " + ref.name + " has no key \"" + (chain ? ref.private_key_key : ref.certificate_key) + "\""};
    auto out = judge_certificate(*chain, *key, rendered.domains, inputs.now);
    if (!out.note) out.message = "the Secret " + ref.name + ": " + out.message;
    return out;
}

/// What a fragment is to be on every host.
struct Wanted {
    const Surroundings& around;
    const Rendered& rendered;
    std::optional<JudgedCertificate> certificate{};
};

/// A certificate that is in force stays when there is no better one, as long as it is what was put there, for those of
/// `domains` that it is good for.
std::optional<CertificateNote> kept(const Thing* there, const std::vector<std::string>& domains) {
    if (!there) return std::nullopt;
    auto note = certificate_of(there->text.reveal());
    if (!note || note->file != there->certificate) return std::nullopt;
    std::vector<std::string> names;
    std::ranges::set_intersection(note->names ? *note->names : there->domains, domains, std::back_inserter(names));
    if (names.empty()) return std::nullopt;
    note->names = std::move(names);
    return note;
}

/// Where the tool haproxy-config puts others' configuration beside ours: adopting would give HAProxy both.
Verdict in_others_fragment(const std::string& host, const std::string& what, const std::string& whose) {
    return {State::stalled, "NotOwned",
            on(host) + what + " in the fragment " + whose + " of haproxy-config, which is not ours; remove it there"};
}

/// Who else has a name that is wanted, or may have it.
std::optional<Verdict> by_names(const std::string& host, const Wanted& wanted, const std::optional<Taken>& other,
                                bool adopt, const Snapshot& seen) {
    if (other && other->by_us)
        return Verdict{State::progressing, domain_in_use,
                       on(host) + other->domain + " still leads to " + other->backend + "; waiting until it is let go"};
    if (other && !other->elsewhere.empty())
        return in_others_fragment(host, other->domain + " leads to " + other->backend, other->elsewhere);
    if (other && !adopt)
        return Verdict{State::stalled, "NotOwned",
                       on(host) + other->domain + " leads to " + other->backend +
                           ", which is not ours; remove that line from domains.map, or set adoptionPolicy: Adopt"};
    const auto not_known = unsure(wanted.rendered.domains, wanted.around.name, seen, host);
    if (!not_known) return std::nullopt;
    return Verdict{State::stalled, "NotOwned",
                   on(host) + not_known->file + " of haproxy-config cannot be read, so nobody knows that " +
                       not_known->what + " is not in it; let the user that Ocim logs in as read that file"};
}

OnHost judge_on(const std::string& host, const crd::LoadBalancerFragment& object, const Wanted& wanted,
                const std::string& installation, const Snapshot& seen) {
    const auto& [around, rendered, certificate] = wanted;
    OnHost out{host, unknown(host, seen)};
    if (out.unknown) return out;
    const auto found = seen.find(fragment_key(around.name, host));
    const bool exists = found != seen.end();
    const bool adopt = object.spec.adoption_policy == Spec::AdoptionPolicy::adopt;
    if (exists && !found->second.elsewhere.empty()) {
        out.blocked = in_others_fragment(host, "the backend " + around.name + " is", found->second.elsewhere);
        return out;
    }
    const bool foreign = exists && runtime::ownership(found->second.mark, around.mark) == Ownership::foreign;
    if (foreign && !runtime::takeable(found->second.mark, around.mark, adopt)) {
        out.blocked = Verdict{State::stalled, "NotOwned",
                              on(host) + "the file " + around.name + ".cfg exists and " + owner_of(found->second) +
                                  "; remove it, or let adoptionPolicy: Adopt take over what has no mark"};
        return out;
    }
    const auto other = taken(rendered.domains, around.name, installation, seen, host);
    out.blocked = by_names(host, wanted, other, adopt, seen);
    if (out.blocked) return out;
    std::optional<CertificateNote> note;
    Secret pem;
    if (certificate) {
        note = certificate->note ? certificate->note : kept(exists ? &found->second : nullptr, rendered.domains);
        pem = certificate->pem;
    }
    if (note && !adopt && seen.contains(certificate_key(around.name, host))) {
        out.blocked = Verdict{State::stalled, "NotOwned",
                              on(host) + "the file " + around.name +
                                  ".pem of certs is not ours; remove it, or set adoptionPolicy: Adopt"};
        return out;
    }
    Action action{exists ? Action::Verb::update : Action::Verb::create,
                  around.name,
                  Secret(with_certificate(rendered.text.reveal(), note)),
                  rendered.domains,
                  around.mark,
                  foreign || other,
                  host,
                  std::move(pem)};
    const auto differs = still_wanted(action, seen);
    if (!differs || *differs) out.action = std::move(action);
    return out;
}

}  // namespace

Judgement judge(const crd::LoadBalancerFragment& object, const Inputs& inputs, const Snapshot& seen) {
    const auto balancer = inputs.get<crd::LoadBalancer>("", object.spec.load_balancer_ref.name);
    if (!balancer) return {Verdict{State::progressing, "LoadBalancerNotFound", "the LoadBalancer cannot be read"}};
    const auto around = surroundings(object, inputs, *balancer);
    const bool compatible = balancer->spec.haproxy && balancer->spec.haproxy->compatible;
    // what is in force stays there meanwhile
    const auto blocked = [&](State state, std::string reason, std::string message) {
        Judgement out{Verdict{state, std::move(reason), std::move(message)}, around.name};
        for (const auto& host : hosts_of(*balancer)) out.hosts.push_back({host, unknown(host, seen)});
        out.told_of_checks = !compatible;
        return out;
    };
    if (const auto key = lacking(object, around)) return blocked(State::progressing, "SecretIncomplete", *key);
    const auto rendered = render(object.spec, around);
    if (!rendered) return blocked(State::stalled, "Invalid", rendered.error().message);
    Judgement out{std::nullopt, around.name};
    Wanted wanted{around, *rendered};
    out.told_of_checks = !compatible;
    if (object.spec.certificate_secret_ref && compatible)
        wanted.certificate = JudgedCertificate{{}, {}, "Unsupported", "the tool haproxy-config takes no certificates"};
    else if (object.spec.certificate_secret_ref)
        wanted.certificate = certificate_of_secret(object, inputs, *rendered);
    if (wanted.certificate && !wanted.certificate->note)
        out.certificate_refused = {wanted.certificate->reason, wanted.certificate->message};
    for (const auto& host : hosts_of(*balancer))
        out.hosts.push_back(judge_on(host, object, wanted, inputs.installation, seen));
    return out;
}

std::string on(const std::string& host) { return host.empty() ? "" : "on host " + host + ": "; }

}  // namespace ocim::loadbalancing
