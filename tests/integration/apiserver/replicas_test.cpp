#include "load.hpp"
#include "once.hpp"

#include "base/limits.hpp"
#include "support/door.hpp"
#include "support/postgresql.hpp"
#include "support/service.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

/// Three `ocim serve` on one PostgreSQL, and clients that do not know which of them answers.
/// OCIM_SCALE=full: 40 rounds. OCIM_SEED repeats the choices, not the timing.
namespace ocim::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// The database, and the files that all replicas must have alike.
class Shared {
public:
    Shared() {
        postgresql.sql("CREATE ROLE ocim LOGIN PASSWORD 'hidden'");
        postgresql.sql("CREATE DATABASE ocim OWNER ocim");
        write_file(directory.file("password"), "hidden\n");
        fs::permissions(directory.file("password"), fs::perms::owner_read);
    }
    TempDir directory;
    PostgreSQL postgresql;
};

class Replica {
public:
    enum class Controllers { run, none };
    Replica(Shared& shared, const std::string& name, Controllers controllers, const Replica* like = nullptr)
        : data_(shared.directory.file(name)), log_(shared.directory.file(name + ".log")) {
        if (like) copy_keys(like->data_);
        std::vector<std::string> command{
            OCIM_BINARY_DIR "/ocim",
            "serve",
            "--data-dir",
            data_,
            "--store",
            "postgres://ocim@127.0.0.1:" + std::to_string(shared.postgresql.port()) + "/ocim",
            "--store-password-file",
            shared.directory.file("password"),
            "--listen",
            "127.0.0.1:" + std::to_string(port_),
            "--metrics-listen",
            "127.0.0.1:" + std::to_string(metrics_)};
        if (controllers == Controllers::none) command.push_back("--no-controllers");
        service_ = std::make_unique<Service>(
            Service::Settings{.command = std::move(command), .log = log_, .environment = {}, .stop_signal = SIGTERM});
    }
    Replica& wait() {
        service_->wait_until([this] { return ready(); });
        return *this;
    }
    void restart() {
        begun_ = read_file(log_).size();
        service_->start();
    }
    bool ready() const { return read_file(log_).find("ocim is ready", begun_) != std::string::npos; }
    Service& service() { return *service_; }
    std::uint16_t port() const { return port_; }
    Endpoint endpoint() const { return Endpoint::in(data_); }
    std::string log() const { return read_file(log_); }
    bool leads() const {
        const auto page =
            run_program({"curl", "-s", "--max-time", "1", "http://127.0.0.1:" + std::to_string(metrics_) + "/metrics"});
        return page.output.find("leader_election_master_status{name=\"ocim-controller\"} 1") != std::string::npos;
    }
    Ran kubectl(std::vector<std::string> words, const std::string& input = {}) const {
        words.insert(words.begin(), {OCIM_SOURCE_DIR "/.deps/kubectl/kubectl", "--kubeconfig", data_ + "/kubeconfig"});
        return run_program(std::move(words), input);
    }

private:
    void copy_keys(const std::string& from) const {
        fs::create_directories(data_ + "/pki");
        fs::permissions(data_, fs::perms::owner_all);
        for (const auto* file : {"encryption-keys", "pki/ca.crt", "pki/ca.key", "pki/service-account.key"})
            fs::copy_file(from + "/" + file, data_ + "/" + file);
    }
    const std::string data_, log_;
    const std::uint16_t port_ = free_port(), metrics_ = free_port();
    std::size_t begun_ = 0;  // where the log of this life begins
    std::unique_ptr<Service> service_;
};

/// Leads each connection to the next of several servers.
class Spread {
public:
    explicit Spread(std::vector<std::uint16_t> ports) : ports_(std::move(ports)), door_(ports_.front()) {
        door_.say([this](RawSocket& client) { relay(client); });
    }
    std::uint16_t port() const { return door_.port(); }

private:
    void relay(RawSocket& client) {
        const auto port = ports_[next_++ % ports_.size()];
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        RawSocket server(fd);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
        for (;;) {
            pollfd ends[] = {{client.descriptor(), POLLIN, 0}, {fd, POLLIN, 0}};
            if (::poll(ends, 2, -1) <= 0) return;
            const bool from_client = ends[0].revents != 0;
            char buffer[65536];
            const auto count = ::recv(from_client ? client.descriptor() : fd, buffer, sizeof buffer, 0);
            if (count <= 0) return;
            if (!(from_client ? server : client).send({buffer, static_cast<std::size_t>(count)})) return;
        }
    }
    std::vector<std::uint16_t> ports_;
    std::atomic<std::size_t> next_ = 0;
    Door door_;
};

