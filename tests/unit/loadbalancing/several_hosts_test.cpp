#include "loadbalancing/several_hosts.hpp"

#include "runtime/manager.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::loadbalancing {
namespace {

/// A host that answers with one error.
class InTrouble final : public System {
public:
    explicit InTrouble(Error error) : error_(std::move(error)) {}
    awaitable<Result<Snapshot>> observe() override { co_return error_; }
    awaitable<Result<void>> probe() override { co_return error_; }
    awaitable<void> act(std::vector<Action>, Results&) override { co_return; }

private:
    Error error_;
};

TEST(SeveralHosts, SayWhatIsWrongWithEachOfThem) {
    ocim::test::RealLoop loop;
    const struct {
        ErrorClass east, west, whole;
    } rows[] = {
        {ErrorClass::auth, ErrorClass::auth, ErrorClass::auth},
        {ErrorClass::auth, ErrorClass::unreachable, ErrorClass::unreachable},
        {ErrorClass::transient, ErrorClass::transient, ErrorClass::transient},
    };
    for (const auto& row : rows) {
        std::vector<Member> members;
        members.push_back({"east", std::make_unique<InTrouble>(Error{row.east, "the key is refused"})});
        members.push_back({"west", std::make_unique<InTrouble>(Error{row.west, "no route to host"})});
        const auto whole = open_several_hosts(std::move(members), loop.executor(), loop.clock());
        const auto looked = loop.run(whole->observe());
        ASSERT_FALSE(looked);
        const auto probed = loop.run(whole->probe());
        ASSERT_FALSE(probed);
        for (const auto& error : {looked.error(), probed.error()}) {
            EXPECT_EQ(error.error_class, row.whole);
            EXPECT_NE(error.message.find("east: the key is refused"), std::string::npos) << error.message;
            EXPECT_NE(error.message.find("west: no route to host"), std::string::npos) << error.message;
        }
    }
}

/// A host that never answers.
class Silent final : public System {
public:
    awaitable<Result<Snapshot>> observe() override { co_return co_await never<Snapshot>(); }
    awaitable<Result<void>> probe() override { co_return co_await never<void>(); }
    awaitable<void> act(std::vector<Action>, Results&) override { co_return; }

private:
    template <class T>
    awaitable<Result<T>> never() {
        co_await signal_.wait();
        co_return Error{ErrorClass::unreachable, "it was woken"};
    }
    Signal signal_;
};

class Well final : public System {
public:
    awaitable<Result<Snapshot>> observe() override { co_return Snapshot(); }
    awaitable<Result<void>> probe() override { co_return Result<void>(); }
    awaitable<void> act(std::vector<Action>, Results&) override { co_return; }
};

TEST(SeveralHosts, OneThatIsSilentDoesNotMakeTheWholeSilent) {
    ocim::test::TestLoop loop;
    std::vector<Member> members;
    members.push_back({"east", std::make_unique<Silent>()});
    members.push_back({"west", std::make_unique<Well>()});
    const auto whole = open_several_hosts(std::move(members), loop.executor(), loop.clock());
    const auto before = loop.clock().now();
    EXPECT_TRUE(loop.run(whole->probe()));
    EXPECT_LT(loop.clock().now() - before, runtime::Manager::Settings().probe_limit) << "the runtime waits no longer";
    const auto seen = loop.run(whole->observe());
    ASSERT_TRUE(seen);
    EXPECT_TRUE(seen->contains(unknown_host_key("east")));
}

}  // namespace
}  // namespace ocim::loadbalancing
