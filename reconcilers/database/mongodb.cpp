#include "database/mongodb.hpp"

#include "database/engine_server.hpp"
#include "database/mongodb_act.hpp"
#include "database/mongodb_read.hpp"

#include <algorithm>
#include <utility>

namespace ocim::database {

namespace {

struct MongoDB {
    using Connection = mongodb::Connection;
    mongodb::ConnectionSettings settings;
    mongodb::Ways ways;

    std::string place() const {
        return settings.hosts.front() + (settings.replica_set.empty() ? "" : " (" + settings.replica_set + ")");
    }
    Result<std::unique_ptr<Connection>> connect(Patience patience) const {
        auto chosen = settings;
        if (patience == Patience::of_a_probe) chosen.connect_seconds = chosen.reply_seconds = 2;  // several turns
        return Connection::open(chosen);
    }
    Result<Snapshot> look(Connection& connection) const {
        auto reading = mongodb::read(connection, ways);
        if (!reading) return std::move(reading).error();
        return mongodb::snapshot_of(*reading, ways);
    }
    Result<void> prepare(Connection& connection, std::vector<Job>& jobs) const {
        return mongodb::prepare(connection, ways, jobs);
    }
    Result<Done> perform(Connection& connection, const Job& job) const {
        return mongodb::perform(connection, ways, job);
    }
};

}  // namespace

std::unique_ptr<Server> open_mongodb(mongodb::ConnectionSettings settings, std::string metadata,
                                     std::vector<std::string> mechanisms, const runtime::Services& services) {
    std::ranges::sort(mechanisms);
    mongodb::Ways ways{std::move(metadata), std::move(mechanisms),
                       mongodb::account_key(settings.username, settings.auth_source)};
    return std::make_unique<EngineServer<MongoDB>>(MongoDB{std::move(settings), std::move(ways)}, services);
}

}  // namespace ocim::database
