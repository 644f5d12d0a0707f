#pragma once

#include "support/door.hpp"
#include "support/openstack.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace ocim::test {

/// In front of one service of OpenStack: it loses answers, refuses, fails, lies, and remembers what was asked. Each
/// request has a connection of its own.
class FaultProxy {
public:
    enum class Fault { none, lose_creates, busy, rate_limited, failing, half_a_list };

    /// `things`: where the service makes and lists what the faults are about: "/v2.1/servers".
    FaultProxy(std::uint16_t target, std::string things) : target_(target), things_(std::move(things)), door_(target) {
        door_.say([this](RawSocket& client) { serve(client); });
    }
    std::uint16_t port() const { return door_.port(); }
    void suffer(Fault fault, int times) {
        left_ = times;
        fault_ = fault;
    }
    int left() const { return left_; }
    /// From now on no create goes on before so many of them are here, or `patience` is over.
    void hold_creates_until(int at_once, std::chrono::seconds patience) {
        const std::scoped_lock lock(mutex_);
        at_once_ = at_once;
        patience_ = patience;
    }
    /// How many creates were here at a time, at most.
    int creates_at_once() const {
        const std::scoped_lock lock(mutex_);
        return most_;
    }
    /// How many creates the service has answered.
    int creates() const { return creates_; }
    /// "POST /v2.0/security-group-rules", the oldest first.
    std::vector<std::string> asked() const {
        const std::scoped_lock lock(mutex_);
        return asked_;
    }

private:
    bool strikes(Fault fault) { return fault_ == fault && left_.fetch_sub(1) > 0; }
    void enter_create() {
        std::unique_lock lock(mutex_);
        most_ = std::max(most_, ++inside_);
        if (inside_ >= at_once_) at_once_ = 0;  // those that come later are not held
        came_.notify_all();
        came_.wait_for(lock, patience_, [this] { return at_once_ == 0; });
    }
    void leave_create() {
        const std::scoped_lock lock(mutex_);
        --inside_;
    }
    static std::string whole_request(RawSocket& client) {
        auto request = client.read_until("\r\n\r\n");
        const auto body = request.find("\r\n\r\n");
        if (body == std::string::npos) return {};
        const std::string field = "Content-Length: ";
        const auto at = request.find(field);
        const auto length = at == std::string::npos || at > body ? 0 : std::stoul(request.substr(at + field.size()));
        while (request.size() < body + 4 + length) {
            const auto more = client.read_some();
            if (more.empty()) return {};
            request += more;
        }
        return request;
    }
    void serve(RawSocket& client) {
        auto request = whole_request(client);
        if (request.empty()) return;
        {
            const std::scoped_lock lock(mutex_);
            asked_.push_back(request.substr(0, request.find(" HTTP/")));
        }
        const bool create = request.starts_with("POST " + things_ + " ");
        const std::string head = "Connection: close\r\nContent-Length: 0\r\n";
        if (strikes(Fault::busy)) {
            client.send("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n" + head + "\r\n");
            return;
        }
        if (strikes(Fault::rate_limited)) {
            client.send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n" + head + "\r\n");
            return;
        }
        if (strikes(Fault::failing)) {
            client.send("HTTP/1.1 500 Internal Server Error\r\n" + head + "\r\n");
            return;
        }
        if (create) enter_create();
        request.insert(request.find("\r\n") + 2, "Connection: close\r\n");
        auto server = RawSocket::connect(target_);
        server.send(request);
        auto answer = server.read_all();
        if (create) leave_create();
        if (create && answer.empty()) return;  // the service itself said nothing
        if (create) ++creates_;
        if (create && strikes(Fault::lose_creates)) return;
        const bool list =
            request.starts_with("GET " + things_ + "/detail") || request.starts_with("GET " + things_ + "?");
        if (list && strikes(Fault::half_a_list)) {
            client.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{\"servers\":[");
            return;
        }
        client.send(answer);
    }

    const std::uint16_t target_;
    const std::string things_;
    std::atomic<Fault> fault_ = Fault::none;
    std::atomic<int> left_ = 0, creates_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
    std::condition_variable came_;
    int at_once_ = 0, inside_ = 0, most_ = 0;
    std::chrono::seconds patience_{0};
    Door door_;
};

/// A region of its own whose catalog leads to these ports for "nova" or "neutron", and past the proxy otherwise.
inline std::string region_through(const OpenStack& stack, const std::map<std::string, std::uint16_t>& doors) {
    std::string region = "door";
    for (const auto& [service, port] : doors) region += "-" + std::to_string(port);
    const OpenStack admin(OpenStack::Who::admin);
    const auto services = admin.call("GET", stack.auth_url + "/services");
    admin.call("POST", stack.auth_url + "/regions", R"({"region":{"id":")" + region + R"("}})");
    const auto port_of = [&](const std::string& service) {
        const auto door = doors.find(service);
        return std::to_string(door == doors.end() ? stack.port(service) : door->second);
    };
    for (const auto& service : api::find(services, {"services"})->get_array()) {
        const auto type = std::string(api::find_text(service, {"type"}));
        std::string url;
        if (type == "compute") url = "http://127.0.0.1:" + port_of("nova") + "/v2.1";
        if (type == "image") url = "http://127.0.0.1:" + port_of("glance");
        if (type == "network") url = "http://127.0.0.1:" + port_of("neutron");
        if (url.empty()) continue;
        admin.call("POST", stack.auth_url + "/endpoints",
                   R"({"endpoint":{"interface":"public","region_id":")" + region + R"(","url":")" + url +
                       R"(","service_id":")" + std::string(api::find_text(service, {"id"})) + R"("}})");
    }
    return region;
}

}  // namespace ocim::test
