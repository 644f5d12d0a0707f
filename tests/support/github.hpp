#pragma once

#include "api/json.hpp"
#include "support/service.hpp"

#include <optional>
#include <string>

namespace ocim::test {

/// A GitHub of the test's own, see github_server.py. What breaks its published description fails the test's check().
class GitHubService {
public:
    GitHubService() {
        const std::string here = OCIM_SOURCE_DIR;
        service_.emplace(Service::Settings{
            .command = {"/usr/bin/python3", here + "/tests/support/github_server.py", "--port", std::to_string(port),
                        "--description", here + "/.deps/github/api.github.com.json"},
            .log = directory_.file("log"),
            .environment = {}});
        service_->wait_for_port(port);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }

    /// {"set": …} or {"fault": …}, in single quotes if the test likes; returns all that is there.
    api::Json order(std::string text) const {
        for (auto& c : text)
            if (c == '\'') c = '"';
        const auto reply = run_program({"curl", "-sS", "-m", "20", "--data-binary", "@-", url() + "/_test"}, text);
        auto parsed = api::parse_json(reply.output);
        if (!parsed) throw std::runtime_error("GitHub's test door: " + reply.output);
        return std::move(parsed->value);
    }
    api::Json shown() const { return order("{}"); }
    void set(const std::string& what) const { (void)order("{'set':" + what + "}"); }
    void fault(const std::string& what) const { (void)order("{'fault':" + what + "}"); }
    std::int64_t used() const { return shown().at("used").to_number<std::int64_t>(); }
    /// What did not conform; empty is right.
    std::string violations() const { return api::to_text(shown().at("violations")); }
    Service& service() { return *service_; }

    const std::uint16_t port = free_port();

private:
    TempDir directory_;
    std::optional<Service> service_;
};

}  // namespace ocim::test
