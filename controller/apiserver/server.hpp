#pragma once

#include "apiserver/audit.hpp"
#include "apiserver/authenticator.hpp"
#include "apiserver/authorizer.hpp"
#include "apiserver/discovery.hpp"
#include "apiserver/exchange.hpp"
#include "apiserver/fair_gate.hpp"
#include "apiserver/health.hpp"
#include "apiserver/objects.hpp"
#include "apiserver/openapi.hpp"
#include "apiserver/subresource.hpp"

namespace ocim::apiserver {

/// What answers below /debug; the caller has been let in.
using DebugPages = std::function<net::ServerReply(const std::string& path, const Query& query)>;
inline bool is_debug_path(const std::string& path) { return path == "/debug" || path.starts_with("/debug/"); }

/// The Kubernetes API over a Registry. It owns no socket: handler() is given to net::serve. Lives on the loop
/// thread.
class Server {
public:
    /// All of these must outlive the server.
    struct Parts {
        registry::Registry& registry;
        Clock& clock;
        Random& random;
        Metrics& metrics;
        BlockingPool& pool;  ///< for bodies that are long to parse, and for compression
        const Authorizer& authorizer;
        AuditLog& audit;
        const Health& health;
        std::string version;  ///< of the program
        Subresources subresources{};
        Authenticator* authenticator = nullptr;  ///< null: client certificates only
        FairGate::Bounds fairness{};
        DebugPages debug{};  ///< empty: there are none
    };
    explicit Server(const Parts& parts);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Holds a reference to the server.
    net::Handler handler();
    /// Ends every watch within limits::watch_slice, and refuses new ones: clients come back elsewhere or later.
    void drain() { draining_ = true; }

private:
    awaitable<void> handle(net::ServerRequest request, net::Responder& responder);
    /// Who it is and whether he may; the refusal if not.
    std::optional<net::ServerReply> admit(Exchange& exchange);
    /// Nothing when the answer was a stream, which is over then.
    awaitable<std::optional<net::ServerReply>> answer(Exchange& exchange, net::Responder& responder);
    /// The same once it is his turn, for what is no stream.
    awaitable<net::ServerReply> answer_in_turn(Exchange& exchange);
    awaitable<Result<net::ServerReply>> answer_plain(Exchange& exchange);
    awaitable<std::optional<net::ServerReply>> answer_stream(Exchange& exchange, net::Responder& responder);
    awaitable<net::ServerReply> answer_review(Exchange& exchange);
    /// Until all that was written on any replica is seen here; the refusal when nobody can tell.
    awaitable<std::optional<net::ServerReply>> catch_up(const Exchange& exchange) const;
    bool streams(const Route& route) const;
    /// Null when the route names none.
    const Subresource* subresource(const Route& route) const;
    awaitable<std::optional<net::ServerReply>> answer_subresource(const Subresource& asked, Exchange& exchange,
                                                                  net::Responder& responder);
    awaitable<net::ServerReply> answer_token_request(Exchange& exchange);
    /// The body of a review or a TokenRequest.
    awaitable<Result<api::Json, api::Status>> read_body(const Exchange& exchange, std::string kind, std::string group);
    std::optional<net::ServerReply> issuer_document(const std::string& path) const;
    awaitable<std::optional<net::ServerReply>> stream(Exchange& exchange, net::Responder& responder);
    awaitable<void> send_events(const Exchange& exchange, Objects::Watching& watching, net::Responder& responder,
                                Instant end);
    awaitable<void> compress(const Exchange& exchange, net::ServerReply& reply);
    void warn_of_deprecation(const Route& route, std::multimap<std::string, std::string>& headers) const;
    void record(const Exchange& exchange, Instant begin, unsigned code, bool streamed);
    void audit(const Exchange& exchange, unsigned code, std::chrono::nanoseconds took);
    void audit_unknown(const Exchange& exchange, std::chrono::nanoseconds took);
    /// Whether who asked is still let in; a stream may outlive its credentials otherwise. Looks once a second.
    std::function<bool()> still_known(const Exchange& exchange);
    /// Where requests of one kind are counted. Looked up once: the registry of metrics takes as long as a small
    /// request.
    struct Counted {
        prometheus::Counter& total;
        prometheus::Histogram& seconds;
    };
    Counted& counted_of(const std::string& verb, const std::string& resource, unsigned code);

    Parts parts_;
    std::map<std::string, Counted> counted_;  ///< by verb, resource and code: as many as the metrics have series
    Authenticator certificates_only_;
    FairGate gate_;
    std::map<std::string, std::size_t> streams_;  ///< open ones, by user
    Objects objects_;
    Discovery discovery_;
    OpenApi open_api_;
    Allowance unknown_;  ///< of lines in the audit log about who is not known
    bool draining_ = false;
};

net::ServerReply metrics_reply(const Metrics& metrics);
/// /metrics and health, without authentication: for a listener of its own on loopback. `debug` is for who asks from
/// this machine itself, as `kubectl port-forward` does, and not through a proxy: whoever gets there was let in
/// elsewhere.
net::Handler metrics_handler(Metrics& metrics, const Health& health, DebugPages debug = {});

/// Measures how late the loop comes to what is due: ocim_loop_lag_seconds. Runs until cancelled.
awaitable<void> measure_loop_lag(Clock& clock, Metrics& metrics);

}  // namespace ocim::apiserver
