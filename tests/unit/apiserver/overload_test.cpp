#include "apiserver/server.hpp"
#include "store/store.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

using namespace ocim;
using namespace std::chrono_literals;

namespace {

/// A disk that can be told to hang.
class HangingJournal final : public store::Journal {
public:
    HangingJournal(Clock& clock, std::unique_ptr<store::Journal> journal, const bool& hangs)
        : clock_(clock), journal_(std::move(journal)), hangs_(hangs) {}
    awaitable<Result<Loaded>> load() override { co_return co_await journal_->load(); }
    awaitable<Result<void>> append(std::vector<store::Change> batch) override {
        while (hangs_) co_await clock_.sleep(Duration(1000));
        co_return co_await journal_->append(std::move(batch));
    }
    awaitable<Result<void>> compact(store::Revision revision) override {
        co_return co_await journal_->compact(revision);
    }

private:
    Clock& clock_;
    std::unique_ptr<store::Journal> journal_;
    const bool& hangs_;
};

struct Keeper : net::Responder {
    awaitable<void> reply(net::ServerReply given) override {
        said = std::move(given);
        co_return;
    }
    awaitable<void> start_stream(unsigned, std::multimap<std::string, std::string>) override { co_return; }
    awaitable<bool> write(std::string) override { co_return false; }
    awaitable<void> finish() override { co_return; }
    net::ServerReply said{0, {}, {}};
};

TEST(Overload, IsTheBusinessOfWhoMakesIt) {
    bool hangs = false;
    const auto disk = store::make_memory_disk();
    test::World world({}, [&](test::TestLoop& loop) {
        return std::make_unique<HangingJournal>(loop.clock(), store::open_memory_journal(disk), hangs);
    });
    auto& loop = world.loop;
    loop.set_limit(std::chrono::hours(1));
    ASSERT_TRUE(loop.run(apiserver::install_policy(world.registry())));
    const auto authorizer = apiserver::make_rbac_authorizer(world.registry());
    apiserver::AuditLog audit(loop.executor(), world.metrics, *apiserver::AuditFile::open("/dev/null", {}));
    BlockingPool pool(loop.executor(), "test", 1, 8);
    apiserver::Health health;
    apiserver::Server server{{world.registry(),
                              loop.clock(),
                              *world.random,
                              world.metrics,
                              pool,
                              *authorizer,
                              audit,
                              health,
                              "0.0.0",
                              {},
                              nullptr,
                              {.seats = 2, .seats_of_user = 1, .waiting_of_user = 1, .wait_max = 10s}}};
    TaskGroup tasks(loop.executor());
    const auto send = [&](Keeper& keeper, const char* user, const char* group, const char* method, std::string path,
                          std::string body) {
        net::ServerRequest request;
        request.method = method;
        request.path = std::move(path);
        request.body = std::move(body);
        request.peer = net::PeerCertificate{user, {group}};
        tasks.spawn("request", server.handler()(std::move(request), keeper));
    };
    const std::string maps = "/api/v1/namespaces/default/configmaps";
    const auto named = [](const char* name) { return R"({"metadata":{"name":")" + std::string(name) + "\"}}"; };
    Keeper bound;
    send(bound, "root", "system:masters", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
         R"({"metadata":{"name":"all"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole",)"
         R"("name":"cluster-admin"},"subjects":[{"kind":"Group","name":"dev"}]})");
    loop.run(tasks.join());
    ASSERT_EQ(bound.said.status, 201U) << bound.said.body;

    hangs = true;
    Keeper first, second, third, other, root;
    send(first, "ann", "dev", "POST", maps, named("a"));
    send(second, "ann", "dev", "POST", maps, named("b"));
    send(third, "ann", "dev", "POST", maps, named("c"));
    send(other, "bob", "dev", "GET", maps, "");
    send(root, "root", "system:masters", "GET", maps, "");
    loop.settle();
    EXPECT_EQ(first.said.status, 0U) << "it waits for the disk";
    EXPECT_EQ(second.said.status, 0U) << "it waits for its turn";
    EXPECT_EQ(third.said.status, 429U) << "too many of one user";
    EXPECT_EQ(third.said.headers.find("Retry-After")->second, "1");
    EXPECT_EQ(other.said.status, 200U) << "another has a seat of his own";
    EXPECT_EQ(root.said.status, 200U);
    loop.advance(10s);
    EXPECT_EQ(second.said.status, 429U) << "it has waited long enough";
    loop.advance(50s);
    EXPECT_EQ(first.said.status, 504U) << first.said.body;
    hangs = false;
    loop.run(tasks.join());
    Keeper again;
    send(again, "ann", "dev", "POST", maps, named("d"));
    loop.run(tasks.join());
    EXPECT_EQ(again.said.status, 201U) << "all is well again";
}

}  // namespace
