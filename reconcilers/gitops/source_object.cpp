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
    out.known_hosts = text_of(inputs, home, name, "known_hosts");
    return out;
}

/// Whose signatures count; nothing is fetched where that cannot be said.
Result<Verification, Problem> verification_of(const crd::GitSource& source, const runtime::Inputs& inputs) {
    const auto& home = source.metadata.namespace_;
    const auto& name = source.spec.verify->secret_ref.name;
    Verification out;
    out.of = source.spec.verify->mode == crd::GitSource::Spec::Verify::Mode::tag ? Verification::Of::tag
                                                                                 : Verification::Of::commit;
    out.signers.secret = home + "/" + name;
    out.signers.allowed_signers = text_of(inputs, home, name, "allowed_signers");
    const auto keys = keyring_of(text_of(inputs, home, name, "gpg.asc"));
    if (!keys)
        return Problem{"InvalidRepository", "the key gpg.asc of the Secret " + out.signers.secret +
                                                " is no armored OpenPGP key; make it with gpg --armor --export"};
    out.signers.keyring = *keys;
    if (out.signers.allowed_signers.empty() && out.signers.keyring.empty())
        return Problem{"SecretNotFound", "the Secret " + out.signers.secret +
                                             " has neither allowed_signers (of SSH) nor gpg.asc; put the keys there "
                                             "whose signatures count"};
    return out;
}

/// Of the Secrets that the spec names the first that is not there.
std::optional<Problem> missing_secret(const crd::GitSource& source, const runtime::Inputs& inputs) {
    const auto& home = source.metadata.namespace_;
    const auto missing = [&](const std::string& name, const char* field) -> std::optional<Problem> {
        if (inputs.find(api::secret_kind, home, name)) return std::nullopt;
        return Problem{"SecretNotFound",
                       "the Secret " + home + "/" + name + " does not exist: make it, or mend " + field};
    };
    if (const auto& secret = source.spec.credentials_ref)
        if (auto problem = missing(secret->name, "spec.credentialsRef")) return problem;
    if (const auto& verify = source.spec.verify) return missing(verify->secret_ref.name, "spec.verify.secretRef");
    return std::nullopt;
}

/// "/org/fleet.git" of an address is "org/fleet" in what is delivered.
std::string delivered_as(std::string repository) {
    repository.erase(0, std::min(repository.find('/', repository.find("//") + 2), repository.size() - 1) + 1);
    while (repository.ends_with('/')) repository.pop_back();
    if (repository.ends_with(".git")) repository.erase(repository.size() - 4);
    return repository;
}

std::unique_ptr<webhooks::Hooks::Hearing> hearing_of(webhooks::Hooks* hooks, const crd::GitSource& source,
                                                     const runtime::Inputs& inputs) {
    if (!hooks || !source.spec.webhook_secret_ref) return nullptr;
    const auto& home = source.metadata.namespace_;
    webhooks::Hooks::Listener out{crd::GitSource::kind,
                                  home,
                                  source.metadata.name,
                                  {delivered_as(source.spec.repository)},
                                  webhooks::secrets_of(inputs, home, source.spec.webhook_secret_ref->name)};
    return std::make_unique<webhooks::Hooks::Hearing>(*hooks, std::move(out));
}

Result<std::unique_ptr<Fetcher>, Problem> fetcher_of(const crd::GitSource& source, const runtime::Inputs& inputs,
                                                     const runtime::Services& services, Workshop* workshop) {
    if (auto missing = missing_secret(source, inputs)) return *std::move(missing);
    auto settings = repository_of(source, inputs);
    if (source.spec.verify) {
        auto verification = verification_of(source, inputs);
        if (!verification) return std::move(verification).error();
        settings.verification = *std::move(verification);
    }
    return make_fetcher(std::move(settings), services, workshop);
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
    std::vector<runtime::Reference> out;
    const auto& home = source.metadata.namespace_;
    if (const auto& secret = source.spec.credentials_ref) out.push_back({api::secret_kind, home, secret->name, true});
    if (const auto& verify = source.spec.verify) out.push_back({api::secret_kind, home, verify->secret_ref.name, true});
    // without it the repository is asked every interval all the same
    if (const auto& hook = source.spec.webhook_secret_ref) out.push_back({api::secret_kind, home, hook->name, true});
    return out;
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
    if (!opened.suspended) {
        opened.hearing = hearing_of(doors.hooks, source, inputs);
        auto fetcher = fetcher_of(source, inputs, services, doors.workshop);
        if (fetcher)
            opened.fetcher = *std::move(fetcher);
        else
            opened.problem = std::move(fetcher).error();
    }
    auto delegate =
        doors.delegates(opened.namespace_, source.spec.service_account_name.value_or(std::string(default_account)));
    // what a stranger wrote is read on those threads too
    const runtime::Services own{services.loop,
                                services.clock,
                                services.random,
                                services.metrics,
                                doors.workshop ? doors.workshop->threads() : services.blocking,
                                services.installation,
                                services.data_directory,
                                services.tasks};
    return open_repository(std::move(opened), std::move(delegate), *doors.self, own);
}

}  // namespace ocim::gitops
