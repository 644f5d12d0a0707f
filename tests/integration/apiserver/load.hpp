#pragma once

#include "support/https_clients.hpp"
#include "support/linearizability.hpp"
#include "support/watch_log.hpp"

#include <map>
#include <random>
#include <string>
#include <vector>

/// Clients and watchers of one collection of ConfigMaps, who write down what they are told.
namespace ocim::test {

inline constexpr const char* collection = "/api/v1/namespaces/default/configmaps";

/// The text between `before` and the next quote, from `from` on; "" when it is not there.
std::string_view text_after(std::string_view json, std::string_view before, std::size_t from = 0);
std::uint64_t number_of(std::string_view digits);
/// The value that an object of ours carries, and its revision.
std::uint64_t value_in(std::string_view object);
std::uint64_t revision_in(std::string_view object);

/// Each does one operation after another on one of a few objects. Now and then one hangs up before it has its answer.
class Writers final : public HttpsClients::Listener {
public:
    Writers(const Endpoint& endpoint, std::size_t count, std::size_t keys, std::uint64_t seed);

    /// Lets them work until `end`; those who are not connected try again now and then.
    void work_until(HttpsClients::Time end);
    /// Waits for the answers that are still to come, at most `most`; what has none by then has none for good.
    void finish(std::chrono::milliseconds most);

    const std::vector<Operation>& history() const { return history_; }
    std::vector<Committed> committed() const;
    std::size_t refused() const { return refused_; }

private:
    void answered(std::size_t client, const HttpsClients::Reply& reply) override;
    void lost(std::size_t client, bool in_flight) override;
    void next(std::size_t client);
    void record(std::size_t client, Operation::Answer answer);
    std::string request_of(Operation& operation);

    HttpsClients clients_;
    std::mt19937_64 chance_;
    std::size_t keys_;
    std::vector<Operation> current_;  ///< by client; its call is 0 when there is none
    std::vector<Operation> history_;
    std::map<std::string, std::uint64_t> revision_of_;  ///< the last that anybody was told
    std::uint64_t values_ = 0;
    std::size_t refused_ = 0;
    bool working_ = false;
};

/// Each follows the collection, and goes on from where he was whenever his stream ends.
class Watchers final : public HttpsClients::Listener {
public:
    Watchers(const Endpoint& endpoint, std::size_t count, std::uint64_t seed);

    /// Reads what there is; those who are not connected try again.
    void run(std::chrono::milliseconds most);
    /// One of them hangs up.
    void disturb();
    /// Whether all have seen this revision.
    bool all_at(std::uint64_t revision) const;
    const std::vector<std::vector<WatchEvent>>& seen() const { return seen_; }
    /// What no watcher should ever be told, as Expired.
    const std::string& complaint() const { return complaint_; }

private:
    void answered(std::size_t client, const HttpsClients::Reply& reply) override;
    void line(std::size_t client, std::string_view line, HttpsClients::Time now) override;
    void stream_ended(std::size_t client) override { clients_.disconnect(client); }
    void lost(std::size_t, bool) override {}

    HttpsClients clients_;
    std::mt19937_64 chance_;
    std::vector<std::vector<WatchEvent>> seen_;
    std::string complaint_;
};

}  // namespace ocim::test
