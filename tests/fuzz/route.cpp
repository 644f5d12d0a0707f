#include "apiserver/route.hpp"
#include "apiserver/negotiate.hpp"
#include "apiserver/options.hpp"
#include "net/http_wire.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

/// A method, a request's target, an Accept header and a Content-Type, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 4);
    (void)apiserver::negotiate(input[2]);
    (void)apiserver::accepts_json(input[2]);
    (void)apiserver::accepts_gzip(input[2]);
    (void)apiserver::negotiate_discovery(input[2]);
    (void)apiserver::body_type(input[3]);

    apiserver::Exchange exchange;
    if (!net::wire::split_target(input[1], exchange.request.path, exchange.request.query)) return 0;
    exchange.request.method = input[0];
    exchange.query = apiserver::Query::parse(exchange.request.query);
    auto route = apiserver::parse_route(exchange.request.method, exchange.request.path, exchange.query);
    if (!route) {
        fuzz::expect(route.error().code == 400 || route.error().code == 405, "a refusal is the client's fault");
        return 0;
    }
    exchange.route = *std::move(route);
    const auto& path = exchange.route;
    fuzz::expect(path.path().starts_with('/') && path.path().find('\0') == std::string::npos, "a path is one");
    if (path.is_resource()) {
        fuzz::expect(!path.version.empty() && !path.verb.empty(), "a resource has a version and a verb", path.path());
        for (const auto* part : {&path.group, &path.version, &path.namespace_, &path.plural, &path.name})
            fuzz::expect(part->find('/') == std::string::npos, "what names an object is no path", *part);
    }
    (void)apiserver::list_options(exchange);
    (void)apiserver::watch_options(exchange);
    (void)apiserver::apply_force(exchange);
    (void)apiserver::write_options(exchange, "CreateOptions");
    (void)apiserver::write_options(exchange, "PatchOptions");
    return 0;
}
