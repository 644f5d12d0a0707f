#include "apiserver/server.hpp"
#include "base/limits.hpp"

namespace ocim::apiserver {

namespace {

bool is_from_here(const net::ServerRequest& request) {
    for (const auto* passed_on : {"forwarded", "via", "x-forwarded-for"})
        if (request.headers.contains(passed_on)) return false;
    const auto& from = request.remote_address;
    // no other address of loopback: by those the proxies of service meshes come
    return from == "127.0.0.1" || from == "::1" || from == "::ffff:127.0.0.1";
}

net::ServerReply debug_reply(const DebugPages& debug, const net::ServerRequest& request, const std::string& path,
                             const Query& query) {
    if (is_from_here(request)) return debug(path, query);
    api::Status status;
    status.code = 403;
    status.reason = "Forbidden";
    status.message = "/debug is answered to who asks from this machine itself: kubectl port-forward";
    return refusal_reply(status);
}

awaitable<void> answer(Metrics& metrics, const Health& health, const DebugPages& debug, net::ServerRequest request,
                       net::Responder& responder) {
    net::ServerReply reply = page_not_found();
    const auto query = Query::parse(request.query);
    const auto route = parse_route(request.method, request.path, query);
    if (route && (request.method == "GET" || request.method == "HEAD")) {
        if (auto found = health.answer(*route, query)) reply = *std::move(found);
        if (route->path() == "/metrics") reply = metrics_reply(metrics);
        if (debug && is_debug_path(route->path())) reply = debug_reply(debug, request, route->path(), query);
    }
    if (request.method == "HEAD") reply.body.clear();
    co_await responder.reply(std::move(reply));
}

}  // namespace

net::ServerReply metrics_reply(const Metrics& metrics) {
    net::ServerReply reply;
    reply.headers.emplace("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    reply.body = metrics.text();
    return reply;
}

net::Handler metrics_handler(Metrics& metrics, const Health& health, DebugPages debug) {
    return [&metrics, &health, debug = std::move(debug)](net::ServerRequest request, net::Responder& responder) {
        return answer(metrics, health, debug, std::move(request), responder);
    };
}

awaitable<void> measure_loop_lag(Clock& clock, Metrics& metrics) {
    auto& lag = metrics.histogram("ocim_loop_lag_seconds", "How late the loop comes to what is due.", {},
                                  {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1});
    for (;;) {
        const auto due = clock.now() + limits::loop_lag_interval;
        co_await clock.sleep_until(due);
        lag.Observe(std::chrono::duration<double>(clock.now() - due).count());
    }
}

}  // namespace ocim::apiserver
