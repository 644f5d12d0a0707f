#include "load.hpp"

#include <stdexcept>

namespace ocim::bench {

namespace {
using Clock = std::chrono::steady_clock;
using std::chrono_literals::operator""ms;
}  // namespace

const char* const records = "/apis/ocim.opencraft.com/v1alpha1/namespaces/default/dnsrecords";

std::string record(const std::string& name) {
    return R"({"apiVersion":"ocim.opencraft.com/v1alpha1","kind":"DNSRecord","metadata":{"name":")" + name +
           R"(","namespace":"default","labels":{"app.kubernetes.io/part-of":"bench"}},"spec":{"zoneRef":{"name":)"
           R"("example"},"name":")" +
           name + R"(.example.org","type":"A","ttlSeconds":300,"values":["192.0.2.1","192.0.2.2"]}})";
}

std::string create_record(const std::string& name) { return test::http_request("POST", records, record(name)); }

std::string patch_status(const std::string& name, std::size_t number) {
    const auto body = R"({"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True","reason":)"
                      R"("InSync","message":"seen )" +
                      std::to_string(number) + R"( times","lastTransitionTime":"2026-01-01T00:00:00Z"}]}})";
    return test::http_request("PATCH", records + ("/" + name) + "/status", body, "application/merge-patch+json");
}

Load::Load(const test::Endpoint& endpoint, std::size_t clients) : clients_(endpoint, *this) {
    for (std::size_t i = 0; i < clients; ++i)
        if (!clients_.connect(clients_.add())) throw std::runtime_error("a connection was refused");
}

Outcome Load::run(Next next, Seconds limit) {
    next_ = std::move(next);
    outcome_ = {};
    const auto begin = Clock::now();
    end_ = begin + std::chrono::duration_cast<Clock::duration>(limit);
    for (std::size_t i = 0; i < clients_.size(); ++i) send(i);
    while (waiting_ > 0) clients_.run(1000ms);
    outcome_.seconds = Seconds(Clock::now() - begin).count();
    return std::move(outcome_);
}

void Load::send(std::size_t client) {
    if (Clock::now() >= end_) return;
    auto request = next_(client);
    if (request.empty()) return;
    ++waiting_;
    clients_.send(client, std::move(request));
}

void Load::answered(std::size_t client, const test::HttpsClients::Reply& reply) {
    --waiting_;
    ++outcome_.answers;
    outcome_.milliseconds.push_back(milliseconds(reply.received - reply.sent));
    if (reply.status >= 300) {
        ++outcome_.refusals;
        if (outcome_.first_refusal.empty()) outcome_.first_refusal = reply.body.substr(0, 300);
    }
    send(client);
}

void Load::lost(std::size_t, bool) { throw std::runtime_error("the server closed a connection under load"); }

}  // namespace ocim::bench
