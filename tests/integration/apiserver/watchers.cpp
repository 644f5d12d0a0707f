#include "load.hpp"

#include <algorithm>

namespace ocim::test {

Watchers::Watchers(const Endpoint& endpoint, std::size_t count, std::uint64_t seed)
    : clients_(endpoint, *this), chance_(seed), seen_(count) {
    for (std::size_t i = 0; i < count; ++i) clients_.add();
}

void Watchers::run(std::chrono::milliseconds most) {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        if (clients_.connected(i) || !clients_.connect(i)) continue;
        // from the first revision on, or from where he was
        const auto after = seen_[i].empty() ? 1 : seen_[i].back().revision;
        clients_.send(i, http_request("GET", std::string(collection) + "?watch=true&labelSelector=&resourceVersion=" +
                                                 std::to_string(after)));
    }
    clients_.run(most);
}

void Watchers::disturb() { clients_.disconnect(chance_() % clients_.size()); }

bool Watchers::all_at(std::uint64_t revision) const {
    return std::ranges::all_of(
        seen_, [&](const auto& events) { return !events.empty() && events.back().revision >= revision; });
}

void Watchers::answered(std::size_t client, const HttpsClients::Reply& reply) {
    if (reply.status != 503) complaint_ = std::string(reply.body);
    clients_.disconnect(client);
}

void Watchers::line(std::size_t client, std::string_view line, HttpsClients::Time) {
    const auto type = text_after(line, R"({"type":")");
    if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
        complaint_ = std::string(line);
        return;
    }
    WatchEvent event;
    event.type = type == "ADDED"      ? WatchEvent::Type::added
                 : type == "MODIFIED" ? WatchEvent::Type::modified
                                      : WatchEvent::Type::deleted;
    event.key = text_after(line, R"("metadata":{"name":")");
    event.revision = revision_in(line);
    event.value = value_in(line);
    seen_[client].push_back(std::move(event));
}

}  // namespace ocim::test
