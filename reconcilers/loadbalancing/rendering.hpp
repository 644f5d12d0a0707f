#pragma once

#include "api/status.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "loadbalancing/certificate.hpp"
#include "runtime/mark.hpp"

#include "crd/loadbalancerfragments.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A fragment as HAProxy reads it. Pure.
namespace ocim::loadbalancing {

/// One word of an HAProxy configuration, in double quotes: the only place where text meets its syntax.
/// Error: invalid for control characters and NUL, which no quoting can carry.
Result<std::string> quoted_word(std::string_view text);

/// Why `name` is no host name that a browser could ask for, or "".
std::string wrong_with_domain(std::string_view name);
/// Lower case, without the trailing dot.
std::string canonical_domain(std::string_view name);
/// "192.0.2.1:80" or "ipv6@[2001:db8::1]:80". Error: invalid, when it is no IP address.
Result<std::string> server_address(std::string_view address, int port);

/// The name of a fragment's file (without ".cfg") and of its backend: of letters, digits, "-", "_" and "."; never the
/// same for two objects, at most fragment_name_max long.
std::string fragment_name(const std::string& prefix, const std::string& namespace_, const std::string& name);
inline constexpr std::size_t fragment_name_max = 80;  // with folder and extension below what tar's oldest form holds

/// What a fragment needs beyond its own spec.
struct Surroundings {
    std::string name;  ///< fragment_name()
    runtime::Mark mark;
    std::optional<Secret> username, password;       ///< both, or neither
    std::optional<std::string> preliminary_server;  ///< of the load balancer: "192.0.2.80" or with a port
};

struct Rendered {
    Secret text;
    std::vector<std::string> domains;  ///< canonical, sorted, without doubles
};

/// What is wrong with the spec by itself, by field.
std::vector<api::Cause> faults(const crd::LoadBalancerFragment::Spec& spec);

/// The file's text. Error: invalid, naming the field.
Result<Rendered> render(const crd::LoadBalancerFragment::Spec& spec, const Surroundings& around);

/// The mark on a fragment's first line.
std::optional<runtime::Mark> mark_of(std::string_view text);
/// The same text with another mark.
std::string with_mark(std::string_view text, const runtime::Mark& mark);
/// What the line after that says of a certificate.
std::optional<CertificateNote> certificate_of(std::string_view text);
/// The same text with another such line, or with none.
std::string with_certificate(std::string_view text, const std::optional<CertificateNote>& note);
struct RenderedServer {
    std::string name;
    bool standby = false;
    bool operator==(const RenderedServer&) const = default;
};
/// The servers in a fragment's text.
std::vector<RenderedServer> servers_of(std::string_view text);
/// Tells two texts apart without telling what they say: their credentials are left out.
std::string hash_of(std::string_view text, const std::vector<std::string>& domains);
/// What HAProxy said about a text, without the credential that it may have quoted.
std::string redacted(std::string message);

}  // namespace ocim::loadbalancing
