#pragma once

#include "support/service.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::test {

/// A Prometheus of the test's own that reads files of targets and rules, and, where it is wanted, a blackbox exporter
/// beside it.
class PrometheusService {
public:
    enum class Exporter { none, blackbox };

    /// With what it shows who it is, when it is reached by TLS; PEM.
    struct Tls {
        std::string certificate, private_key;
    };

    explicit PrometheusService(Exporter exporter = Exporter::none, const std::string& password = "",
                               const std::optional<Tls>& tls = std::nullopt) {
        std::filesystem::create_directories(directory());
        if (tls) {
            write_file(file("tls.crt"), tls->certificate);
            write_file(file("tls.key"), tls->private_key);
            tls_ = "tls_server_config: {cert_file: '" + file("tls.crt") + "', key_file: '" + file("tls.key") + "'}\n";
        }
        write_file(file("web.yml"), tls_);
        if (!password.empty()) want_password(password);
        write_config("");
        service.emplace(Service::Settings{
            .command = {"prometheus", "--config.file=" + file("prometheus.yml"), "--storage.tsdb.path=" + file("data"),
                        "--web.listen-address=127.0.0.1:" + std::to_string(port), "--web.enable-lifecycle",
                        "--web.config.file=" + file("web.yml"), "--log.level=error"},
            .log = file("log"),
            .environment = {}});
        // it answers before it has read what it has
        service->wait_until([&] { return ask("/-/ready", password).find("is Ready") != std::string::npos; });
        if (exporter == Exporter::none) return;
        blackbox.emplace(
            Service::Settings{.command = {"prometheus-blackbox-exporter", "--config.file=" + file("blackbox.yml"),
                                          "--web.listen-address=127.0.0.1:" + std::to_string(exporter_port)},
                              .log = file("blackbox.log"),
                              .environment = {}});
        blackbox->wait_for_port(exporter_port);
    }

    /// Whoever asks from now on must say "watch" and this, without a restart.
    void want_password(const std::string& password) const {
        const auto hashed = run_program({"/usr/bin/python3", "-W", "ignore", "-c",
                                         "import crypt, sys; print(crypt.crypt(sys.stdin.read(), "
                                         "crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)), end='')"},
                                        password);
        if (!hashed.output.starts_with("$2")) throw std::runtime_error("no hash: " + hashed.output);
        write_file(file("web.yml"), tls_ + "basic_auth_users: {watch: '" + hashed.output + "'}\n");
    }
    /// `more` stands at the top of its own configuration; nothing is reloaded.
    void write_config(const std::string& more) const {
        write_file(file("prometheus.yml"),
                   more + "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: ['" + directory() +
                       "/*.rules.yml']\nscrape_configs:\n- job_name: blackbox\n  metrics_path: /probe\n"
                       "  file_sd_configs: [{files: ['" +
                       directory() +
                       "/*.json'], refresh_interval: 1s}]\n  relabel_configs:\n"
                       "  - {source_labels: [__address__], target_label: __param_target}\n"
                       "  - {source_labels: [__param_target], target_label: instance}\n"
                       "  - {target_label: __address__, replacement: '127.0.0.1:" +
                       std::to_string(exporter_port) + "'}\n");
        write_file(file("blackbox.yml"),
                   "modules:\n  http_2xx: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4}}\n"
                   "  tcp_connect: {prober: tcp, timeout: 2s}\n");
    }
    std::string directory() const { return file("ocim"); }
    std::string targets_file(const std::string& name) const { return directory() + "/" + name + ".json"; }
    std::string rules_file(const std::string& name) const { return directory() + "/" + name + ".rules.yml"; }
    std::string url() const { return (tls_.empty() ? "http" : "https") + ("://127.0.0.1:" + std::to_string(port)); }
    /// What its API says, by curl; as nobody, or as "watch".
    std::string ask(const std::string& target, const std::string& password = "") const {
        std::vector<std::string> command{"curl", "-sSk", "-m", "10", "-g", url() + target};
        if (!password.empty()) command.insert(command.end(), {"-u", "watch:" + password});
        return run_program(command).output;
    }

    const std::uint16_t port = free_port(), exporter_port = free_port();

private:
    std::string file(const std::string& name) const { return directory_.file(name); }
    TempDir directory_;
    std::string tls_;  // of its web.yml

public:
    std::optional<Service> service, blackbox;  // after the directory: they end first
};

}  // namespace ocim::test
