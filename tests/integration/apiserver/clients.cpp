#include "load.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace ocim::test {

namespace {

using Kind = Operation::Kind;
using Answer = Operation::Answer;

std::int64_t nanoseconds(HttpsClients::Time time) { return time.time_since_epoch().count(); }

std::string config_map(const Operation& operation) {
    std::string revision;
    if (operation.expected != 0) revision = R"(,"resourceVersion":")" + std::to_string(operation.expected) + "\"";
    return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + operation.key + "\"" + revision +
           R"(},"data":{"value":")" + std::to_string(operation.value) + R"("}})";
}

/// Nothing: it was refused without effect.
std::optional<Answer> answer_of(const Operation& operation, unsigned status) {
    switch (status) {
        case 200:
        case 201: return Answer::ok;
        case 404: return Answer::absent;
        case 409: return operation.kind == Kind::create ? Answer::exists : Answer::conflict;
        case 429:
        case 503: return std::nullopt;
        default: return Answer::unknown;
    }
}

}  // namespace

std::string_view text_after(std::string_view json, std::string_view before, std::size_t from) {
    const auto at = json.find(before, from);
    if (at == std::string_view::npos) return "";
    const auto begin = at + before.size();
    return json.substr(begin, json.find('"', begin) - begin);
}

std::uint64_t number_of(std::string_view digits) {
    std::uint64_t out = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return out;
}
std::uint64_t value_in(std::string_view object) { return number_of(text_after(object, R"("data":{"value":")")); }
std::uint64_t revision_in(std::string_view object) { return number_of(text_after(object, R"("resourceVersion":")")); }

Writers::Writers(const Endpoint& endpoint, std::size_t count, std::size_t keys, std::uint64_t seed)
    : clients_(endpoint, *this), chance_(seed), keys_(keys), current_(count) {
    for (std::size_t i = 0; i < count; ++i) clients_.add();
}

void Writers::work_until(HttpsClients::Time end) {
    working_ = true;
    while (HttpsClients::Time::clock::now() < end) {
        for (std::size_t i = 0; i < clients_.size(); ++i)
            if (!clients_.connected(i) && clients_.connect(i)) next(i);
        clients_.run(std::chrono::milliseconds(10));
        // somebody does not wait for the answer
        const auto one = chance_() % (clients_.size() * 20);
        if (one >= clients_.size() || !clients_.connected(one) || current_[one].call == 0) continue;
        clients_.disconnect(one);
        record(one, Answer::unknown);
    }
    working_ = false;
}

void Writers::finish(std::chrono::milliseconds most) {
    const auto end = HttpsClients::Time::clock::now() + most;
    const auto waiting = [&] {
        return std::ranges::any_of(current_, [](const Operation& op) { return op.call != 0; });
    };
    while (waiting() && HttpsClients::Time::clock::now() < end) clients_.run(std::chrono::milliseconds(10));
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        clients_.disconnect(i);
        if (current_[i].call != 0) record(i, Answer::unknown);
    }
}

void Writers::next(std::size_t client) {
    auto& operation = current_[client];
    operation = {};
    constexpr Kind kinds[] = {Kind::get,    Kind::get,    Kind::get,   Kind::create, Kind::create,
                              Kind::update, Kind::update, Kind::patch, Kind::remove, Kind::remove};
    operation.kind = kinds[chance_() % std::size(kinds)];
    operation.key = "object-" + std::to_string(chance_() % keys_);
    auto request = request_of(operation);
    operation.call = nanoseconds(HttpsClients::Time::clock::now());
    clients_.send(client, std::move(request));
}

std::string Writers::request_of(Operation& operation) {
    const auto target = collection + ("/" + operation.key);
    const auto known = revision_of_[operation.key];
    switch (operation.kind) {
        case Kind::get: return http_request("GET", target);
        case Kind::create: operation.value = ++values_; return http_request("POST", collection, config_map(operation));
        case Kind::update:
            operation.value = ++values_;
            operation.expected = known;  // 0: whatever it is
            return http_request("PUT", target, config_map(operation));
        case Kind::patch:
            operation.value = ++values_;
            return http_request("PATCH", target, R"({"data":{"value":")" + std::to_string(operation.value) + R"("}})",
                                "application/merge-patch+json");
        case Kind::remove: {
            if (chance_() % 2 == 0) operation.expected = known;
            if (operation.expected == 0) return http_request("DELETE", target);
            const auto revision = std::to_string(operation.expected);
            return http_request("DELETE", target, R"({"preconditions":{"resourceVersion":")" + revision + R"("}})");
        }
    }
    return {};
}

void Writers::answered(std::size_t client, const HttpsClients::Reply& reply) {
    auto& operation = current_[client];
    const auto answer = answer_of(operation, reply.status);
    if (answer == Answer::ok && operation.kind != Kind::remove) {
        operation.revision = revision_in(reply.body);
        if (operation.kind == Kind::get) operation.value = value_in(reply.body);
        revision_of_[operation.key] = operation.revision;
    }
    if (answer)
        record(client, *answer);
    else
        operation.call = 0, ++refused_;
    if (working_) next(client);
}

void Writers::lost(std::size_t client, bool in_flight) {
    if (in_flight) record(client, Answer::unknown);
}

void Writers::record(std::size_t client, Answer answer) {
    auto& operation = current_[client];
    operation.answer = answer;
    operation.end = nanoseconds(HttpsClients::Time::clock::now());
    history_.push_back(std::exchange(operation, {}));
}

std::vector<Committed> Writers::committed() const {
    std::vector<Committed> out;
    for (const auto& operation : history_)
        if (operation.answer == Answer::ok && operation.kind != Kind::get && operation.kind != Kind::remove)
            out.push_back({operation.key, operation.revision, operation.value});
    return out;
}

}  // namespace ocim::test
