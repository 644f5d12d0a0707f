#include "../store/fixture.hpp"
#include "fixture.hpp"

/// What is answered rests on what is durable, also when commits fail.
namespace ocim::registry {
namespace {

class DurableTest : public testing::Test {
protected:
    DurableTest() {
        auto held = std::make_unique<store::HeldJournal>(store::make_memory_disk());
        held->open = true;
        journal_ = held.get();
        world_ =
            std::make_unique<World>(store::Store::Settings(), [&held](test::TestLoop&) { return std::move(held); });
        tasks_ = std::make_unique<TaskGroup>(world_->loop.executor());
        const auto installed = world_->loop.run(world_->registry().install(json_of(widget_crd)));
        EXPECT_TRUE(installed);
        journal_->open = false;
    }
    ~DurableTest() override {
        journal_->open = true;
        journal_->let_pass();
        world_->loop.run(tasks_->stop());
    }
    const Resource& widgets() { return *world_->registry().resource("lab.example.com", "v1", "widgets"); }
    static api::Parsed body(const char* text) {
        api::Parsed out;
        out.value = json_of(text);
        return out;
    }
    /// Starts a request; its answer is at the returned place once there is one.
    std::size_t begin(awaitable<Outcome<Written>> request) {
        answers_.emplace_back();
        tasks_->spawn("request", run(std::move(request), answers_.size() - 1));
        world_->loop.settle();
        return answers_.size() - 1;
    }
    awaitable<void> run(awaitable<Outcome<Written>> request, std::size_t at) {
        auto answer = co_await std::move(request);
        answers_[at].emplace(std::move(answer));
    }
    std::size_t create(const char* color = "red") {
        auto object = body("{'apiVersion':'lab.example.com/v1','kind':'Widget','metadata':{'name':'a'},'spec':{}}");
        object.value.at("spec").as_object()["color"] = color;
        return begin(world_->registry().create(widgets(), "default", "", std::move(object), {}));
    }
    std::size_t patch(const char* change) {
        return begin(world_->registry().patch(widgets(), "default", "a", PatchType::merge, body(change), {}));
    }
    void fail() {
        journal_->let_fail();
        world_->loop.settle();
    }
    void pass() {
        journal_->let_pass();
        world_->loop.settle();
    }

    store::HeldJournal* journal_ = nullptr;
    std::unique_ptr<World> world_;
    std::unique_ptr<TaskGroup> tasks_;
    std::deque<std::optional<Outcome<Written>>> answers_;
};

TEST_F(DurableTest, ARefusalThatRestsOnAWriteUnderWayWaitsForIt) {
    const auto first = create(), second = create();
    EXPECT_FALSE(answers_[first] || answers_[second]);
    pass();
    ASSERT_TRUE(answers_[first] && answers_[second]);
    EXPECT_TRUE(*answers_[first]);
    ASSERT_FALSE(*answers_[second]);
    EXPECT_EQ(answers_[second]->error().reason, "AlreadyExists");
}

TEST_F(DurableTest, ARefusalWhoseReasonFailedIsTakenBack) {
    const auto first = create("red"), second = create("blue");
    fail();
    ASSERT_TRUE(answers_[first]);
    EXPECT_EQ(answers_[first]->error().code, 500);
    EXPECT_EQ(answers_[first]->error().message, "Internal error occurred: the write was not stored: the disk is full");
    EXPECT_FALSE(answers_[second]) << "it is being stored now";
    pass();
    ASSERT_TRUE(answers_[second] && *answers_[second]);
    EXPECT_EQ(text((*answers_[second])->object.parsed(), {"spec", "color"}), "blue");
}

TEST_F(DurableTest, AWriteThatChangesNothingWaitsForTheOneItRestsOn) {
    create("red");
    const auto same = patch("{'spec':{'color':'red'}}");
    EXPECT_FALSE(answers_[same]);
    fail();
    ASSERT_TRUE(answers_[same]);
    EXPECT_EQ(answers_[same]->error().code, 404) << "what it patched was never there";
}

TEST_F(DurableTest, WritesStackedOnOneAnotherAreAnsweredInOrder) {
    create("red");
    const auto second = patch("{'spec':{'color':'green'}}"), third = patch("{'spec':{'note':'x'}}");
    EXPECT_FALSE(world_->registry().get(widgets(), "default", "a"));
    pass();
    EXPECT_FALSE(answers_[second] || answers_[third]);
    pass();
    ASSERT_TRUE(answers_[second] && answers_[third] && *answers_[third]);
    EXPECT_EQ(text((*answers_[third])->object.parsed(), {"spec", "color"}), "green");
    EXPECT_EQ(text((*answers_[second])->object.parsed(), {"spec", "note"}), "(absent)");
}

TEST_F(DurableTest, ADefinitionIsServedOnceItIsStored) {
    const auto& definitions = *world_->registry().resource("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    const auto made = begin(world_->registry().create(definitions, "", "", body(gadget_crd), {}));
    EXPECT_EQ(world_->registry().resource("lab.example.com", "v1", "gadgets"), nullptr);
    fail();
    ASSERT_TRUE(answers_[made]);
    EXPECT_FALSE(*answers_[made]);
    EXPECT_EQ(world_->registry().resource("lab.example.com", "v1", "gadgets"), nullptr);
    begin(world_->registry().create(definitions, "", "", body(gadget_crd), {}));
    pass();
    EXPECT_NE(world_->registry().resource("lab.example.com", "v1", "gadgets"), nullptr);
}

}  // namespace
}  // namespace ocim::registry
