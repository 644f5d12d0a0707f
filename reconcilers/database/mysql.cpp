#include "database/mysql.hpp"

#include "database/engine_server.hpp"
#include "database/mysql_act.hpp"
#include "database/mysql_read.hpp"

#include <utility>

namespace ocim::database {

namespace {

struct MySQL {
    using Connection = mysql::Connection;
    mysql::ConnectionSettings settings;
    std::string metadata;

    std::string place() const { return settings.host + ":" + std::to_string(settings.port); }
    Result<std::unique_ptr<Connection>> connect(Patience patience) const {
        auto chosen = settings;
        if (patience == Patience::of_a_probe) chosen.connect_seconds = chosen.reply_seconds = 3;
        return Connection::open(chosen);
    }
    Result<Snapshot> look(Connection& connection) const {
        auto reading = mysql::read(connection, metadata);
        if (!reading) return std::move(reading).error();
        return mysql::snapshot_of(*reading, connection.dialect(), metadata, connection.own_account());
    }
    Result<void> prepare(Connection& connection, std::vector<Job>& jobs) const {
        return mysql::prepare(connection, metadata, jobs);
    }
    Result<Done> perform(Connection& connection, const Job& job) const {
        return mysql::perform(connection, metadata, job);
    }
};

}  // namespace

std::unique_ptr<Server> open_mysql(mysql::ConnectionSettings settings, std::string metadata,
                                   const runtime::Services& services) {
    return std::make_unique<EngineServer<MySQL>>(MySQL{std::move(settings), std::move(metadata)}, services);
}

}  // namespace ocim::database
