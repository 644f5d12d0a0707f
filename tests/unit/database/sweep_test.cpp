#include "database/mysql_sql.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>

namespace ocim::database {
namespace {

using Verb = Action::Verb;
using Kind = Key::Kind;

/// A server in memory that does what an action says in the steps in which the real one does it, and breaks at one of
/// them: before it, or after it without an answer.
class FakeServer {
public:
    enum class Fault { none, before, lost };
    FakeServer(Fault fault, int at, bool from_then_on) : fault_(fault), at_(at), persistent_(from_then_on) {}

    Snapshot things;
    bool exhausted() const { return !broke_; }
    void mend() { fault_ = Fault::none; }

    /// False when the answer does not come.
    bool act(const Action& action) {
        const auto& key = action.key;
        switch (action.verb) {
            case Verb::create_schema:
            case Verb::create_user: return step([&] { note(key, action.mark); }) && step([&] { make(action); });
            case Verb::alter_schema:
            case Verb::grant: return step([&] { things[key] = *action.then; });
            case Verb::alter_user: return step([&] { make(action); });
            case Verb::mark: return step([&] { things.at(key).mark = action.mark, things.at(key).ends = action.ends; });
            case Verb::revoke: return step([&] { things.erase(key); });
            case Verb::forget: return step([&] { things.erase(key); });
            case Verb::close_user:
                return step([&] { things.at(key).mark = action.mark, things.at(key).ends = action.ends; }) &&
                       step([&] { things.at(key).locked = true; });
            case Verb::drop_user:
                return step([&] { things.at(key).locked = true; }) && step([&] { drop(action); }) &&
                       step([&] { things.erase(key); });
            case Verb::drop_schema: break;
        }
        return step([&] { things.at(key).exists = false; }) && step([&] { things.erase(key); });
    }

private:
    template <class Effect>
    bool step(Effect effect) {
        const auto number = steps_++;
        const bool breaks = fault_ != Fault::none && (persistent_ ? number >= at_ : number == at_);
        broke_ = broke_ || breaks;
        if (breaks && fault_ == Fault::before) return false;
        effect();
        return !breaks;
    }
    void note(const Key& key, const runtime::Mark& mark) {
        auto& thing = things[key];
        thing.exists = thing.mark && thing.exists;
        thing.mark = mark;
    }
    void make(const Action& action) {
        auto& thing = things[action.key] = *action.then;
        if (action.key.kind == Kind::user) thing.hash = mysql::native_hash(action.password);
    }
    void drop(const Action& action) {
        things.at(action.key).exists = false;
        for (const auto& grant : action.gone_too) things.erase(grant);
    }

