#include "mail/notification.hpp"
#include "runtime/backend_spec.hpp"

namespace ocim::mail {
namespace {

constexpr std::string_view secrets_namespace = "ocim-system";
constexpr Duration landing_max{120'000};  // a relay that has the whole mail may still be looking through it

using Smtp = crd::MailRelay::Spec::Smtp;

bool loopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

net::MailServer::Tls protection(const Smtp& smtp) {
    using Out = net::MailServer::Tls;
    if (!smtp.tls.mode) return loopback(smtp.host) && !smtp.credentials_ref ? Out::none : Out::start_tls;
    switch (*smtp.tls.mode) {
        case Smtp::Tls::Mode::start_tls: return Out::start_tls;
        case Smtp::Tls::Mode::implicit: return Out::implicit;
        case Smtp::Tls::Mode::disabled: break;
    }
    return Out::none;
}

}  // namespace

runtime::BackendSettings Notifications::settings(const Backend& backend) {
    auto out = runtime::settings_of(backend.spec);
    out.landing_max = landing_max;
    return out;
}

std::vector<runtime::Reference> Notifications::backend_needs(const Backend& backend) {
    const std::string where(secrets_namespace);
    std::vector<runtime::Reference> out;
    const auto& smtp = backend.spec.smtp;
    if (smtp.credentials_ref) out.push_back({api::secret_kind, where, smtp.credentials_ref->name});
    if (smtp.tls.ca_ref) out.push_back({api::secret_kind, where, smtp.tls.ca_ref->name});
    return out;
}

Result<std::unique_ptr<Relay>> Notifications::open_with(std::shared_ptr<Taken> taken, const Backend& backend,
                                                        const runtime::Inputs& inputs,
                                                        const runtime::Services& services) {
    const std::string where(secrets_namespace);
    const auto& smtp = backend.spec.smtp;
    if (!net::good_mail_address(backend.spec.from)) return Error{ErrorClass::invalid, "spec.from is no mail address"};
    RelaySettings out;
    out.from = backend.spec.from;
    out.from_name = backend.spec.from_name;
    out.subject_prefix = backend.spec.subject_prefix;
    out.server.host = smtp.host;
    out.server.port = static_cast<std::uint16_t>(smtp.port);
    out.server.tls = protection(smtp);
    out.server.hello = out.from.substr(out.from.find('@') + 1);
    if (smtp.credentials_ref) {
        const auto& name = smtp.credentials_ref->name;
        const auto secret = "Secret " + where + "/" + name;
        if (out.server.tls == net::MailServer::Tls::none)
            return Error{ErrorClass::invalid,
                         "credentials are not sent in the clear; use tls.mode StartTLS or Implicit"};
        const auto username = inputs.secret(where, name, "username");
        auto password = inputs.secret(where, name, "password");
        if (!username || username->empty()) return Error{ErrorClass::auth, secret + " has no key \"username\""};
        if (!password) return Error{ErrorClass::auth, secret + " has no key \"password\""};
        out.server.username = username->reveal();
        out.server.password = *std::move(password);
    }
    if (smtp.tls.ca_ref) {
        const auto pem = inputs.secret(where, smtp.tls.ca_ref->name, "ca.crt");
        if (!pem || pem->empty())
            return Error{ErrorClass::invalid,
                         "Secret " + where + "/" + smtp.tls.ca_ref->name + " has no key \"ca.crt\""};
        out.server.ca_certificate = pem->reveal();
    }
    return open_relay(std::move(out), std::move(taken), services);
}

}  // namespace ocim::mail
