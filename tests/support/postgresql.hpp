#pragma once

#include "support/service.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ocim::test {

/// A PostgreSQL server of the test's own. Its administrator is postgres, who needs no password on its socket.
class PostgreSQL {
public:
    /// `options` are settings of the server, "name=value".
    explicit PostgreSQL(std::vector<std::string> options = {}) : port_(free_port()) {
        if (::geteuid() == 0 && ::system(("chown postgres " + directory_.path()).c_str()) != 0)
            throw std::runtime_error("chown failed");
        const auto made = run_program(as_owner({bin + "initdb", "-D", data(), "-U", "postgres", "-A", "scram-sha-256",
                                                "--auth-local=trust", "-N", "--locale=C.UTF-8", "-E", "UTF8"}));
        if (made.exit_code != 0) throw std::runtime_error("initdb: " + made.output);
        std::vector<std::string> command{bin + "postgres",      "-D", data(),           "-p",
                                         std::to_string(port_), "-k", directory_.path()};
        options.insert(options.begin(), {"listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=16MB",
                                         "log_statement=all", "log_line_prefix=%c|%u|"});
        for (const auto& option : options) command.insert(command.end(), {"-c", option});
        service_ = std::make_unique<Service>(
            Service::Settings{as_owner(std::move(command)), directory_.file("log"), {}, SIGINT});
        wait();
    }

    std::uint16_t port() const { return port_; }
    Service& service() { return *service_; }
    const std::string& directory() const { return directory_.path(); }
    std::string log() const { return read_file(directory_.file("log")); }
    void wait() {
        service_->wait_until([this] {
            return run_program({bin + "pg_isready", "-q", "-h", directory_.path(), "-p", std::to_string(port_)})
                       .exit_code == 0;
        });
    }
    void restart() {
        service_->start();
        wait();
    }

    /// What the administrator is answered: rows of cells separated by tabs, without headings. Throws on an error.
    std::string sql(const std::string& statements, const std::string& database = "postgres") {
        const auto ran = run_program({"psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h",
                                      directory_.path(), "-p", std::to_string(port_), "-U", "postgres", "-d", database},
                                     statements);
        if (ran.exit_code != 0) throw std::runtime_error(statements + ": " + ran.output);
        return ran.output;
    }
    /// The same as another user, over TCP.
    Ran as(const std::string& user, const std::string& password, const std::string& statements,
           const std::string& database) {
        return run_program(
            {"env", "PGPASSWORD=" + password, "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h",
             "127.0.0.1", "-p", std::to_string(port_), "-U", user, "-d", database},
            statements);
    }
    /// Statements of `user` that the server has logged since it started.
    long statements(const std::string& user) const {
        std::istringstream lines(log());
        long out = 0;
        const auto of_user = "|" + user + "|LOG:  ";
        for (std::string line; std::getline(lines, line);) {
            const auto at = line.find(of_user);
            if (at == std::string::npos) continue;
            const auto words = line.substr(at + of_user.size());
            if (words.starts_with("statement:") || words.starts_with("execute ")) ++out;
        }
        return out;
    }

private:
    inline static const std::string bin = "/usr/lib/postgresql/15/bin/";

    std::string data() const { return directory_.file("data"); }
    /// The server refuses to run as root.
    static std::vector<std::string> as_owner(std::vector<std::string> command) {
        if (::geteuid() == 0)
            command.insert(command.begin(), {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"});
        return command;
    }

    TempDir directory_;
    std::uint16_t port_;
    std::unique_ptr<Service> service_;
};

}  // namespace ocim::test
