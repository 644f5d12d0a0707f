#include "apiserver/exchange.hpp"

namespace ocim::apiserver {

net::ServerReply json_reply(unsigned code, std::string body) {
    net::ServerReply reply;
    reply.status = code;
    reply.headers.emplace("Content-Type", "application/json");
    reply.body = std::move(body);
    return reply;
}

net::ServerReply refusal_reply(const api::Status& status) {
    auto reply = json_reply(static_cast<unsigned>(status.code), api::to_text(status.to_json()) + "\n");
    if (status.retry_after_seconds) reply.headers.emplace("Retry-After", std::to_string(*status.retry_after_seconds));
    return reply;
}

net::ServerReply wire_refusal(unsigned code, std::string_view reason) {
    api::Status status;
    status.code = static_cast<int>(code);
    status.message = reason;
    if (code == 400) status.reason = "BadRequest";
    if (code == 408) status.reason = "Timeout";
    if (code == 413) status.reason = "RequestEntityTooLarge";
    if (code == 500) status.reason = "InternalError";
    if (code == 503) {
        status.reason = "ServiceUnavailable";
        status.retry_after_seconds = 1;
    }
    return refusal_reply(status);
}

std::string warning_header(std::string_view text) {
    std::string out = "299 - \"";
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) continue;
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

net::ServerReply page_not_found() {
    net::ServerReply reply;
    reply.status = 404;
    reply.headers.emplace("Content-Type", "text/plain; charset=utf-8");
    reply.headers.emplace("X-Content-Type-Options", "nosniff");
    reply.body = "404 page not found\n";
    return reply;
}

}  // namespace ocim::apiserver
