#pragma once

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "monitoring/newrelic_synthetic.hpp"
#include "monitoring/prometheus_entry.hpp"
#include "net/talk.hpp"
#include "runtime/kinds.hpp"
#include "runtime/mark.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What watches sites, as Monitors see it.
namespace ocim::monitoring {

/// "namespace/name" of the Monitor; with more behind it, or without a slash, of what else there is at New Relic.
struct Key {
    std::string monitor;
    auto operator<=>(const Key&) const = default;
};

/// A question to name servers.
struct DnsCheck {
    std::string name, type;
    std::vector<std::string> servers;  ///< "address:port"; each must answer as expected
    bool over_tcp = false, recursion = true;
    std::string rcode = "NOERROR";
    std::vector<std::string> values{};    ///< canonical, sorted: all that is answered; empty: whatever it is
    std::vector<std::string> contains{};  ///< canonical, sorted: among it
    bool operator==(const DnsCheck&) const = default;
};

/// A connection, and what is said over it.
struct TcpCheck {
    std::string address;  ///< "host:port"
    bool tls = false;
    std::string server_name{};  ///< of the certificate; "": the host
    std::vector<net::TalkStep> steps{};
    bool operator==(const TcpCheck&) const = default;
};

/// What is asked, how often, and what counts as up: one of a URL, a question to name servers and a connection.
struct Probe {
    std::string url, connect_to;
    bool verify = true;
    std::map<std::string, Secret> headers;
    std::optional<unsigned> expected_status;       ///< nothing: 200 to 399
    std::string body_contains{}, body_excludes{};  ///< "": whatever it is
    Duration interval{60'000}, timeout{10'000};
    bool enabled = true;
    unsigned alert_after = 3;  ///< failures in a row
    std::optional<DnsCheck> dns{};
    std::optional<TcpCheck> tcp{};
    bool operator==(const Probe&) const = default;
};
/// What is watched, for people: the URL, "DNS A www.example.org", "tcp://host:port", "tls://host:port".
std::string target_of(const Probe& probe);

struct Outcome {
    bool up = false;
    std::optional<unsigned> status;
    std::string message;
    WallTime at{};
    bool alert = false;                             ///< it has failed as often as alert_after says
    std::optional<WallTime> certificate_expires{};  ///< the first of those that it showed
    bool operator==(const Outcome&) const = default;
};

struct Thing {
    std::optional<runtime::Mark> mark;
    Probe probe;
    /// Changes when the site went up or down or says something else, and otherwise once a minute at most.
    std::optional<Outcome> last;
    std::optional<Synthetic> synthetic{};      ///< at New Relic; then `probe` says nothing
    std::optional<prometheus::Entry> entry{};  ///< in Prometheus' files; then `probe` says nothing
    prometheus::Loaded loaded = prometheus::Loaded::yes;
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { create, update, delete_ };
    Verb verb = Verb::create;
    Key key;
    runtime::Mark mark;
    Probe probe;
    std::optional<SyntheticOrder> order{};  ///< at New Relic
    std::optional<prometheus::Order> prometheus{};
    bool operator==(const Action&) const = default;
};

using Watch = runtime::System<Key, Thing, Action>;

}  // namespace ocim::monitoring
