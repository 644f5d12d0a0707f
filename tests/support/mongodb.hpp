#pragma once

#include "api/json.hpp"
#include "support/service.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::test {

/// A MongoDB of the test's own, see mongodb_server.py: one server, or the members of a replica set. Our account there
/// is "ocim", with no more rights than docs/databases.md asks for.
class MongoDB {
public:
    struct Settings {
        std::string password;
        std::string replica_set{};
        int members = 1;
        std::string certificate{}, key{};  ///< PEM files
    };
    explicit MongoDB(Settings settings) : settings_(std::move(settings)) {
        for (int n = 0; n < settings_.members; ++n) ports.push_back(free_port());
        start();
    }
    /// Also after service->stop(): everything that it held is gone then.
    void start() {
        write_file(directory_.file("password"), settings_.password);
        std::vector<std::string> command{
            "/usr/bin/python3", std::string(OCIM_SOURCE_DIR) + "/tests/support/mongodb_server.py",
            "--control",        std::to_string(control_),
            "--password-file",  directory_.file("password"),
            "--replica-set",    settings_.replica_set};
        for (const auto port : ports) command.insert(command.end(), {"--port", std::to_string(port)});
        if (!settings_.certificate.empty())
            command.insert(command.end(), {"--certificate", settings_.certificate, "--key", settings_.key});
        // no byte code beside the source: a test leaves nothing behind
        service.emplace(Service::Settings{.command = std::move(command),
                                          .log = directory_.file("log"),
                                          .environment = {"PYTHONDONTWRITEBYTECODE=1"}});
        service->wait_for_port(control_);
    }
    std::uint16_t port() const { return ports.front(); }

    /// In single quotes if the test likes; returns all that is there, or what a command was answered.
    api::Json order(std::string text) const {
        for (auto& c : text)
            if (c == '\'') c = '"';
        const auto reply = run_program(
            {"curl", "-sS", "-m", "60", "--data-binary", "@-", "http://127.0.0.1:" + std::to_string(control_) + "/"},
            text);
        auto parsed = api::parse_json(reply.output);
        if (!parsed) throw std::runtime_error("the test door: " + reply.output);
        return std::move(parsed->value);
    }
    /// A command as nobody could refuse it; throws when it fails.
    api::Json run(const std::string& database, const std::string& command) const {
        auto answer = order("{'run':" + command + ",'db':'" + database + "'}");
        if (answer.at("ok").to_number<double>() != 1) throw std::runtime_error(command + ": " + api::to_text(answer));
        return answer;
    }
    void set(const std::string& what) const { (void)order("{'set':" + what + "}"); }
    void fault(const std::string& what) const { (void)order("{'fault':" + what + "}"); }
    void no_faults() const { (void)order("{'faults':'none'}"); }
    /// Commands of `user` so far, without those that a log-in takes.
    int commands(const std::string& user = "ocim") const {
        const auto all = order("{}");
        int out = 0;
        if (const auto* counts = api::find(all, {"commands", user}))
            for (const auto& [name, count] : counts->get_object())
                if (name != "endSessions" && name != "ping") out += count.to_number<int>();
        return out;
    }
    /// "a@admin b@x": who is there, but for us.
    std::string users() const {
        std::string out;
        const auto all = order("{}");
        for (const auto& [name, user] : all.at("users").get_object())
            if (name != "ocim@admin") out += (out.empty() ? "" : " ") + std::string(name);
        return out;
    }
    std::string violations() const { return api::to_text(order("{}").at("violations")); }

    std::vector<std::uint16_t> ports;

private:
    Settings settings_;
    const std::uint16_t control_ = free_port();
    TempDir directory_;

public:
    std::optional<Service> service;  // after the directory: it ends first
};

}  // namespace ocim::test
