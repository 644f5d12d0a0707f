#include "monitoring/wanted.hpp"

#include "monitoring/dns_check.hpp"
#include "net/fetch.hpp"
#include "net/talk.hpp"
#include "runtime/base64.hpp"

#include <algorithm>

namespace ocim::monitoring {

namespace {

using Spec = crd::Monitor::Spec;
using std::chrono::seconds;
using State = runtime::Verdict::State;

constexpr const char* dns_port = "53";

bool fits_a_header(const std::string& value) {
    return std::ranges::none_of(value, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::optional<Wrong> wrong_with_url(const Spec& spec) {
    if (const auto good = net::check_fetch(*spec.url, ""); !good)
        return Wrong{"spec.url", *spec.url, good.error().message};
    if (const auto good = net::check_fetch(*spec.url, spec.connect_to.value_or("")); !good)
        return Wrong{"spec.connectTo", *spec.connect_to, good.error().message};
    return std::nullopt;
}

std::string type_of(const Spec& spec) { return std::string(api::encode(spec.dns->type).as_string()); }

std::optional<Wrong> wrong_with_dns(const Spec& spec) {
    const auto& dns = *spec.dns;
    for (std::size_t i = 0; i < dns.servers.size(); ++i)
        if (const auto good = net::check_address(dns.servers[i], dns_port); !good)
            return Wrong{"spec.dns.servers[" + std::to_string(i) + "]", dns.servers[i], good.error().message};
    DnsCheck question;
    question.name = dns.name;
    question.type = type_of(spec);
    if (const auto good = dns_question(question, 0); !good)
        return Wrong{"spec.dns.name", dns.name, good.error().message};
    if (!dns.expect) return std::nullopt;
    const auto among = [&](const std::vector<std::string>& values, const std::string& field) -> std::optional<Wrong> {
        for (std::size_t i = 0; i < values.size(); ++i)
            if (const auto good = canonical_dns_value(question.type, values[i]); !good)
                return Wrong{"spec.dns.expect." + field + "[" + std::to_string(i) + "]", values[i],
                             good.error().message};
        return std::nullopt;
    };
    if (auto wrong = among(dns.expect->values, "values")) return wrong;
    return among(dns.expect->contains, "contains");
}

/// Those that wrong_with_dns() found good.
std::vector<std::string> canonical(const std::string& type, const std::vector<std::string>& values) {
    std::vector<std::string> out;
    for (const auto& value : values)
        if (auto good = canonical_dns_value(type, value)) out.push_back(*std::move(good));
    std::ranges::sort(out);
    return out;
}

DnsCheck dns_of(const Spec& spec) {
    const auto& dns = *spec.dns;
    DnsCheck out;
    out.name = dns.name;
    out.type = type_of(spec);
    out.servers = dns.servers;
    out.over_tcp = api::encode(dns.protocol).as_string() == "TCP";
    out.recursion = dns.recursion_desired;
    if (!dns.expect) return out;
    out.rcode = api::encode(dns.expect->rcode).as_string();
    out.values = canonical(out.type, dns.expect->values);
    out.contains = canonical(out.type, dns.expect->contains);
    return out;
}

TcpCheck tcp_of(const Spec& spec) {
    const auto& tcp = *spec.tcp;
    TcpCheck out{tcp.address, tcp.tls, tcp.server_name.value_or(""), {}};
    for (const auto& step : tcp.query_response)
        out.steps.push_back({step.expect.value_or(""), step.send.value_or(""), step.start_tls});
    return out;
}

runtime::Verdict missing(const api::SecretKeyRef& ref) {
    return {State::progressing, "SecretMissing", "waiting for the Secret key " + ref.name + "/" + ref.key};
}

/// Headers, and the one that basicAuth makes.
std::optional<runtime::Verdict> add_headers(const crd::Monitor& object, const runtime::Inputs& inputs, Probe& out) {
    for (const auto& header : object.spec.headers) {
        Secret value(header.value.value_or(""));
        if (const auto& ref = header.value_ref) {
            auto found = inputs.secret(object.metadata.namespace_, ref->name, ref->key);
            if (!found) return missing(*ref);
            value = *std::move(found);
        }
        if (!fits_a_header(value.reveal()))
            return runtime::Verdict{State::stalled, "InvalidSpec",
                                    "the value of the header " + header.name + " holds a control character"};
        out.headers[header.name] = std::move(value);
    }
    if (const auto& basic = object.spec.basic_auth) {
        const auto& ref = basic->password_secret_ref;
        const auto password = inputs.secret(object.metadata.namespace_, ref.name, ref.key);
        if (!password) return missing(ref);
        out.headers["Authorization"] = Secret("Basic " + runtime::base64(basic->username + ":" + password->reveal()));
    }
    return std::nullopt;
}

}  // namespace

std::optional<Wrong> wrong_with(const Spec& spec) {
    if (int(spec.url.has_value()) + int(spec.dns.has_value()) + int(spec.tcp.has_value()) != 1)
        return Wrong{"spec", "", "exactly one of url, dns and tcp is needed"};
    if (spec.url) return wrong_with_url(spec);
    if (spec.dns) return wrong_with_dns(spec);
    if (const auto good = net::check_address(spec.tcp->address); !good)
        return Wrong{"spec.tcp.address", spec.tcp->address, good.error().message};
    return std::nullopt;
}

std::vector<runtime::Reference> secrets_of(const crd::Monitor& object) {
    std::vector<runtime::Reference> out;
    const auto need = [&](const std::string& name) {
        runtime::Reference ref{api::secret_kind, object.metadata.namespace_, name};
        if (std::ranges::find(out, ref) == out.end()) out.push_back(std::move(ref));
    };
    for (const auto& header : object.spec.headers)
        if (header.value_ref) need(header.value_ref->name);
    if (object.spec.basic_auth) need(object.spec.basic_auth->password_secret_ref.name);
    return out;
}

Result<Probe, runtime::Verdict> wanted(const crd::Monitor& object, const runtime::Inputs& inputs) {
    const auto& spec = object.spec;
    if (const auto wrong = wrong_with(spec))
        return runtime::Verdict{State::stalled, "InvalidSpec", wrong->field + ": " + wrong->why};
    Probe out;
    out.url = spec.url.value_or("");
    out.connect_to = spec.connect_to.value_or("");
    if (spec.dns) out.dns = dns_of(spec);
    if (spec.tcp) out.tcp = tcp_of(spec);
    out.verify = !spec.tls.insecure_skip_verify;
    out.interval = seconds(spec.interval_seconds);
    out.timeout = seconds(spec.timeout_seconds);
    out.enabled = spec.enabled;
    out.alert_after = static_cast<unsigned>(spec.alert_after_failures);
    if (spec.body) {
        out.body_contains = spec.body->contains.value_or("");
        out.body_excludes = spec.body->excludes.value_or("");
    }
    if (spec.expected_status) out.expected_status = static_cast<unsigned>(*spec.expected_status);
    if (auto verdict = add_headers(object, inputs, out)) return *std::move(verdict);
    return out;
}

std::string target_of(const Spec& spec) {
    Probe probe;
    probe.url = spec.url.value_or("");
    if (spec.dns) probe.dns = dns_of(spec);
    if (spec.tcp) probe.tcp = tcp_of(spec);
    return target_of(probe);
}

}  // namespace ocim::monitoring
