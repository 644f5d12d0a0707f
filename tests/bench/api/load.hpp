#pragma once

#include "support/https_clients.hpp"

#include <functional>
#include <string>
#include <vector>

namespace ocim::bench {

using Seconds = std::chrono::duration<double>;

inline double milliseconds(std::chrono::steady_clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

/// What a load came to.
struct Outcome {
    std::size_t answers = 0;
    std::size_t refusals = 0;  ///< answers that are no success
    double seconds = 0;
    std::vector<double> milliseconds;  ///< of each answer
    std::string first_refusal;

    double rate() const { return static_cast<double>(answers - refusals) / seconds; }
};

/// Clients that each send the next request as soon as they have the answer to the last one.
class Load final : public test::HttpsClients::Listener {
public:
    /// The request to send; empty: there is none left.
    using Next = std::function<std::string(std::size_t client)>;

    Load(const test::Endpoint& endpoint, std::size_t clients);
    /// Until `limit` has passed or nothing is left to send.
    Outcome run(Next next, Seconds limit);

private:
    void answered(std::size_t client, const test::HttpsClients::Reply& reply) override;
    void lost(std::size_t client, bool in_flight) override;
    void send(std::size_t client);

    test::HttpsClients clients_;
    Next next_;
    Outcome outcome_;
    std::size_t waiting_ = 0;
    test::HttpsClients::Time end_;
};

/// How long events take to their watchers.
struct Delivery {
    std::vector<double> after_sending;  ///< milliseconds, from the moment the write was sent
    std::vector<double> after_answer;   ///< from the moment its writer knew that it was durable; 0 when before that
    std::vector<double> writes;         ///< from sending a write to its answer
    std::size_t missing = 0;
    double server_seconds = 0;  ///< CPU, without connecting
};

/// `writes` creations at a steady pace, seen by `watchers`.
Delivery fan_out(const test::Endpoint& endpoint, std::size_t watchers, std::size_t writes, Seconds pace,
                 const std::function<double()>& cpu_seconds);

/// A record and where records are kept.
extern const char* const records;
std::string record(const std::string& name);
std::string create_record(const std::string& name);
std::string patch_status(const std::string& name, std::size_t number);

}  // namespace ocim::bench
