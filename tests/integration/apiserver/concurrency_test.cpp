#include "load.hpp"
#include "once.hpp"

#include "support/service.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <cstdlib>
#include <iostream>

/// `ocim serve` as a process under many clients, ended in order and by kill -9 in between: what each client was told
/// must be explained by one order of all that happened, and every watcher must have seen every change once.
/// OCIM_SCALE=full: 40 restarts. OCIM_SEED repeats the choices, not the timing.
namespace ocim::test {
namespace {

using std::chrono::milliseconds;

class Process {
public:
    Process() {
        service_.wait_until([this] { return ready(); });
    }
    Endpoint endpoint() const { return Endpoint::in(data_); }
    void restart(bool in_order) {
        if (in_order)
            service_.stop();
        else
            service_.kill();
        service_.start();
        service_.wait_for_port(port_).wait_until([this] { return ready(); });
    }

private:
    bool ready() const {
        const auto log = read_file(directory_.file("log"));
        const auto last = log.rfind("ocim is ready");
        return last != std::string::npos && port_answers(port_);
    }

    TempDir directory_;
    const std::string data_ = directory_.file("data");
    const std::uint16_t port_ = free_port();
    Service service_{{.command = {OCIM_BINARY_DIR "/ocim", "serve", "--no-controllers", "--data-dir", data_, "--listen",
                                  "127.0.0.1:" + std::to_string(port_), "--metrics-listen", "127.0.0.1:0"},
                      .log = directory_.file("log"),
                      .environment = {},
                      .stop_signal = SIGTERM}};
};

TEST(Concurrency, IsLinearizableAndEveryWatcherSeesItOnceThroughRestartsAndKills) {
    const auto* scale = std::getenv("OCIM_SCALE");
    const int restarts = scale && std::string_view(scale) == "full" ? 40 : 6;
    const auto* given = std::getenv("OCIM_SEED");
    const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : 1;
    SCOPED_TRACE("seed " + std::to_string(seed));

    Process process;
    Writers writers(process.endpoint(), 16, 8, seed);
    Watchers watchers(process.endpoint(), 8, seed);
    std::mt19937_64 chance(seed);
    for (int round = 0; round <= restarts; ++round) {
        for (int slice = 0; slice < 8; ++slice) {
            writers.work_until(HttpsClients::Time::clock::now() + milliseconds(50));
            watchers.run(milliseconds(0));
            watchers.run(milliseconds(0));
            if (chance() % 3 == 0) watchers.disturb();
        }
        if (round < restarts) process.restart(chance() % 2 == 0);
    }
    writers.finish(milliseconds(10'000));

    Once once(process.endpoint());
    const auto last = once.ask(http_request("POST", collection,
                                            R"({"apiVersion":"v1","kind":"ConfigMap","metadata":)"
                                            R"({"name":"last"},"data":{"value":"999999999"}})"));
    const auto revision = revision_in(last);
    ASSERT_NE(revision, 0U) << last;
    ASSERT_TRUE(wait_for(
        [&] {
            watchers.run(milliseconds(10));
            return watchers.all_at(revision) || !watchers.complaint().empty();
        },
        milliseconds(60'000)));
    ASSERT_EQ(watchers.complaint(), "");
    const auto state = state_of(once.ask(http_request("GET", collection)));

    const auto& history = writers.history();
    std::map<Operation::Answer, int> answers;
    for (const auto& operation : history) ++answers[operation.answer];
    std::cout << history.size() << " operations, " << answers[Operation::Answer::unknown] << " without an answer, "
              << writers.refused() << " refused\n";
    EXPECT_GT(history.size(), 500U);
    EXPECT_GT(answers[Operation::Answer::unknown], restarts) << "replies were lost";
    EXPECT_GT(answers[Operation::Answer::conflict], 20) << "writers met";
    EXPECT_EQ(violation_of(history), "");
    EXPECT_EQ(violation_of(watchers.seen(), writers.committed(), state), "");
}

}  // namespace
}  // namespace ocim::test
