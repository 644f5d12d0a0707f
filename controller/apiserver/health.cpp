#include "apiserver/health.hpp"

namespace ocim::apiserver {

std::optional<net::ServerReply> Health::answer(const Route& route, const Query& query) const {
    if (route.segments.size() != 1) return std::nullopt;
    const auto& path = route.segments[0];
    if (path != "healthz" && path != "livez" && path != "readyz") return std::nullopt;
    bool well = true;
    std::string report = "[+]ping ok\n";
    if (path != "livez")
        for (const auto& [name, check] : checks_) {
            const auto why = check();
            report += why ? "[-]" + name + " failed: " + *why + "\n" : "[+]" + name + " ok\n";
            well = well && !why;
        }
    net::ServerReply reply;
    reply.headers.emplace("Content-Type", "text/plain; charset=utf-8");
    reply.headers.emplace("X-Content-Type-Options", "nosniff");
    reply.status = well ? 200 : 500;
    reply.body = "ok";
    if (!well) reply.body = report + path + " check failed\n";
    if (well && query.has("verbose")) reply.body = report + path + " check passed\n";
    return reply;
}

}  // namespace ocim::apiserver