    Fault fault_;
    int at_, steps_ = 0;
    bool persistent_, broke_ = false;
};

void visit(FakeServer& server, const crd::DatabaseTenant& object, bool deleting) {
    const auto actions =
        deleting ? Tenant::remove(object, "lab", server.things) : Tenant::diff(object, test::inputs(), server.things);
    for (const auto& action : actions)
        if (!server.act(action)) return;  // the rest of the batch is not begun
}

TEST(DatabaseTenant, ConvergesWhicheverStepBreaks) {
    const Key strangers{Kind::schema, "finance", "", ""};
    for (const auto fault : {FakeServer::Fault::before, FakeServer::Fault::lost})
        for (const bool persistent : {false, true})
            for (const bool retain : {false, true})
                for (int at = 0;; ++at) {
                    SCOPED_TRACE(std::to_string(at) + (fault == FakeServer::Fault::lost ? " lost" : " before") +
                                 (persistent ? " and all after it" : "") + (retain ? ", retained" : ""));
                    FakeServer server(fault, at, persistent);
                    server.things[strangers].character_set = "latin1";
                    auto object = test::tenant();
                    if (retain) object.spec.deletion_policy = crd::DatabaseTenant::Spec::DeletionPolicy::retain;
                    visit(server, object, false);
                    if (persistent) server.mend();
                    for (int visits = 0; visits < 3; ++visits) visit(server, object, false);
                    EXPECT_TRUE(Tenant::diff(object, test::inputs(), server.things).empty());
                    EXPECT_EQ(server.things.size(), 6u) << "nothing is missing, nothing is doubled";
                    for (int visits = 0; visits < 4; ++visits) visit(server, object, true);
                    EXPECT_TRUE(Tenant::remove(object, "lab", server.things).empty());
                    EXPECT_EQ(server.things.size(), retain ? 6u : 1u);
                    EXPECT_EQ(server.things.at(strangers).character_set, "latin1");
                    for (const auto& [key, thing] : server.things)
                        if (thing.mark) EXPECT_TRUE(thing.mark->retained) << key.name;
                    if (server.exhausted()) break;
                }
}

TEST(DatabaseTenant, IsKeptForAWindowWhicheverStepBreaks) {
    constexpr std::int64_t asked = 1'782'864'000, window = 3600;  // 2026-07-01T00:00:00Z
    auto object = test::tenant();
    object.spec.undelete_window = "1h";
    auto leaving = object;
    leaving.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    auto again = object;
    again.metadata.uid = "uid-again";
    const auto over = WallTime(std::chrono::seconds(asked + window));
    for (const auto fault : {FakeServer::Fault::before, FakeServer::Fault::lost})
        for (int at = 0;; ++at) {
            SCOPED_TRACE(std::to_string(at) + (fault == FakeServer::Fault::lost ? " lost" : " before"));
            FakeServer server(fault, at, false);
            for (int visits = 0; visits < 3; ++visits) visit(server, object, false);
            for (int visits = 0; visits < 3; ++visits) visit(server, leaving, true);
            EXPECT_TRUE(Tenant::remove(leaving, "lab", server.things).empty()) << "the object may go";
            ASSERT_EQ(server.things.size(), 5u);
            for (const auto& [key, thing] : server.things) {
                if (key.kind == Kind::grant) continue;
                EXPECT_EQ(thing.ends, asked + window) << key.name;
                EXPECT_EQ(thing.locked, key.kind == Kind::user) << key.name;
                EXPECT_TRUE(thing.mark && thing.mark->retained) << key.name;
            }
            EXPECT_TRUE(Tenant::lapsed("lab", over - std::chrono::seconds(1), server.things).empty());
            EXPECT_TRUE(Tenant::lapsed("other", over, server.things).empty()) << "another installation's";
            auto restored = server;
            for (int visits = 0; visits < 3; ++visits) visit(restored, again, false);
            EXPECT_TRUE(Tenant::diff(again, test::inputs(), restored.things).empty());
            for (const auto& [key, thing] : restored.things)
                EXPECT_TRUE(!thing.ends && !thing.locked && (!thing.mark || !thing.mark->retained)) << key.name;
            EXPECT_TRUE(Tenant::lapsed("lab", over, restored.things).empty()) << "it is back";
            for (int rounds = 0; rounds < 3; ++rounds)
                for (const auto& one : Tenant::lapsed("lab", over, server.things)) {
                    EXPECT_EQ(one.namespace_name, "tools/wiki");
                    for (const auto& action : one.actions)
                        if (!server.act(action)) break;
                }
            EXPECT_TRUE(server.things.empty()) << "gone for good";
            if (server.exhausted()) break;
        }
}

TEST(DatabaseTenant, KeepsForAWindowWhatIsTakenOutOfTheList) {
    auto object = test::tenant();
    object.spec.undelete_window = "1h";
    FakeServer server(FakeServer::Fault::none, 0, false);
    for (int visits = 0; visits < 2; ++visits) visit(server, object, false);
    auto less = object;
    less.spec.databases.clear();
    less.spec.users.clear();
    auto inputs = test::inputs();
    inputs.now = WallTime(std::chrono::seconds(1'782'864'000));
    for (const auto& action : Tenant::diff(less, inputs, server.things)) server.act(action);
    EXPECT_EQ(server.things.at({Kind::schema, "wiki_main", "", ""}).ends, 1'782'867'600);
    EXPECT_TRUE(Tenant::diff(less, inputs, server.things).empty());
    const auto said = Tenant::report(less, inputs, server.things);
    ASSERT_EQ(said.findings.size(), 1u);
    EXPECT_EQ(said.findings[0].type, "PendingDeletion");
    EXPECT_NE(said.findings[0].message.find("wiki_main at 2026-07-01T01:00:00Z"), std::string::npos);
    auto back = server;
    for (int visits = 0; visits < 2; ++visits) visit(back, object, false);
    EXPECT_TRUE(Tenant::diff(object, test::inputs(), back.things).empty());
    inputs.now += std::chrono::hours(1);
    for (const auto& action : Tenant::diff(less, inputs, server.things)) server.act(action);
    EXPECT_TRUE(server.things.empty()) << "its own object drops it when the window is over";
}

}  // namespace
}  // namespace ocim::database
