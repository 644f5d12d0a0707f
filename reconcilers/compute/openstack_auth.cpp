#include "compute/openstack_auth.hpp"

#include "api/yaml.hpp"

#include <algorithm>
#include <map>

namespace ocim::compute::openstack {
namespace {

using api::Json;

constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
constexpr const char* default_domain = "Default";

Error unusable(std::string message) { return {ErrorClass::auth, std::move(message)}; }

/// The words of one OpenStack environment, without "OS_", in capitals.
using Words = std::map<std::string, std::string>;

std::string in_capitals(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
    return out;
}

void take(Words& words, const Json& from) {
    if (!from.is_object()) return;
    for (const auto& [key, value] : from.get_object())
        if (value.is_string()) words[in_capitals(key)] = std::string(value.get_string());
}

/// One entry of clouds.yaml as an environment.
Result<Words> read_clouds(const Secret& text, const std::string& wanted) {
    const std::string file = "clouds.yaml";
    const auto parsed = api::parse_yaml(text.reveal());
    if (!parsed) return unusable(file + " cannot be read as YAML");  // the reader's message may quote a password
    const auto* clouds = api::find(parsed->value, {"clouds"});
    if (!clouds || !clouds->is_object() || clouds->get_object().empty())
        return unusable(file + " has no entry under \"clouds\"");
    std::string names;
    for (const auto& entry : clouds->get_object()) names += (names.empty() ? "" : ", ") + std::string(entry.key());
    const auto& all = clouds->get_object();
    const auto* found = wanted.empty() ? (all.size() == 1 ? &all.begin()->value() : nullptr) : all.if_contains(wanted);
    if (!found)
        return unusable(file +
                        (wanted.empty() ? " has several clouds; spec.openstack.cloudName says which: "
                                        : " has no cloud \"" + wanted + "\"; it has: ") +
                        names);
    Words out;
    take(out, *found);
    if (const auto* auth = api::find(*found, {"auth"})) take(out, *auth);
    return out;
}

Result<Words> read_secret(const runtime::Inputs& inputs, const std::string& secret, const std::string& cloud) {
    if (const auto text = inputs.secret(system_namespace, secret, "clouds.yaml")) {
        auto words = read_clouds(*text, cloud);
        if (!words) return std::move(words).error().within("Secret " + secret);
        return words;
    }
    constexpr const char* known[] = {"AUTH_URL",
                                     "USERNAME",
                                     "USER_ID",
                                     "PASSWORD",
                                     "USER_DOMAIN_NAME",
                                     "USER_DOMAIN_ID",
                                     "PROJECT_NAME",
                                     "PROJECT_ID",
                                     "TENANT_NAME",
                                     "TENANT_ID",
                                     "PROJECT_DOMAIN_NAME",
                                     "PROJECT_DOMAIN_ID",
                                     "DOMAIN_NAME",
                                     "DOMAIN_ID",
                                     "SYSTEM_SCOPE",
                                     "REGION_NAME",
                                     "INTERFACE",
                                     "APPLICATION_CREDENTIAL_ID",
                                     "APPLICATION_CREDENTIAL_NAME",
                                     "APPLICATION_CREDENTIAL_SECRET"};
    Words out;
    for (const std::string word : known)
        if (const auto value = inputs.secret(system_namespace, secret, "OS_" + word)) out[word] = value->reveal();
    return out;
}

std::string word(const Words& words, const char* name, const char* old_name = "") {
    if (const auto found = words.find(name); found != words.end()) return found->second;
    const auto old = words.find(old_name);
    return old == words.end() ? "" : old->second;
}

void set(std::string& to, const std::optional<std::string>& from) {
    if (from && !from->empty()) to = *from;
}

std::string with_version(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url.empty() || url.ends_with("/v3") ? url : url + "/v3";
}

Result<void> check(const Credentials& is, const std::string& secret) {
    const auto lacks = [&](const std::string& what) { return unusable("the Secret " + secret + " has no " + what); };
    if (is.auth_url.empty())
        return Error{ErrorClass::invalid,
                     "spec.openstack.authURL is not set, and the Secret " + secret + " has no OS_AUTH_URL either"};
    if (!is.application_credential.empty()) {
        if (is.application_secret.empty()) return lacks("OS_APPLICATION_CREDENTIAL_SECRET");
        if (is.application_credential.id.empty() && is.user.empty())
            return lacks("OS_USERNAME, which an application credential that is given by name needs");
        return {};
    }
    if (is.user.empty()) return lacks("OS_USERNAME, and no OS_APPLICATION_CREDENTIAL_ID either");
    if (is.password.empty()) return lacks("OS_PASSWORD");
    if (is.project.empty() && is.domain.empty() && !is.system)
        return Error{ErrorClass::invalid,
                     "spec.openstack.project is not set, and the Secret " + secret + " has no OS_PROJECT_NAME either"};
    return {};
}

}  // namespace

Result<Credentials> credentials_of(const crd::Cloud& cloud, const runtime::Inputs& inputs) {
    const auto& spec = *cloud.spec.openstack;
    const auto& secret = spec.credentials_ref.name;
    const auto read = read_secret(inputs, secret, spec.cloud_name.value_or(""));
    if (!read) return read.error();
    const auto& words = *read;

    Credentials out;
    out.auth_url = word(words, "AUTH_URL");
    set(out.auth_url, spec.auth_url);
    out.auth_url = with_version(out.auth_url);
    out.region = word(words, "REGION_NAME");
    set(out.region, spec.region);
    if (const auto said = word(words, "INTERFACE"); !said.empty()) out.interface = said;
    if (spec.interface != crd::Cloud::Spec::Openstack::Interface::public_)
        out.interface = spec.interface == crd::Cloud::Spec::Openstack::Interface::internal ? "internal" : "admin";
    if (out.interface.ends_with("URL")) out.interface.resize(out.interface.size() - 3);  // "publicURL", as once said
    out.user = {word(words, "USER_ID"), word(words, "USERNAME")};
    out.user_domain = {word(words, "USER_DOMAIN_ID"), word(words, "USER_DOMAIN_NAME")};
    out.password = Secret(word(words, "PASSWORD"));
    out.application_credential = {word(words, "APPLICATION_CREDENTIAL_ID"), word(words, "APPLICATION_CREDENTIAL_NAME")};
    out.application_secret = Secret(word(words, "APPLICATION_CREDENTIAL_SECRET"));
    out.project = {word(words, "PROJECT_ID", "TENANT_ID"), word(words, "PROJECT_NAME", "TENANT_NAME")};
    out.project_domain = {word(words, "PROJECT_DOMAIN_ID"), word(words, "PROJECT_DOMAIN_NAME")};
    out.domain = {word(words, "DOMAIN_ID"), word(words, "DOMAIN_NAME")};
    out.system = !word(words, "SYSTEM_SCOPE").empty() || spec.system;
    if (spec.project) {
        out.project = {spec.project->id.value_or(""), spec.project->name.value_or("")};
        if (spec.project->domain_id || spec.project->domain_name)
            out.project_domain = {spec.project->domain_id.value_or(""), spec.project->domain_name.value_or("")};
    }
    if (spec.domain) out.domain = {spec.domain->id.value_or(""), spec.domain->name.value_or("")};
    if (spec.ca_ref) {
        const auto pem = inputs.secret(system_namespace, spec.ca_ref->name, "ca.crt");
        if (!pem) return Error{ErrorClass::invalid, "the Secret " + spec.ca_ref->name + " has no key \"ca.crt\""};
        out.ca_certificate = pem->reveal();
    }
    if (out.user_domain.empty()) out.user_domain.name = default_domain;
    if (out.project_domain.empty()) out.project_domain.name = default_domain;
    if (auto ok = check(out, secret); !ok) return std::move(ok).error();
    return out;
}

}  // namespace ocim::compute::openstack
