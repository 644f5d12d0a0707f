#include "cli/door.hpp"

#include "apiserver/exchange.hpp"
#include "cli/access.hpp"
#include "cli/certificates.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

constexpr std::size_t connections_max = 256;  // people who read logs

net::ServerReply refusal_of(const Error& error) {
    api::Status status;
    const bool gone = error.error_class == ErrorClass::not_found;
    status.code = gone ? 404 : 503;
    status.reason = gone ? "NotFound" : "ServiceUnavailable";
    status.message = error.message;
    return apiserver::refusal_reply(status);
}

net::ServerReply method_not_allowed() {
    api::Status status;
    status.code = 405;
    status.reason = "MethodNotAllowed";
    status.message = "the server does not allow this method on the requested resource";
    return apiserver::refusal_reply(status);
}

}  // namespace

Result<std::unique_ptr<Door>> Door::open(boost::asio::any_io_executor loop, Clock& clock, client::Reviews& reviews,
                                         client::Client& client, Settings settings) {
    std::unique_ptr<Door> out(new Door(clock, reviews, client, std::move(settings)));
    auto made = net::make_ca("ocim-controller", clock.wall());
    if (!made) return std::move(made).error();
    out->authority_ = *std::move(made);
    auto shown = out->certificate();
    if (!shown) return std::move(shown).error();
    net::ServerSettings secure;
    secure.address = out->settings_.listen.host;
    secure.port = out->settings_.listen.port;
    secure.tls = *std::move(shown);
    secure.connections_max = connections_max;
    secure.refusal = apiserver::wire_refusal;
    auto served = net::serve(std::move(loop), clock, std::move(secure),
                             [door = out.get()](net::ServerRequest request, net::Responder& responder) {
                                 return door->handle(std::move(request), responder);
                             });
    if (!served) return std::move(served).error();
    out->listener_ = *std::move(served);
    return out;
}

Result<net::TlsSettings> Door::certificate() const {
    ServerNames names{settings_.listen.host, {}};
    if (!settings_.advertised.empty()) names.others.push_back(settings_.advertised);
    auto pair = net::issue_certificate(authority_, server_request(names), clock_.wall());
    if (!pair) return std::move(pair).error();
    return net::TlsSettings{pair->certificate, pair->private_key};
}

awaitable<void> Door::keep() {
    const auto renew = [this]() -> Result<WallTime> {
        auto shown = certificate();
        if (!shown) return std::move(shown).error();
        if (auto renewed = listener_->renew(*shown); !renewed) return std::move(renewed).error();
        return net::certificate_expiry(shown->certificate);
    };
    const auto first = renew();
    const auto expires = first ? *first : clock_.wall();
    co_await renew_in_time(clock_, expires, renew);
}

awaitable<void> Door::stop(Instant deadline) {
    draining_ = true;
    co_await listener_->stop(deadline);
}

awaitable<void> Door::handle(net::ServerRequest request, net::Responder& responder) {
    auto reply = co_await answer(std::move(request), responder);
    if (reply) co_await responder.reply(*std::move(reply));
}

awaitable<std::optional<net::ServerReply>> Door::answer(net::ServerRequest request, net::Responder& responder) {
    auto query = apiserver::Query::parse(request.query);
    auto route = apiserver::parse_route(request.method, request.path, query);
    if (!route) co_return apiserver::refusal_reply(route.error());
    const bool elsewhere = route->is_resource() && !subresources_ && forward_;
    const bool posted = !route->is_resource() && request.method == "POST" && receive_;
    if (elsewhere || posted) {
        const auto& answers = posted ? receive_ : forward_;
        co_await answers(std::move(request), responder);
        co_return std::nullopt;
    }
    auto refused = co_await keeper_.refusal(request, *route);
    if (refused) co_return refused;
    if (route->is_resource()) co_return co_await of_object(*std::move(route), std::move(query), responder);
    if (!debug_ || !apiserver::is_debug_path(route->path())) co_return apiserver::page_not_found();
    if (request.method != "GET") co_return method_not_allowed();
    co_return debug_(route->path(), query);
}

awaitable<std::optional<net::ServerReply>> Door::of_object(apiserver::Route route, apiserver::Query query,
                                                           net::Responder& responder) {
    if (!subresources_) co_return apiserver::page_not_found();
    const auto found = std::ranges::find_if(*subresources_, [&](const apiserver::Subresource& one) {
        return one.group == route.group && one.version == route.version && one.plural == route.plural &&
               one.name == route.subresource;
    });
    if (found == subresources_->end() || route.name.empty()) co_return apiserver::page_not_found();
    if (route.verb != "get") co_return method_not_allowed();
    const api::Kind kind{found->group, found->version, {}, found->plural};
    auto object = co_await client_.get(kind, route.namespace_, route.name);
    if (!object) co_return refusal_of(object.error());
    apiserver::SubresourceRequest request{*std::move(object), std::move(query), [this] { return draining_; }};
    co_return co_await found->answer(std::move(request), responder);
}

}  // namespace ocim::cli
