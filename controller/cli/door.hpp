#pragma once

#include "apiserver/server.hpp"
#include "apiserver/subresource.hpp"
#include "cli/address.hpp"
#include "cli/doorkeeper.hpp"
#include "client/client.hpp"
#include "net/tls.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::cli {

/// What `ocim controller` shows by itself, over HTTPS, to whom the Doorkeeper lets in: pages, and what is known of
/// objects beside what the API server keeps, at the paths that `ocim serve` has them at. Lives on the loop thread.
class Door {
public:
    struct Settings {
        Address listen;
        std::string advertised;  ///< another name or address by which it is reached; may be empty
    };

    /// With a certificate of an authority of its own, made for this process alone. All must outlive it.
    static Result<std::unique_ptr<Door>> open(boost::asio::any_io_executor loop, Clock& clock, client::Reviews& reviews,
                                              client::Client& client, Settings settings);
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    /// What is posted to no resource is for `receive`, whoever sends it: it has to know by itself whom it trusts.
    void receive_by(net::Handler receive) { receive_ = std::move(receive); }
    /// Who has the verb get on the path of a page below /debug may see it.
    void use(apiserver::DebugPages debug) { debug_ = std::move(debug); }
    /// From now on it knows of objects; once.
    void use(apiserver::Subresources subresources) { subresources_ = std::move(subresources); }
    /// Who answers for objects until then, whoever asks: it has to let in or refuse by itself.
    void forward_by(net::Handler forward) { forward_ = std::move(forward); }

    std::uint16_t port() const { return listener_->port(); }
    /// PEM: whom to trust to be this one.
    const std::string& authority() const { return authority_.certificate; }
    /// Keeps its certificate good; until cancelled.
    awaitable<void> keep();
    awaitable<void> stop(Instant deadline);

private:
    Door(Clock& clock, client::Reviews& reviews, client::Client& client, Settings settings)
        : clock_(clock), client_(client), keeper_(reviews, clock), settings_(std::move(settings)) {}
    Result<net::TlsSettings> certificate() const;
    awaitable<void> handle(net::ServerRequest request, net::Responder& responder);
    awaitable<std::optional<net::ServerReply>> answer(net::ServerRequest request, net::Responder& responder);
    awaitable<std::optional<net::ServerReply>> of_object(apiserver::Route route, apiserver::Query query,
                                                         net::Responder& responder);

    Clock& clock_;
    client::Client& client_;
    Doorkeeper keeper_;
    Settings settings_;
    net::KeyPair authority_;
    apiserver::DebugPages debug_;
    std::optional<apiserver::Subresources> subresources_;
    net::Handler forward_, receive_;
    std::unique_ptr<net::HttpServer> listener_;
    bool draining_ = false;
};

}  // namespace ocim::cli
