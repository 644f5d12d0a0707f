#pragma once

#include "api/json.hpp"
#include "support/service.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::test {

/// A real Swift, see swift_server.py: one for the whole program, because it takes long to start.
class SwiftService {
public:
    static SwiftService& shared() {
        static SwiftService service;
        return service;
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }

    const std::uint16_t port = free_port();

private:
    SwiftService()
        : service_({.command = {"/usr/bin/python3", std::string(OCIM_SOURCE_DIR) + "/tests/support/swift_server.py",
                                "--directory", directory_.path(), "--port", std::to_string(port)},
                    .log = directory_.file("log"),
                    .environment = {}}) {
        // a busy machine starts it slowly, and the proxy answers before those that it stands on do
        service_.wait_until([this] { return port_answers(port) && serves(); }, std::chrono::seconds(240));
    }
    bool serves() const {
        const auto reply = run_program({"curl", "-sSi", "-m", "100", "-H", "X-Auth-User: t0:tester", "-H",
                                        "X-Auth-Key: testing", url() + "/auth/v1.0"});
        return reply.output.starts_with("HTTP/1.1 200");
    }

    TempDir directory_;
    Service service_;
};

/// An account of it that nobody used before.
class SwiftAccount {
public:
    SwiftAccount() : name("t" + std::to_string(made()++)) {}

    std::string user(const std::string& name_there = "tester") const { return name + ":" + name_there; }
    /// What the account's administrator is answered, status line and headers included.
    std::string call(const std::string& method, const std::string& path, const std::vector<std::string>& headers = {},
                     const std::string& body = {}) const {
        return call_as("tester", "testing", method, path, headers, body);
    }
    std::string call_as(const std::string& who, const std::string& key, const std::string& method,
                        const std::string& path, const std::vector<std::string>& headers = {},
                        const std::string& body = {}) const {
        return curl(method, path, token(who, key), headers, body);
    }
    /// Somebody who has not logged in.
    std::string call_as_anybody(const std::string& method, const std::string& path) const {
        return curl(method, path, "", {}, "");
    }

    const std::uint16_t port = SwiftService::shared().port;
    const std::string name;

private:
    static int& made() {
        static int count = 0;
        return count;
    }
    std::string token(const std::string& who, const std::string& key) const {
        auto& held = tokens_[who];
        if (!held.empty()) return held;
        const auto reply = run_program({"curl", "-sSi", "-m", "100", "-H", "X-Auth-User: " + user(who), "-H",
                                        "X-Auth-Key: " + key, SwiftService::shared().url() + "/auth/v1.0"});
        const std::string word = "X-Auth-Token: ";
        const auto at = reply.output.find(word);
        if (at == std::string::npos) return "";
        held = reply.output.substr(at + word.size(), reply.output.find('\r', at) - at - word.size());
        return held;
    }
    std::string curl(const std::string& method, const std::string& path, const std::string& token,
                     const std::vector<std::string>& headers, const std::string& body) const {
        std::vector<std::string> command{"curl", "-sSi", "-m", "100", "-X", method};
        if (method == "HEAD") command.emplace_back("-I");
        if (!token.empty()) command.insert(command.end(), {"-H", "X-Auth-Token: " + token});
        for (const auto& header : headers) command.insert(command.end(), {"-H", header});
        if (!body.empty()) command.insert(command.end(), {"--data-binary", "@-"});
        command.push_back(SwiftService::shared().url() + "/v1/AUTH_" + name + path);
        return run_program(command, body, std::chrono::seconds(120)).output;
    }

    mutable std::map<std::string, std::string> tokens_;
};

/// What of Keystone stands before that Swift, see keystone_server.py. `front`: where its catalog says that accounts
/// are.
class KeystoneService {
public:
    explicit KeystoneService(const std::string& front)
        : service_({.command = {"/usr/bin/python3", std::string(OCIM_SOURCE_DIR) + "/tests/support/keystone_server.py",
                                "--port", std::to_string(port), "--swift", SwiftService::shared().url(), "--account-at",
                                front},
                    .log = directory_.file("log"),
                    .environment = {}}) {
        service_.wait_for_port(port);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
    std::string log_ins() const { return run_program({"curl", "-sS", "-m", "100", url() + "/_test"}).output; }

    const std::uint16_t port = free_port();

private:
    TempDir directory_;
    Service service_;
};

/// An S3 service of the test's own, see s3_server.py. What breaks the service's rules fails the test's check of
/// violations().
class S3Service {
public:
    explicit S3Service(const std::string& region = "eu-test-1")
        : service_({.command = {"/usr/bin/python3", std::string(OCIM_SOURCE_DIR) + "/tests/support/s3_server.py",
                                "--port", std::to_string(port), "--region", region},
                    .log = directory_.file("log"),
                    .environment = {}}) {
        service_.wait_for_port(port);
    }
    /// In single quotes if the test likes; returns all that is there.
    api::Json order(std::string text = "{}") const {
        for (auto& c : text)
            if (c == '\'') c = '"';
        const auto reply = run_program(
            {"curl", "-sS", "-m", "20", "--data-binary", "@-", "http://127.0.0.1:" + std::to_string(port) + "/_test"},
            text);
        auto parsed = api::parse_json(reply.output);
        if (!parsed) throw std::runtime_error("the test door: " + reply.output);
        return std::move(parsed->value);
    }
    /// One field of a bucket as JSON; "" when there is no such bucket.
    std::string of(const std::string& bucket, const std::string& field) const {
        const auto all = order();
        const auto* found = api::find(all, {"buckets"})->get_object().if_contains(bucket);
        return found ? api::to_text(found->at(field)) : "";
    }
    /// Calls since the last call of this.
    std::size_t calls() const {
        const auto now = order().at("calls").get_array().size();
        return now - std::exchange(last_, now);
    }
    std::string violations() const { return api::to_text(order().at("violations")); }

    const std::uint16_t port = free_port();

private:
    TempDir directory_;
    mutable std::size_t last_ = 0;
    Service service_;
};

}  // namespace ocim::test
