#include "gitops/plan.hpp"
#include "gitops/repository.hpp"
#include "runtime/backend_spec.hpp"

/// A GitSource as its own backend: how it is opened.
namespace ocim::gitops {

namespace {

constexpr Duration interval_default{60'000};
constexpr std::size_t actions_max = 200;  // of one call, which may take 90 s

std::string text_of(const runtime::Inputs& inputs, const std::string& namespace_, const std::string& name,
                    const char* key) {
    const auto found = inputs.secret(namespace_, name, key);
    return found ? found->reveal() : "";
}

RepositorySettings repository_of(const crd::GitSource& source, const runtime::Inputs& inputs) {
    const auto& spec = source.spec;
    RepositorySettings out;
    out.repository = spec.repository;
    out.wanted = {spec.branch, spec.tag, spec.commit};
    out.path = spec.path;
    out.host_key = spec.host_key.value_or("");
    if (!spec.credentials_ref) return out;
    const auto& home = source.metadata.namespace_;
    const auto& name = spec.credentials_ref->name;
    out.username = text_of(inputs, home, name, "username");
    out.ca_certificate = text_of(inputs, home, name, "ca.crt");
    out.password = inputs.secret(home, name, "token").value_or(Secret());
    if (out.password.empty()) out.password = inputs.secret(home, name, "password").value_or(Secret());
    out.identity = inputs.secret(home, name, "identity").value_or(Secret());
    if (out.host_key.empty()) out.host_key = host_key_of(text_of(inputs, home, name, "known_hosts"));
    return out;
}

}  // namespace

runtime::BackendSettings Sources::settings(const Backend& source) {
    runtime::BackendSettings out;
    const auto interval = runtime::parse_duration(source.spec.interval);
    out.drift_interval = interval && interval->count() > 0 ? *interval : interval_default;
    out.in_flight = 1;  // nothing is looked at while it is changed
    out.actions_max = actions_max;
    return out;
}

/// Optional, so that one whose Secret is gone can still be deleted: what is missing is told by the fetch.
std::vector<runtime::Reference> Sources::backend_needs(const Backend& source) {
    if (!source.spec.credentials_ref) return {};
    return {{api::secret_kind, source.metadata.namespace_, source.spec.credentials_ref->name, true}};
}

Result<std::unique_ptr<Repository>> Sources::open_with(const Doors& doors, const Backend& source,
                                                       const runtime::Inputs& inputs,
                                                       const runtime::Services& services) {
    if (!doors.self || !doors.delegates)
        return Error{ErrorClass::invalid, "this program cannot act in the place of ServiceAccounts"};
    Opened opened;
    opened.namespace_ = source.metadata.namespace_;
    opened.name = source.metadata.name;
    opened.suspended = source.spec.suspend;
    opened.interval = settings(source).drift_interval;
    opened.makes_account = !source.spec.service_account_name;
    for (const auto& entry : source.status.inventory) opened.tracked[id_of(entry)] = entry.api_version;
    const auto& secret = source.spec.credentials_ref;
    if (secret && !inputs.find(api::secret_kind, source.metadata.namespace_, secret->name)) {
        opened.problem = {"SecretNotFound", "the Secret " + source.metadata.namespace_ + "/" + secret->name +
                                                " does not exist: make it, or mend spec.credentialsRef"};
    } else if (!opened.suspended) {
        auto fetcher = make_fetcher(repository_of(source, inputs), services);
        if (fetcher)
            opened.fetcher = *std::move(fetcher);
        else
            opened.problem = std::move(fetcher).error();
    }
    auto delegate =
        doors.delegates(opened.namespace_, source.spec.service_account_name.value_or(std::string(default_account)));
    return open_repository(std::move(opened), std::move(delegate), *doors.self, services);
}

}  // namespace ocim::gitops
