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
            case Verb::mark: return step([&] { things.at(key).mark = action.mark; });
            case Verb::revoke: return step([&] { things.erase(key); });
            case Verb::forget: return step([&] { things.erase(key); });
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

}  // namespace
}  // namespace ocim::database
