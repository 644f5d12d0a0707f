#pragma once

#include "api/json.hpp"
#include "support/service.hpp"

#include <optional>
#include <string>

namespace ocim::test {

/// A New Relic of the test's own, see newrelic_server.py. What breaks its schema fails the test's check of
/// violations().
class NewRelicService {
public:
    NewRelicService() {
        service.emplace(Service::Settings{
            .command = {"/usr/bin/python3", std::string(OCIM_SOURCE_DIR) + "/tests/support/newrelic_server.py",
                        "--port", std::to_string(port)},
            .log = directory_.file("log"),
            .environment = {{"PYTHONDONTWRITEBYTECODE", "1"}}});
        service->wait_for_port(port);
    }
    /// In single quotes if the test likes; returns all that is there.
    api::Json order(std::string text) const {
        for (auto& c : text)
            if (c == '\'') c = '"';
        const auto reply = run_program(
            {"curl", "-sS", "-m", "20", "--data-binary", "@-", "http://127.0.0.1:" + std::to_string(port) + "/_test"},
            text);
        auto parsed = api::parse_json(reply.output);
        if (!parsed) throw std::runtime_error("the test door: " + reply.output);
        return std::move(parsed->value);
    }
    void set(const std::string& what) const { (void)order("{'set':" + what + "}"); }
    void fault(const std::string& what) const { (void)order("{'fault':" + what + "}"); }
    /// Makes a monitor by hand and returns its GUID.
    std::string make(const std::string& url) const {
        return std::string(order("{'monitor':{'name':'" + url + "','uri':'" + url + "','tags':{'team':['web']}}}")
                               .at("made")
                               .as_string());
    }
    void change(const std::string& guid, const std::string& what) const {
        (void)order("{'change':{'guid':'" + guid + "'," + what + "}}");
    }
    void remove(const std::string& guid) const { (void)order("{'remove':'" + guid + "'}"); }
    void harm(const std::string& what) const { (void)order("{'break':" + what + "}"); }
    api::json::array monitors() const { return order("{}").at("monitors").as_array(); }
    std::size_t count(const char* list) const { return order("{}").at(list).as_object().size(); }
    /// Calls since the last time one asked, each by the name of its field.
    api::json::array calls() const { return order("{'forget':true}").at("calls").as_array(); }
    std::string violations() const { return api::to_text(order("{}").at("violations")); }

    const std::uint16_t port = free_port();

private:
    TempDir directory_;

public:
    std::optional<Service> service;
};

}  // namespace ocim::test
