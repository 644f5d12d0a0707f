#pragma once

#include "support/service.hpp"

#include <stdexcept>

#include <optional>
#include <string>
#include <vector>

namespace ocim::test {

/// An HAProxy of the test's own in master-worker mode, prepared for fragments as docs/load-balancer.md says, and two
/// origins that answer with their number, the host they were asked for and the Authorization header they got.
class HaproxyService {
public:
    enum class Tls { none, by_our_list };
    explicit HaproxyService(const std::string& more_configuration = {}, Tls tls = Tls::none) {
        std::string secure;
        if (tls == Tls::by_our_list) {
            const auto made = run_program(
                {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", files_.file("default.pem"), "-out", files_.file("default.crt"), "-subj", "/CN=default"});
            if (made.exit_code != 0) throw std::runtime_error("openssl: " + made.output);
            write_file(files_.file("default.pem"),
                       read_file(files_.file("default.pem")) + read_file(files_.file("default.crt")));
            secure = "  bind 127.0.0.1:" + std::to_string(tls_port) + " ssl crt " + files_.file("default.pem") +
                     " crt-list " + directory() + "/current/certs.list\n";
        }
        write_file(base_config(),
                   "global\n  hard-stop-after 10s\ndefaults\n  mode http\n  timeout connect 5s\n"
                   "  timeout client 30s\n  timeout server 30s\n"
                   "frontend sites\n  option idle-close-on-response\n  bind 127.0.0.1:" +
                       std::to_string(port) + "\n" + secure +
                       "  use_backend %[req.hdr(host),field(1,:),lower,map_str(" + directory() +
                       "/current/domains.map)]\n  default_backend unknown\n"
                       "backend unknown\n  http-request return status 404\n" +
                       more_configuration);
        std::filesystem::create_directories(directory() + "/v0/conf.d");
        write_file(directory() + "/v0/domains.map", "");
        write_file(directory() + "/v0/certs.list", "");
        write_file(directory() + "/v0/haproxy.cfg", "");
        std::filesystem::create_symlink("v0", directory() + "/current");
        origins_.emplace(Service::Settings{
            .command = {"haproxy", "-W", "-f", origin_config()}, .log = files_.file("origins.log"), .environment = {}});
        service.emplace(Service::Settings{.command = {"haproxy", "-W", "-S", master_socket(), "-f", base_config(), "-f",
                                                      directory() + "/current/haproxy.cfg"},
                                          .log = files_.file("log"),
                                          .environment = {}});
        for (const auto origin : origin_ports) origins_->wait_for_port(origin);
        wait_until_ready();
    }

    void wait_until_ready() {
        service->wait_for_port(port);
        service->wait_until([this] { return reloads() >= 0; });
    }
    std::string directory() const { return files_.file("ocim"); }
    std::string base_config() const { return files_.file("base.cfg"); }
    std::string master_socket() const { return files_.file("master.sock"); }
    std::string fragment_file(const std::string& name) const {
        return directory() + "/current/conf.d/" + name + ".cfg";
    }
    std::string map_file() const { return directory() + "/current/domains.map"; }

    /// What a browser gets for a host, by curl: the body, a blank and the status.
    std::string get(const std::string& host, std::vector<std::string> more = {}) const {
        std::vector<std::string> command{"curl", "-sS", "-m", "10", "-w", " %{http_code}", "-H", "Host: " + host};
        command.insert(command.end(), more.begin(), more.end());
        command.push_back("http://127.0.0.1:" + std::to_string(port) + "/");
        return run_program(command).output;
    }
    /// The same by TLS, whoever it says it is.
    std::string get_secure(const std::string& host) const {
        return run_program({"curl", "-sSk", "-m", "20", "-w", " %{http_code}", "--connect-to",
                            host + ":443:127.0.0.1:" + std::to_string(tls_port), "https://" + host + "/"})
            .output;
    }
    /// The SHA-256 of the certificate that a browser is shown for a host: lower-case digits.
    std::string shown_to(const std::string& host) const {
        const auto said =
            run_program({"sh", "-c",
                         "openssl s_client -connect \"$1\" -servername \"$2\" </dev/null 2>/dev/null | "
                         "openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f | tr -d '\\n'",
                         "sh", "127.0.0.1:" + std::to_string(tls_port), host});
        return said.output;
    }
    /// How often the master has reloaded; -1 when it does not answer.
    int reloads() const {
        const auto said = run_program({"socat", "-t", "5", "-", "UNIX-CONNECT:" + master_socket()}, "show proc\n");
        const auto at = said.output.find("master");
        return at == std::string::npos ? -1 : std::atoi(said.output.c_str() + at + 6);
    }

    const std::uint16_t port = free_port(), tls_port = free_port();
    const std::vector<std::uint16_t> origin_ports{free_port(), free_port()};

private:
    std::string origin_config() const {
        std::string text = "defaults\n  mode http\n  timeout client 30s\n";
        for (std::size_t i = 0; i < origin_ports.size(); ++i)
            text += "frontend o" + std::to_string(i) + "\n  bind 127.0.0.1:" + std::to_string(origin_ports[i]) +
                    "\n  http-request return status 200 content-type text/plain lf-string \"origin " +
                    std::to_string(i) + " host=%[req.hdr(host)] auth=%[req.hdr(authorization)]\"\n";
        write_file(files_.file("origins.cfg"), text);
        return files_.file("origins.cfg");
    }

    TempDir files_;
    std::optional<Service> origins_;

public:
    std::optional<Service> service;  // after the files: it ends first
};

}  // namespace ocim::test
