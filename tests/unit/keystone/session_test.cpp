#include "keystone/session.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::keystone {
namespace {

using namespace std::chrono_literals;

/// Gives tokens of one lifetime, each after a while.
struct Door {
    Clock& clock;
    Duration lifetime{}, takes{};
    int log_ins = 0;
    Signal never{};

    awaitable<Result<Token>> give() {
        if (++log_ins > 20) co_return Error(Error{ErrorClass::invalid, "asked again and again"});
        if (takes > Duration()) co_await never.wait_until(clock, clock.now() + takes);
        co_return Token{Secret("token"), lifetime, {}, {}};
    }
};

TEST(Session, KeepsATokenAndAsksForTheNextBeforeItsEnd) {
    ocim::test::TestLoop loop;
    Door door{loop.clock(), 1h};
    Session session(loop.clock(), [&door] { return door.give(); });
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(loop.run(session.token(0)));
    EXPECT_EQ(door.log_ins, 1);
    loop.advance(59min);
    ASSERT_TRUE(loop.run(session.token(0)));
    EXPECT_EQ(door.log_ins, 2) << "in time";
}

TEST(Session, ATokenThatHasEndedWhenItComesIsNotAskedForAgainAtOnce) {
    const struct {
        const char* reason;
        Duration lifetime, takes;
    } cases[] = {{"no life at all", 0s, 0s},
                 {"it ended before it was issued", -5min, 0s},
                 {"the log-in takes longer than it lives", 10s, 20s}};
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        ocim::test::TestLoop loop;
        Door door{loop.clock(), c.lifetime, c.takes};
        Session session(loop.clock(), [&door] { return door.give(); });
        for (int n = 0; n < 3; ++n) {
            const auto held = loop.run(session.token(0));
            ASSERT_FALSE(held);
            EXPECT_EQ(held.error().error_class, ErrorClass::unreachable) << held.error().message;
        }
        EXPECT_EQ(door.log_ins, 1) << "without a pause";
        door.lifetime = 1h;
        loop.advance(2min);
        EXPECT_TRUE(loop.run(session.token(0))) << "over by itself";
        EXPECT_EQ(door.log_ins, 2);
    }
}

}  // namespace
}  // namespace ocim::keystone
