#include "driver_test.hpp"
#include "runtime/lease.hpp"

#include <utility>

/// Two processes with one API server and one backend: calls of a leader that was deposed land when another leads.
namespace ocim::test {
namespace {

/// As the client over the network: a process that may not act writes nothing.
class GatedClient final : public client::Client {
public:
    GatedClient(std::unique_ptr<client::Client> client, std::function<bool()> open)
        : client_(std::move(client)), open_(std::move(open)) {}

    awaitable<Result<api::Json>> get(api::Kind kind, std::string namespace_, std::string name) override {
        return client_->get(kind, std::move(namespace_), std::move(name));
    }
    awaitable<Result<client::List>> list(api::Kind kind, std::string namespace_, client::Wanted wanted) override {
        return client_->list(kind, std::move(namespace_), std::move(wanted));
    }
    awaitable<Result<std::unique_ptr<client::Watch>>> watch(api::Kind kind, std::string namespace_,
                                                            std::string resource_version) override {
        return client_->watch(kind, std::move(namespace_), std::move(resource_version));
    }
    awaitable<Result<api::Json>> create(api::Kind kind, api::Json object) override {
        return open_() ? client_->create(kind, std::move(object)) : refused();
    }
    awaitable<Result<api::Json>> update(api::Kind kind, api::Json object) override {
        return open_() ? client_->update(kind, std::move(object)) : refused();
    }
    awaitable<Result<api::Json>> apply(api::Kind kind, api::Json object, std::string field_manager,
                                       std::string subresource) override {
        return open_() ? client_->apply(kind, std::move(object), std::move(field_manager), std::move(subresource))
                       : refused();
    }
    awaitable<Result<api::Json>> merge_patch(api::Kind kind, std::string namespace_, std::string name, api::Json patch,
                                             std::string subresource) override {
        return open_() ? client_->merge_patch(kind, std::move(namespace_), std::move(name), std::move(patch),
                                              std::move(subresource))
                       : refused();
    }
    awaitable<Result<void>> remove(api::Kind kind, std::string namespace_, std::string name, std::string uid) override {
        if (!open_()) co_return Error{ErrorClass::transient, "not the leader"};
        co_return co_await client_->remove(kind, std::move(namespace_), std::move(name), std::move(uid));
    }

private:
    static awaitable<Result<api::Json>> refused() { co_return Error{ErrorClass::transient, "not the leader"}; }

    std::unique_ptr<client::Client> client_;
    std::function<bool()> open_;
};

class LeadersTest : public DriverTest {
protected:
    /// One process that wants to lead, and then does.
    class Process {
    public:
        Process(LeadersTest& test, int number)
            : test_(test),
              of_lease_(test.server_.client()),
              lease_(*of_lease_, test.loop_.clock(), {.identity = "process-" + std::to_string(number)}),
              client_(test.server_.client(), [this] { return lease_.may_act(); }),
              random_(make_seeded_random(static_cast<std::uint64_t>(number))),
              lease_tasks_(test.loop_.executor()),
              tasks_(test.loop_.executor()) {
            lease_tasks_.spawn("lease", hold());
            tasks_.spawn("leading", lead());
        }
        /// It stands still, or its network is gone: the lease is not renewed any more, and what it sent is on its way.
        void lose() { test_.loop_.run(lease_tasks_.stop()); }
        bool acts() const { return lease_.may_act(); }
        bool started() const { return started_; }
        /// Without a word.
        void end() {
            lose();
            test_.loop_.run(tasks_.stop());
            if (manager_) test_.loop_.run(manager_->stop());
            manager_.reset();
        }

    private:
        awaitable<void> hold() {
            std::function<void(const std::string&)> nobody = [](const std::string&) {};
            co_await lease_.acquire(std::move(nobody));
            leads_ = true;
            changed_.notify();
            (void)co_await lease_.keep();
        }
        awaitable<void> lead() {
            while (!leads_) co_await changed_.wait();
            runtime::Manager::Settings settings;
            settings.stop_limit = 0ms;
            settings.may_act = [this] { return lease_.may_act(); };
            manager_ = std::make_unique<runtime::Manager>(test_.loop_.executor(), client_, test_.loop_.clock(),
                                                          *random_, metrics_, test_.blocking_, settings);
            runtime::add_external<BookKind>(*manager_, BookKind::opener(test_.shelves_));
            runtime::add_composite<LibraryKind>(*manager_);
            const auto begun = co_await manager_->start();
            started_ = static_cast<bool>(begun);
        }

