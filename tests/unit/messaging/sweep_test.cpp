#include "messaging/text.hpp"
#include "unit/messaging/sample.hpp"

#include <gtest/gtest.h>

namespace ocim::messaging {
namespace {

/// A broker in memory that breaks at one of its calls: before it, or after it without an answer.
class FakeBroker {
public:
    enum class Fault { none, before, lost };
    FakeBroker(Fault fault, int at, bool from_then_on) : fault_(fault), at_(at), persistent_(from_then_on) {}

    Snapshot things;
    bool exhausted() const { return !broke_; }
    void mend() { fault_ = Fault::none; }

    /// False when the answer does not come.
    bool act(const Action& action) {
        const auto number = calls_++;
        const bool breaks = fault_ != Fault::none && (persistent_ ? number >= at_ : number == at_);
        broke_ = broke_ || breaks;
        if (breaks && fault_ == Fault::before) return false;
        if (action.verb == Action::Verb::put) {
            auto& thing = things[action.key] = action.thing;
            if (action.password) {
                thing.algorithm = hash_algorithm;
                thing.hash = hash_of(*action.password, "salt");
            }
        } else {
            things.erase(action.key);
            for (const auto& key : action.gone_too) things.erase(key);
        }
        return !breaks;
    }

private:
    Fault fault_;
    int at_, calls_ = 0;
    bool persistent_, broke_ = false;
};

void visit(FakeBroker& broker, const crd::RabbitMQVhost& object, bool deleting) {
    const auto actions =
        deleting ? Vhost::remove(object, "lab", broker.things) : Vhost::diff(object, test::inputs(), broker.things);
    for (const auto& action : actions)
        if (!broker.act(action)) return;
}

TEST(RabbitMQVhost, ConvergesWhicheverCallBreaks) {
    const Key strangers{Key::Kind::vhost, "/finance", ""};
    for (const auto fault : {FakeBroker::Fault::before, FakeBroker::Fault::lost})
        for (const bool persistent : {false, true})
            for (const bool retain : {false, true})
                for (int at = 0;; ++at) {
                    SCOPED_TRACE(std::to_string(at) + (fault == FakeBroker::Fault::lost ? " lost" : " before") +
                                 (persistent ? " and all after it" : "") + (retain ? ", retained" : ""));
                    FakeBroker broker(fault, at, persistent);
                    broker.things[strangers];
                    auto object = test::vhost();
                    if (retain) object.spec.deletion_policy = crd::RabbitMQVhost::Spec::DeletionPolicy::retain;
                    visit(broker, object, false);
                    if (persistent) broker.mend();
                    for (int visits = 0; visits < 3; ++visits) visit(broker, object, false);
                    EXPECT_TRUE(Vhost::diff(object, test::inputs(), broker.things).empty());
                    EXPECT_EQ(broker.things.size(), 7u) << "nothing is missing, nothing is doubled";
                    for (int visits = 0; visits < 3; ++visits) visit(broker, object, true);
                    EXPECT_TRUE(Vhost::remove(object, "lab", broker.things).empty());
                    EXPECT_EQ(broker.things.size(), retain ? 7u : 1u);
                    EXPECT_TRUE(broker.things.contains(strangers));
                    if (broker.exhausted()) break;
                }
}

}  // namespace
}  // namespace ocim::messaging
