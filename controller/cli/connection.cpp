#include "cli/connection.hpp"

#include "cli/cli.hpp"
#include "cli/kubeconfig.hpp"
#include "client/session.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <iostream>
#include <optional>
#include <utility>

namespace ocim::cli {

namespace {

constexpr unsigned too_many_requests = 429;
constexpr int patience = 5;  // times that a busy server is asked again
constexpr std::size_t line_bytes_max = 8 * 1024 * 1024;
constexpr auto user_agent = "ocim-cli/" OCIM_VERSION;

Refusal refusal_of(const net::HttpReply& reply) {
    if (const auto body = api::parse_json(reply.body))
        if (auto status = client::read_status(body->value)) return *std::move(status);
    Refusal out;
    out.code = static_cast<int>(reply.status);
    out.message = "the server answered with status " + std::to_string(reply.status);
    return out;
}

Answer<api::Json> json_of(const std::string& text) {
    auto parsed = api::parse_json(text);
    if (parsed) return std::move(parsed->value);
    return refusal("the server's answer is no JSON: " + parsed.error().message);
}

awaitable<Result<void>> pause(Clock& clock, Duration time) {
    co_await clock.sleep(time);
    co_return Result<void>();
}

}  // namespace

Refusal refusal(std::string message) {
    Refusal out;
    out.code = 0;
    out.message = std::move(message);
    return out;
}

void complain(const Refusal& refused) {
    if (refused.code == 0) return complain(std::string_view(refused.message));
    std::cerr << "Error from server" << (refused.reason.empty() ? "" : " (" + refused.reason + ")") << ": "
              << refused.message << std::endl;
}

Result<std::unique_ptr<Connection>> Connection::open(const Arguments& arguments) {
    auto access = read_kubeconfig(kubeconfig_path(arguments.text("kubeconfig")), arguments.text("context"));
    if (!access) return std::move(access).error();
    auto out = std::make_unique<Connection>(*std::move(access));
    if (auto connected = out->connect(); !connected) return std::move(connected).error();
    return out;
}

Connection::Connection(client::Access access) : access_(std::move(access)), clock_(make_system_clock(loop_)) {}
Connection::~Connection() = default;

Result<void> Connection::connect() {
    const net::TlsIdentity identity{access_.ca_certificate, access_.certificate, access_.private_key,
                                    access_.server_name};
    auto made = net::make_https_client(loop_.get_executor(), *clock_, metrics_, access_.server, identity);
    if (!made) return std::move(made).error().within(access_.server);
    server_ = *std::move(made);
    return {};
}

template <class T>
T Connection::run(awaitable<T> work) {
    std::optional<T> out;
    boost::asio::co_spawn(loop_, std::move(work), [&](const std::exception_ptr& thrown, T ended) {
        loop_.stop();  // kept connections may have timers of their own
        if (thrown) std::rethrow_exception(thrown);
        out = std::move(ended);
    });
    loop_.restart();
    loop_.run();
    return *std::move(out);
}

net::HttpsRequest Connection::request(Asked asked) const {
    net::HttpsRequest out;
    out.method = std::move(asked.method);
    out.target = std::move(asked.target);
    out.headers = {{"Accept", std::move(asked.accept)}, {"User-Agent", user_agent}};
    out.bearer_token = access_.token;
    out.body = std::move(asked.body);
    out.content_type = std::move(asked.content_type);
    return out;
}

Answer<net::HttpReply> Connection::send(const Asked& asked) {
    for (int again = 0;; ++again) {
        auto reply = run(server_->send(request(asked)));
        if (!reply) return refusal(access_.server + ": " + reply.error().message);
        if (reply->status != too_many_requests || again == patience) return *std::move(reply);
        sleep(net::retry_after(*reply, wall()).value_or(Duration(1'000)));
    }
}

Answer<api::Json> Connection::ask(Asked asked) {
    const auto reply = send(asked);
    if (!reply) return reply.error();
    if (reply->status / 100 != 2) return refusal_of(*reply);
    return json_of(reply->body);
}

Answer<> Connection::watch(Asked asked, Duration limit, const std::function<bool(const api::Json&)>& take) {
    auto opened = run(server_->open(request(std::move(asked))));
    if (!opened) return refusal(access_.server + ": " + opened.error().message);
    const auto stream = *std::move(opened);
    const bool granted = stream->status() / 100 == 2;
    const auto end = now() + limit;
    std::string text;
    for (;;) {
        const auto left = std::chrono::duration_cast<Duration>(end - now());
        if (left <= Duration::zero()) return {};
        const auto part = run(with_deadline(*clock_, left, "the watch", stream->next()));
        if (!part && now() >= end) return {};
        if (!part) return refusal(part.error().message);
        if (part->empty()) break;
        text += *part;
        for (auto line = text.find('\n'); granted && line != std::string::npos; line = text.find('\n')) {
            const auto event = json_of(text.substr(0, line));
            text.erase(0, line + 1);
            if (!event) return event.error();
            if (!take(*event)) return {};
        }
        if (text.size() > line_bytes_max) return refusal("the server's answer is too long");
    }
    if (granted) return {};
    return refusal_of({stream->status(), stream->headers(), text});
}

void Connection::sleep(Duration time) { (void)run(pause(*clock_, time)); }

}  // namespace ocim::cli
