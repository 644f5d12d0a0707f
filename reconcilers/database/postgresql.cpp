#include "database/postgresql.hpp"

#include "database/engine_server.hpp"
#include "database/postgresql_act.hpp"
#include "database/postgresql_read.hpp"

#include <string>
#include <utility>

namespace ocim::database {

namespace {

struct PostgreSQL {
    using Connection = postgresql::Connection;
    postgresql::ConnectionSettings settings;

    std::string place() const { return settings.host + ":" + std::to_string(settings.port); }
    Result<std::unique_ptr<Connection>> connect(Patience patience) const {
        auto chosen = settings;
        if (patience == Patience::of_a_probe) chosen.connect_seconds = chosen.reply_seconds = 3;
        return Connection::open(chosen);
    }
    Result<Snapshot> look(Connection& connection) const {
        auto reading = postgresql::read(connection);
        if (!reading) return std::move(reading).error();
        return postgresql::snapshot_of(*reading);
    }
    Result<void> prepare(Connection& connection, std::vector<Job>& jobs) const {
        return postgresql::prepare(connection, jobs);
    }
    Result<Done> perform(Connection& connection, const Job& job) const { return postgresql::perform(connection, job); }
};

}  // namespace

std::unique_ptr<Server> open_postgresql(postgresql::ConnectionSettings settings, const runtime::Services& services) {
    return std::make_unique<EngineServer<PostgreSQL>>(PostgreSQL{std::move(settings)}, services);
}

}  // namespace ocim::database
