#pragma once

#include "api/json.hpp"
#include "support/service.hpp"

#include <optional>
#include <string>

namespace ocim::test {

/// A Gandi LiveDNS of the test's own, see gandi_server.py. What breaks the service's rules fails the test's check of
/// violations().
class GandiService {
public:
    explicit GandiService(const std::string& domain) {
        service.emplace(Service::Settings{
            .command = {"/usr/bin/python3", std::string(OCIM_SOURCE_DIR) + "/tests/support/gandi_server.py", "--port",
                        std::to_string(port), "--domain", domain},
            .log = directory_.file("log"),
            .environment = {}});
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
    void put(const std::string& name, const std::string& type, const std::string& value, int ttl = 300) const {
        namespace json = api::json;
        (void)order(api::to_text(api::Json(json::object{
            {"put", json::object{{"name", name}, {"type", type}, {"ttl", ttl}, {"values", json::array{value}}}}})));
    }
    void remove(const std::string& name, const std::string& type) const {
        (void)order("{'remove':{'name':'" + name + "','type':'" + type + "'}}");
    }
    void set(const std::string& what) const { (void)order("{'set':" + what + "}"); }
    void fault(const std::string& what) const { (void)order("{'fault':" + what + "}"); }
    /// The values under a relative name, as JSON; "" when there is none.
    std::string values(const std::string& name, const std::string& type) const {
        const auto all = order("{}");
        const auto* found = api::find(all, {"sets"});
        const auto* set = found->get_object().if_contains(name + " " + type);
        return set ? api::to_text(set->at("values")) : "";
    }
    std::size_t count() const { return order("{}").at("sets").get_object().size(); }
    /// Calls since the last call of this.
    std::size_t calls() const { return calls_of(order("{}")); }
    std::string violations() const { return api::to_text(order("{}").at("violations")); }

    const std::uint16_t port = free_port();

private:
    std::size_t calls_of(const api::Json& all) const {
        const auto now = all.at("calls").get_array().size();
        return now - std::exchange(last_, now);
    }
    TempDir directory_;
    mutable std::size_t last_ = 0;

public:
    std::optional<Service> service;  // after the directory: it ends first
};

}  // namespace ocim::test
