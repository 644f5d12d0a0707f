#pragma once

#include "support/service.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::test {

/// A PowerDNS Authoritative Server of the test's own, with one empty zone.
class PowerDnsService {
public:
    enum class Backend { sqlite3, lmdb };

    explicit PowerDnsService(const std::string& domain, Backend backend = Backend::sqlite3) {
        config_ = "launch=";
        if (backend == Backend::sqlite3) {
            const auto made = run_program({"sqlite3", directory_.file("p.db")},
                                          read_file("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"));
            if (made.exit_code != 0) throw std::runtime_error("sqlite3: " + made.output);
            config_ += "gsqlite3\ngsqlite3-database=" + directory_.file("p.db") + "\ngsqlite3-pragma-synchronous=0\n";
        } else {
            config_ += "lmdb\nlmdb-filename=" + directory_.file("pdns.lmdb") + "\n";
        }
        config_ += "local-address=127.0.0.1:" + std::to_string(dns_port) + "\nsocket-dir=" + directory_.path() +
                   "\nguardian=no\ndaemon=no\ndisable-syslog=yes\napi=yes\nwebserver-port=" + std::to_string(api_port) +
                   "\n";
        write_config(api_key);
        service.emplace(Service::Settings{.command = {"pdns_server", "--config-dir=" + directory_.path()},
                                          .log = directory_.file("log"),
                                          .environment = {}});
        service->wait_for_port(api_port);
        const auto created = call("POST", "/zones",
                                  R"({"name":")" + domain + R"(.","kind":"Native","nameservers":["ns1.)" + domain +
                                      R"(."],"account":"ocim"})");
        if (created.find("201") == std::string::npos) throw std::runtime_error("zone: " + created);
    }

    /// The same server and data, which takes another key from now on.
    void restart_with_key(const std::string& key) {
        service->stop();
        write_config(key);
        service->start();
        service->wait_for_port(api_port);
    }

    /// Speaks to the API by curl; returns the body and then the status.
    std::string call(const std::string& method, const std::string& path, const std::string& body = {}) const {
        std::vector<std::string> command{"curl",
                                         "-sS",
                                         "-m",
                                         "10",
                                         "-w",
                                         " %{http_code}",
                                         "-X",
                                         method,
                                         "-H",
                                         "X-API-Key: " + api_key,
                                         url() + "/api/v1/servers/localhost" + path};
        if (!body.empty())
            command.insert(command.end(), {"-H", "Content-Type: application/json", "--data-binary", "@-"});
        return run_program(command, body).output;
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(api_port); }
    /// What the name server itself answers, by dig, one value a line, sorted.
    std::string dig(const std::string& name, const std::string& type) const {
        const auto answer = run_program(
            {"dig", "+short", "+norecurse", "+time=5", "@127.0.0.1", "-p", std::to_string(dns_port), name, type});
        return run_program({"sort"}, answer.output).output;
    }

    const std::string api_key = "test-key";
    const std::uint16_t dns_port = free_port(), api_port = free_port();

private:
    void write_config(const std::string& key) const {
        write_file(directory_.file("pdns.conf"), config_ + "api-key=" + key + "\n");
    }

    TempDir directory_;
    std::string config_;

public:
    std::optional<Service> service;  // after the directory: it ends first
};

}  // namespace ocim::test