std::vector<std::unique_ptr<Replica>> three(Shared& shared, Replica::Controllers controllers) {
    std::vector<std::unique_ptr<Replica>> out;
    for (const auto* name : {"one", "two", "three"}) {
        out.push_back(std::make_unique<Replica>(shared, name, controllers, out.empty() ? nullptr : out.front().get()));
        if (out.size() == 1) out.front()->wait();
    }
    for (auto& replica : out) replica->wait();
    return out;
}

TEST(Replicas, AreLinearizableTogetherAndEveryWatcherSeesAllOnceThroughKillsAndRestartsOfTheDatabase) {
    const auto* scale = std::getenv("OCIM_SCALE");
    const int rounds = scale && std::string_view(scale) == "full" ? 40 : 6;
    const auto* given = std::getenv("OCIM_SEED");
    const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : 1;
    SCOPED_TRACE("seed " + std::to_string(seed));

    Shared shared;
    const auto replicas = three(shared, Replica::Controllers::none);
    std::vector<std::uint16_t> ports;
    for (const auto& replica : replicas) ports.push_back(replica->port());
    Spread spread(ports);
    auto endpoint = replicas.front()->endpoint();
    endpoint.port = spread.port();
    // of each object not too much is unknown: the judge tries every order of that
    Writers writers(endpoint, 18, rounds > 6 ? 64 : 8, seed);
    Watchers watchers(endpoint, 9, seed);
    std::mt19937_64 chance(seed);
    const auto work = [&](int slices) {
        for (int slice = 0; slice < slices; ++slice) {
            writers.work_until(HttpsClients::Time::clock::now() + milliseconds(50));
            watchers.run(milliseconds(0));
            watchers.run(milliseconds(0));
            if (chance() % 3 == 0) watchers.disturb();
        }
    };
    std::map<std::string, int> struck;
    for (int round = 0; round < rounds; ++round) {
        work(8);
        auto& victim = *replicas[chance() % replicas.size()];
        const auto drawn = static_cast<int>(chance() % 4);
        const auto before = victim.service().pid();
        switch (round < 5 ? round % 4 : drawn) {  // each once, and twice what is worst
            case 1:
                victim.service().stop();
                ++struck["stopped"];
                break;
            case 2: {
                victim.service().freeze();  // perhaps in its turn
                ++struck["frozen"];
                // by a thread: a client may be in the middle of a handshake with it
                const std::jthread thaw([&victim] {
                    std::this_thread::sleep_for(milliseconds(2'500));
                    victim.service().thaw();
                });
                work(8);
                continue;
            }
            case 3:
                chance() % 2 == 0 ? shared.postgresql.service().kill() : shared.postgresql.service().stop();
                ASSERT_FALSE(shared.postgresql.service().running());
                ++struck["database"];
                work(4);
                shared.postgresql.restart();
                continue;
            default: victim.service().kill(); ++struck["killed"];
        }
        ASSERT_FALSE(victim.service().running());
        work(8);
        victim.restart();
        victim.wait();
        ASSERT_NE(victim.service().pid(), before) << "it is another process";
    }
    work(8);
    writers.finish(milliseconds(20'000));

    Once once(endpoint);
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
    for (const auto& [what, times] : struck) std::cout << what << " " << times << ", ";
    std::cout << history.size() << " operations, " << answers[Operation::Answer::unknown] << " without an answer, "
              << writers.refused() << " refused\n";
    for (const auto* what : {"stopped", "frozen", "database"}) EXPECT_GE(struck[what], 1) << what;
    EXPECT_GE(struck["killed"], 2);
    EXPECT_GT(answers[Operation::Answer::unknown], 0) << "they struck in the middle of something";
    EXPECT_GT(history.size(), 500U);
    EXPECT_GT(answers[Operation::Answer::conflict], 20) << "writers met";
    EXPECT_EQ(violation_of(history), "");
    EXPECT_EQ(violation_of(watchers.seen(), writers.committed(), state), "");
}

/// Each writes to an object of its own, again and again.
class Flood final : public HttpsClients::Listener {
public:
    Flood(const Endpoint& endpoint, std::size_t count) : clients_(endpoint, *this), writes_(count) {
        for (std::size_t i = 0; i < count; ++i) clients_.add();
    }
    void run(milliseconds most) {
        for (std::size_t i = 0; i < clients_.size(); ++i)
            if (!clients_.connected(i) && clients_.connect(i)) next(i);
        clients_.run(most);
    }
    std::size_t written() const { return written_; }
    std::size_t size() const { return writes_.size(); }
    const std::string& complaint() const { return complaint_; }

private:
    void answered(std::size_t client, const HttpsClients::Reply& reply) override {
        if (reply.status / 100 == 2) ++written_, ++writes_[client];
        if (reply.status / 100 != 2 && reply.status != 429) complaint_ = std::string(reply.body);
        next(client);
    }
    void lost(std::size_t, bool) override { complaint_ = "the server hung up"; }
    void next(std::size_t client) {
        const auto name = "flood-" + std::to_string(client);
        const auto body = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name +
                          R"("},"data":{"value":")" + std::to_string(writes_[client] + 1) + R"("}})";
        const bool made = writes_[client] > 0;
        clients_.send(client,
                      http_request(made ? "PUT" : "POST", collection + (made ? "/" + name : std::string()), body));
    }
    HttpsClients clients_;
    std::vector<std::size_t> writes_;
    std::size_t written_ = 0;
    std::string complaint_;
};

TEST(Replicas, ForgetHistoryTogetherAndWhoWatchesGoesOn) {
    Shared shared;
    const auto replicas = three(shared, Replica::Controllers::none);
    std::vector<std::uint16_t> ports;
    for (const auto& replica : replicas) ports.push_back(replica->port());
    Spread spread(ports);
    auto endpoint = replicas.front()->endpoint();
    endpoint.port = spread.port();
    Flood flood(endpoint, 48);
    Watchers watchers(endpoint, 3, 1);  // of each replica
    const auto compacted = [&] {
        return std::stoull(shared.postgresql.sql("SELECT compacted FROM ocim_meta", "ocim"));
    };
    ASSERT_EQ(compacted(), 0U);
    constexpr auto enough = limits::history_changes_max + limits::history_slack + 1'000;
    while (flood.written() < enough) {
        flood.run(milliseconds(5));
        watchers.run(milliseconds(0));
        ASSERT_EQ(flood.complaint(), "");
        ASSERT_EQ(watchers.complaint(), "") << "after " << flood.written();
    }
    ASSERT_TRUE(wait_for([&] { return compacted() > 0; })) << "by the servers themselves";
    const auto kept = std::stoull(shared.postgresql.sql("SELECT count(*) FROM ocim_change", "ocim"));
    EXPECT_LT(kept, enough) << "what was replaced is gone";

    for (const auto& replica : replicas) {
        const auto old = replica->kubectl(
            {"get", "--raw", std::string(collection) + "?watch=true&timeoutSeconds=5&resourceVersion=1"});
        EXPECT_NE(old.output.find("too old resource version"), std::string::npos) << old.output;
        const auto names = replica->kubectl({"get", "configmaps", "-o", "name"}).output;
        EXPECT_EQ(std::ranges::count(names, '\n'), static_cast<std::ptrdiff_t>(flood.size())) << names;
    }
    replicas.back()->service().kill();
    replicas.back()->restart();
    replicas.back()->wait();
    Once once(replicas.back()->endpoint());
    const auto last = once.ask(http_request("POST", collection,
                                            R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"last"},)"
                                            R"("data":{"value":"1"}})"));
    const auto revision = revision_in(last);
    ASSERT_NE(revision, 0U) << last;
    EXPECT_TRUE(wait_for([&] {
        watchers.run(milliseconds(10));
        return watchers.all_at(revision) || !watchers.complaint().empty();
    }));
    EXPECT_EQ(watchers.complaint(), "") << "who was there goes on";
    for (const auto& seen : watchers.seen())
        EXPECT_GT(std::ranges::count_if(seen, [](const auto& event) { return event.key.starts_with("flood-"); }),
                  static_cast<std::ptrdiff_t>(limits::history_changes_max));
}

