#pragma once

#include "support/service.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ocim::test {

/// A RabbitMQ broker of the test's own, with its management interface. Its administrator is guest, password guest.
class RabbitMQ {
public:
    /// With a certificate and its key, both in PEM, it answers to https too.
    struct Tls {
        std::string certificate, key;
    };

    explicit RabbitMQ(const Tls& tls = {})
        : amqp_(free_port()), management_(free_port()), distribution_(free_port()), names_(free_port()) {
        if (!tls.certificate.empty()) tls_ = free_port();
        write_file(directory_.file("enabled_plugins"), "[rabbitmq_management].\n");
        write_file(directory_.file("rabbitmq.conf"), "listeners.tcp.1 = 127.0.0.1:" + std::to_string(amqp_) +
                                                         "\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = " +
                                                         std::to_string(management_) + "\n" + tls_text(tls));
        // the broker would start one that outlives it
        names_service_ = std::make_unique<Service>(Service::Settings{
            {"epmd", "-port", std::to_string(names_), "-address", "127.0.0.1"}, directory_.file("epmd"), {}, SIGTERM});
        names_service_->wait_for_port(names_);
        service_ = std::make_unique<Service>(Service::Settings{
            {"/usr/lib/rabbitmq/bin/rabbitmq-server"}, directory_.file("out"), environment(), SIGTERM});
        wait();
    }

    std::uint16_t amqp_port() const { return amqp_; }
    std::uint16_t tls_port() const { return tls_; }
    std::uint16_t management_port() const { return management_; }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(management_); }
    Service& service() { return *service_; }
    void wait() {
        service_->wait_until([this] { return port_answers(management_) && call("GET", "/api/whoami").exit_code == 0; },
                             std::chrono::seconds(240));  // a busy machine starts it slowly
    }
    void restart() {
        service_->start();
        wait();
    }

    /// What the management interface answers the administrator, or with a failing exit code what it refuses.
    Ran call(const std::string& method, const std::string& path, const std::string& body = "",
             const std::string& user = "guest", const std::string& password = "guest") const {
        TempDir config;
        write_file(config.file("c"), "user = \"" + user + ":" + password + "\"\n");
        return run_program({"curl", "-sS", "--fail-with-body", "-K", config.file("c"), "-X", method, "-H",
                            "Content-Type: application/json", "--data-binary", "@-", url() + path},
                           body);
    }

private:
    std::string tls_text(const Tls& tls) const {
        if (tls_ == 0) return "";
        write_file(directory_.file("certificate.pem"), tls.certificate);
        write_file(directory_.file("key.pem"), tls.key);
        return "management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = " + std::to_string(tls_) +
               "\nmanagement.ssl.certfile = " + directory_.file("certificate.pem") +
               "\nmanagement.ssl.keyfile = " + directory_.file("key.pem") + "\n";
    }
    std::vector<std::string> environment() const {
        return {"RABBITMQ_NODENAME=t" + std::to_string(amqp_) + "@localhost",
                "RABBITMQ_MNESIA_BASE=" + directory_.file("mnesia"),
                "RABBITMQ_LOG_BASE=" + directory_.file("log"),
                "RABBITMQ_CONFIG_FILE=" + directory_.file("rabbitmq"),
                "RABBITMQ_ENABLED_PLUGINS_FILE=" + directory_.file("enabled_plugins"),
                "HOME=" + directory_.path(),
                "RABBITMQ_DIST_PORT=" + std::to_string(distribution_),
                "ERL_EPMD_ADDRESS=127.0.0.1",
                "ERL_EPMD_PORT=" + std::to_string(names_)};
    }

    TempDir directory_;
    std::uint16_t amqp_, management_, distribution_, names_, tls_ = 0;
    std::unique_ptr<Service> names_service_, service_;  // the broker ends first
};

}  // namespace ocim::test