        LeadersTest& test_;
        std::unique_ptr<client::Client> of_lease_;
        runtime::Lease lease_;
        GatedClient client_;
        std::unique_ptr<Random> random_;
        Metrics metrics_;
        std::unique_ptr<runtime::Manager> manager_;
        bool leads_ = false, started_ = false;
        Signal changed_;
        TaskGroup lease_tasks_, tasks_;
    };

    void prepare() {
        shelf("{'driftIntervalSeconds':20,'deleteOrphans':true,'orphanMinAgeSeconds':60}");
        oak().plant(loop_.clock().now(), "stranger", Volume{"mine", std::nullopt});
    }
    /// What people want changes.
    void somebody_acts(Random& chance) {
        const auto name = "b" + std::to_string(chance.below(6));
        const auto text = "text-" + std::to_string(++turn_);
        if (chance.below(3) == 0) {
            server_.remove("Book", "ns", name);
            declared_.erase(name);
        } else if (const auto* held = found(name)) {
            if (!api::find_text(*held, {"metadata", "deletionTimestamp"}).empty()) return;
            patch(name, "{'spec':{'text':'" + text + "'}}");
            declared_[name] = text;
        } else {
            server_.put(
                json("{'apiVersion':'test.opencraft.com/v1','kind':'Book','metadata':{'namespace':'ns','name':'" +
                     name + "'},'spec':{'shelf':'oak','title':'" + name + "','text':'" + text + "'}}"));
            declared_[name] = text;
        }
    }
    void expect_as_declared(std::uint64_t seed) {
        std::map<std::string, std::string> there;
        for (const auto& [title, volume] : volumes())
            if (title != "stranger") there[title] = volume.text;
        EXPECT_EQ(there, declared_) << "seed " << seed;
        EXPECT_TRUE(oak().touched(loop_.clock().now()).empty()) << "seed " << seed;
        for (const auto& [name, text] : declared_) EXPECT_EQ(stands(name), "True Shelved") << "seed " << seed;
    }

    std::map<std::string, std::string> declared_;
    int turn_ = 0;
};

class Leaders : public LeadersTest, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(Leaders, CallsOfOneThatWasDeposedMayLandWhenAnotherLeads) {
    const auto seed = GetParam();
    const auto chance = make_seeded_random(seed);
    prepare();
    auto& faults = oak().faults;
    faults.late_landing = 600;
    faults.landing_max = 40s;  // the next leads 15 s after the last renewal of the one before
    std::size_t on_their_way = 0;
    auto leader = std::make_unique<Process>(*this, 1);
    wait(5s);
    for (int reign = 2; reign < 8; ++reign) {
        for (int i = 0; i < 4; ++i) {
            somebody_acts(*chance);
            wait(Duration(static_cast<Duration::rep>(chance->below(4'000))));
        }
        auto next = std::make_unique<Process>(*this, reign);
        leader->lose();
        for (int i = 0; i < 400 && !next->started(); ++i) {
            ASSERT_FALSE(leader->acts() && next->acts()) << "seed " << seed;
            if (i % 50 == 0) somebody_acts(*chance);
            wait(100ms);
        }
        ASSERT_TRUE(next->started()) << "seed " << seed;
        ASSERT_FALSE(leader->acts());
        (void)volumes();
        on_their_way += oak().landing();
        leader->end();
        leader = std::move(next);
    }
    faults = {};
    wait(400s);
    EXPECT_GT(on_their_way, 0U) << "seed " << seed << ": none was late";
    expect_as_declared(seed);
    const auto writes = server_.writes();
    const auto actions = oak().calls["action"];
    wait(120s);
    EXPECT_EQ(oak().calls["action"], actions) << "seed " << seed << ": something still moves";
    // the lease every 2 s, and when the backend was seen last
    EXPECT_LE(server_.writes() - writes, 66U) << "seed " << seed << ": something is still written";
    leader->end();
}

INSTANTIATE_TEST_SUITE_P(Seed, Leaders, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace ocim::test