TEST(Replicas, WithoutControllersLookAfterTheStoreAndLeaveTheLeaseOfTheControllersAlone) {
    Shared shared;
    const auto replicas = three(shared, Replica::Controllers::none);
    std::string names;
    ASSERT_TRUE(
        wait_for([&] { return !(names = shared.postgresql.sql("SELECT name FROM ocim_lease", "ocim")).empty(); }));
    EXPECT_EQ(names, "upkeep\n");
    Replica leading(shared, "four", Replica::Controllers::run, replicas.front().get());
    leading.wait();
    EXPECT_TRUE(wait_for([&] { return leading.leads(); })) << "nobody stands in its way";
    for (const auto& replica : replicas) EXPECT_FALSE(replica->leads());
}

class Leading : public testing::Test {
protected:
    /// Null while none does; fails when two do.
    Replica* leader() {
        std::vector<Replica*> found;
        for (const auto& replica : replicas_)
            if (replica->service().running() && replica->leads()) found.push_back(replica.get());
        EXPECT_LE(found.size(), 1U);
        return found.empty() ? nullptr : found.front();
    }
    Replica& wait_leader() {
        Replica* found = nullptr;
        EXPECT_TRUE(wait_for([&] { return (found = leader()) != nullptr; })) << replicas_.front()->log();
        return *found;
    }
    /// How long until another one leads. It takes less than 5 s, which `script/bench failover` measures; a machine that
    /// has much else to do may take ten times as long.
    milliseconds until_another(const Replica& before) {
        const auto begun = Clock::now();
        const auto led = wait_for(
            [&] {
                return std::ranges::any_of(
                    replicas_, [&](const auto& replica) { return replica.get() != &before && replica->leads(); });
            },
            milliseconds(50'000));
        EXPECT_TRUE(led) << "nobody took over";
        return std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
    }
    /// Some controller has looked at it and said so: by way of any replica.
    bool is_looked_after(const std::string& name) {
        auto& any = wait_leader();
        const auto made =
            any.kubectl({"apply", "-f", "-"},
                        "apiVersion: ocim.opencraft.com/v1alpha1\nkind: DNSZone\nmetadata: {name: " + name +
                            "}\nspec:\n  domain: " + name +
                            ".test\n  powerdns: {url: 'http://127.0.0.1:9'}\n  credentialsRef: {name: none}\n");
        EXPECT_EQ(made.exit_code, 0) << made.output;
        return wait_for([&] {
            return any.kubectl(
                          {"get", "dnszone", name, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"})
                       .output.size() > 0;
        });
    }

    Shared shared_;
    std::vector<std::unique_ptr<Replica>> replicas_ = three(shared_, Replica::Controllers::run);
};

TEST_F(Leading, AnotherTakesOverWhateverBecameOfTheFirst) {
    auto& killed = wait_leader();
    EXPECT_TRUE(is_looked_after("first"));
    killed.service().kill();
    const auto after_kill = until_another(killed);
    EXPECT_TRUE(is_looked_after("second"));
    killed.restart();
    killed.wait();

    auto& frozen = wait_leader();
    frozen.service().freeze();
    const auto after_freeze = until_another(frozen);
    frozen.service().thaw();
    EXPECT_TRUE(wait_for([&] { return !frozen.service().running(); })) << "what it had begun goes no further";
    frozen.restart();
    frozen.wait();

    auto& ended = wait_leader();
    const auto begun = Clock::now();
    ended.service().stop();
    const auto stopping = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
    const auto after_end = until_another(ended);
    std::cout << "another leads " << after_kill.count() << " ms after kill -9, " << after_freeze.count()
              << " ms after SIGSTOP, " << (stopping + after_end).count() << " ms after SIGTERM\n";
    EXPECT_TRUE(is_looked_after("third"));
}

TEST_F(Leading, WhatIsWrittenOnOneIsReadOnTheNextAtOnceKindsToo) {
    for (int i = 0; i < 12; ++i) {
        const auto name = "made-" + std::to_string(i);
        const auto made = replicas_[static_cast<std::size_t>(i) % 3]->kubectl({"create", "configmap", name});
        ASSERT_EQ(made.exit_code, 0) << made.output;
        const auto read =
            replicas_[static_cast<std::size_t>(i + 1) % 3]->kubectl({"get", "configmap", name, "-o", "name"});
        EXPECT_EQ(read.output, "configmap/" + name + "\n");
    }
    const auto kind = replicas_[0]->kubectl(
        {"apply", "-f", "-"},
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: cups.kitchen.test}\n"
        "spec:\n  group: kitchen.test\n  scope: Namespaced\n  names: {plural: cups, singular: cup, kind: Cup}\n  "
        "versions:\n"
        "  - name: v1\n    served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, "
        "x-kubernetes-preserve-unknown-fields: true}}\n");
    ASSERT_EQ(kind.exit_code, 0) << kind.output;
    EXPECT_TRUE(wait_for([&] {
        return replicas_[1]
                   ->kubectl({"create", "-f", "-"}, "apiVersion: kitchen.test/v1\nkind: Cup\nmetadata: {name: a}\n")
                   .exit_code == 0;
    }));
    EXPECT_EQ(replicas_[2]->kubectl({"get", "cup", "a", "-o", "name"}).output, "cup.kitchen.test/a\n");
}

}  // namespace
}  // namespace ocim::test
