#include "client/session.hpp"

#include "base/async.hpp"
#include "base/log.hpp"

#include <utility>

namespace ocim::client {

namespace {

using namespace std::chrono_literals;

constexpr auto access_max_age = 60s;  // as client-go: tokens are replaced well before they end
constexpr unsigned unauthorized = 401;
constexpr std::size_t refusal_bytes_max = 64 * 1024;  // a Status is some hundred bytes

}  // namespace

std::optional<api::Status> read_status(const Json& said) {
    if (api::find_text(said, {"kind"}) != "Status" || api::find_text(said, {"status"}) == "Success")
        return std::nullopt;
    const auto number = [&](std::initializer_list<std::string_view> path) {
        const auto* found = api::find(said, path);
        return found && found->is_int64() ? std::optional(static_cast<int>(found->get_int64())) : std::nullopt;
    };
    api::Status out;
    out.code = number({"code"}).value_or(out.code);
    out.reason = api::find_text(said, {"reason"});
    out.message = api::find_text(said, {"message"});
    out.retry_after_seconds = number({"details", "retryAfterSeconds"});
    if (const auto* causes = api::find(said, {"details", "causes"}); causes && causes->is_array())
        for (const auto& cause : causes->get_array())
            out.causes.push_back({std::string(api::find_text(cause, {"reason"})),
                                  std::string(api::find_text(cause, {"message"})),
                                  std::string(api::find_text(cause, {"field"}))});
    return out;
}

Error error_of(const net::HttpReply& reply, WallTime now) {
    auto plain = net::expect_success(reply, now);
    if (plain) return Error{ErrorClass::transient, "answered " + std::to_string(reply.status) + " unasked"};
    auto out = std::move(plain).error();
    const auto body = api::parse_json(reply.body);
    const auto status = body ? read_status(body->value) : std::nullopt;
    if (status) {
        const auto told = api::to_error(*status);
        out.error_class = told.error_class;
        out.message = told.message;
        if (!out.retry_after) out.retry_after = told.retry_after;
    }
    if (reply.status == 410) out.error_class = ErrorClass::conflict;  // the history is gone: list again
    return out;
}

Session::Session(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics, BlockingPool& blocking,
                 RemoteSettings settings)
    : loop_(std::move(loop)), clock_(clock), metrics_(metrics), blocking_(blocking), settings_(std::move(settings)) {}

Result<void> Session::may_write() const {
    if (!settings_.may_write || settings_.may_write()) return {};
    return Error{ErrorClass::transient, "this process does not lead any more: nothing is written"};
}

awaitable<Result<void>> Session::read_access() {
    auto read = settings_.access;
    CO_TRY(auto found, co_await blocking_.call(std::move(read)));
    const auto line_of = [](Access access) {
        access.token = {};
        return access;
    };
    if (!client_ || line_of(found) != line_of(access_)) {
        const net::TlsIdentity identity{found.ca_certificate, found.certificate, found.private_key, found.server_name};
        auto made = net::make_https_client(loop_, clock_, metrics_, found.server, identity);
        if (!made) co_return std::move(made).error().within(found.server);
        client_ = *std::move(made);
    }
    access_ = std::move(found);
    co_return Result<void>{};
}

awaitable<Result<Session::Line>> Session::line(bool refused) {
    const bool known = client_ != nullptr;
    if (!known || refused || clock_.now() - read_at_ > access_max_age) {
        read_at_ = clock_.now();  // first: others go on with what there is
        const auto read = co_await read_access();
        if (!read && !known) co_return read.error();
        if (!read) log::warning("access to the API server was not read anew", {{"reason", read.error().message}});
    }
    co_return Line{client_, access_.token};
}

void Session::prepare(net::HttpsRequest& request, const Line& line) const {
    request.bearer_token = line.token;
    request.headers["User-Agent"] = settings_.user_agent;
    request.headers["Accept"] = "application/json";
}

awaitable<Result<net::HttpReply>> Session::send(net::HttpsRequest request) {
    for (bool again = false;; again = true) {
        CO_TRY(const auto now, co_await line(again));
        prepare(request, now);
        auto sending = request;
        CO_TRY(auto reply, co_await now.client->send(std::move(sending)));
        if (reply.status == unauthorized && !again) continue;  // what we are may have been replaced a moment ago
        if (reply.status / 100 == 2) co_return reply;
        co_return error_of(reply, clock_.wall());
    }
}

awaitable<Result<std::unique_ptr<net::HttpsStream>>> Session::open(net::HttpsRequest request) {
    for (bool again = false;; again = true) {
        CO_TRY(const auto now, co_await line(again));
        prepare(request, now);
        auto sending = request;
        CO_TRY(auto stream, co_await now.client->open(std::move(sending)));
        if (stream->status() == unauthorized && !again) continue;
        if (stream->status() / 100 == 2) co_return stream;
        net::HttpReply reply{stream->status(), stream->headers(), {}};
        while (reply.body.size() < refusal_bytes_max) {
            auto reading = stream->next();
            const auto part = co_await with_deadline(clock_, 10s, "the answer", std::move(reading));
            if (!part || part->empty()) break;  // what came is told; its status says enough
            reply.body += *part;
        }
        co_return error_of(reply, clock_.wall());
    }
}

}  // namespace ocim::client
