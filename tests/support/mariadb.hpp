#pragma once

#include "support/service.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ocim::test {

/// A MariaDB server of the test's own. Its administrator is root, without a password.
class MariaDB {
public:
    /// `options` go to mariadbd.
    explicit MariaDB(std::vector<std::string> options = {}) : port_(free_port()) {
        const auto data = directory_.file("data");
        const auto made = run_program({"mariadb-install-db", "--no-defaults", "--datadir=" + data, "--user=root",
                                       "--auth-root-authentication-method=normal", "--skip-test-db",
                                       "--innodb-log-file-size=8M", tmpdir()});
        if (made.exit_code != 0) throw std::runtime_error("mariadb-install-db: " + made.output);
        std::vector<std::string> command{"mariadbd",
                                         "--no-defaults",
                                         "--user=root",
                                         "--datadir=" + data,
                                         "--socket=" + socket(),
                                         "--bind-address=127.0.0.1",
                                         "--port=" + std::to_string(port_),
                                         "--pid-file=" + directory_.file("pid"),
                                         tmpdir(),
                                         "--innodb-log-file-size=8M",
                                         "--innodb-buffer-pool-size=32M",
                                         "--innodb-flush-log-at-trx-commit=0"};
        command.insert(command.end(), options.begin(), options.end());
        service_ = std::make_unique<Service>(Service::Settings{command, directory_.file("log"), {}, SIGTERM});
        wait();
    }

    std::uint16_t port() const { return port_; }
    /// A server removes the temporary files of others from the folder that it shares with them.
    std::string tmpdir() const { return "--tmpdir=" + directory_.path(); }
    Service& service() { return *service_; }
    const std::string& directory() const { return directory_.path(); }
    void wait() {
        service_->wait_until(
            [this] { return run_program({"mariadb-admin", "--no-defaults", "-S", socket(), "ping"}).exit_code == 0; });
    }
    void restart() {
        service_->start();
        wait();
    }

    /// What the administrator is answered: rows of cells separated by tabs, without headings. Throws on an error.
    std::string sql(const std::string& statements) {
        const auto ran = run_program(
            {"mariadb", "--no-defaults", "--default-character-set=utf8mb4", "-S", socket(), "-uroot", "-N", "-B"},
            statements);
        if (ran.exit_code != 0) throw std::runtime_error(statements + ": " + ran.output);
        return ran.output;
    }
    /// The same as another user, over TCP, with a password that no command line shows.
    Ran as(const std::string& user, const std::string& password, const std::string& statements,
           const std::string& database = "") {
        const auto file = directory_.file("client.cnf");
        std::string escaped;
        for (const char c : password) escaped += c == '\\' || c == '"' ? std::string("\\") + c : std::string(1, c);
        write_file(file, "[client]\npassword=\"" + escaped + "\"\n");
        std::vector<std::string> command{"mariadb",
                                         "--defaults-file=" + file,
                                         "--default-character-set=utf8mb4",
                                         "-h",
                                         "127.0.0.1",
                                         "-P",
                                         std::to_string(port_),
                                         "-u",
                                         user,
                                         "-N",
                                         "-B"};
        if (!database.empty()) command.push_back(database);
        return run_program(command, statements);
    }
    /// Statements from clients since the server started.
    long questions() {
        return std::stol(
            sql("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='QUESTIONS'"));
    }

private:
    std::string socket() const { return directory_.file("s"); }

    TempDir directory_;
    std::uint16_t port_;
    std::unique_ptr<Service> service_;
};

}  // namespace ocim::test
