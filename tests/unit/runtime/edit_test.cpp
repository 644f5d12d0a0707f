#include "driver_test.hpp"
#include "runtime/base64.hpp"

/// A composite kind that changes an object that is not its own.
namespace ocim::test {
namespace {

/// Wants `text` in one Book that somebody else made, and says in its status that it does, before.
struct Censor {
    static constexpr api::Kind kind{"test.opencraft.com", "v1", "Censor", "censors"};
    struct Spec {
        std::string book, text;
        bool operator==(const Spec&) const = default;
        static constexpr std::array wire_names{std::string_view("book"), std::string_view("text")};
        BOOST_DESCRIBE_CLASS(Spec, (), (book, text), (), ())
    };
    struct Status {
        std::string chosen;
        std::optional<std::int64_t> observed_generation;
        std::vector<api::Condition> conditions;
        bool operator==(const Status&) const = default;
        static constexpr std::array wire_names{std::string_view("chosen"), std::string_view("observedGeneration"),
                                               std::string_view("conditions")};
        BOOST_DESCRIBE_CLASS(Status, (), (chosen, observed_generation, conditions), (), ())
    };
    api::Metadata metadata;
    Spec spec;
    Status status;
};

struct CensorKind {
    using Object = Censor;
    static constexpr std::string_view name = "censor";
    static std::vector<api::Kind> child_kinds() { return {api::config_map_kind}; }
    static std::vector<runtime::Reference> needs(const Censor& censor) {
        return {{Book::kind, censor.metadata.namespace_, censor.spec.book, true}};
    }
    static std::vector<runtime::Claim> claims(const Censor&) { return {}; }
    static std::optional<Book> book(const Censor& censor, const runtime::Inputs& inputs) {
        auto found = inputs.get<Book>(censor.metadata.namespace_, censor.spec.book);
        return found ? std::optional(*std::move(found)) : std::nullopt;
    }
    static runtime::Composition<Censor> compose(const Censor& censor, const runtime::Children&,
                                                const runtime::Inputs& inputs) {
        runtime::Composition<Censor> out;
        out.status.chosen = censor.spec.text;
        out.complete = censor.status.chosen == censor.spec.text;
        const auto found = book(censor, inputs);
        const bool done = found && found->spec.text == censor.spec.text;
        if (done)
            out.verdict = {Verdict::State::ready, "Censored", ""};
        else
            out.verdict = {Verdict::State::progressing, found ? "Censoring" : "NoBook", ""};
        return out;
    }
    static std::vector<runtime::Edit> edits(const Censor& censor, const runtime::Children&,
                                            const runtime::Inputs& inputs) {
        const auto found = book(censor, inputs);
        if (censor.status.chosen != censor.spec.text || !found || found->spec.text == censor.spec.text) return {};
        api::json::object spec{{"text", censor.spec.text}};
        return {{Book::kind,
                 censor.metadata.namespace_,
                 censor.spec.book,
                 found->metadata.resource_version,
                 api::json::object{{"spec", std::move(spec)}},
                 {{"seal", {}}},
                 {false, "Sealed", "nobody reads on"}}};
    }
};

class EditTest : public DriverTest {
protected:
    EditTest() {
        server_.refuse = [this](const std::string& verb, const api::Json& body) -> std::optional<Error> {
            if (verb != "merge_patch" || !api::find(body, {"spec", "text"})) return std::nullopt;
            ++tries_;
            if (api::find_text(*server_.get("Censor", "ns", "he"), {"status", "chosen"}) != "clean") early_ = true;
            return meanwhile ? meanwhile() : std::nullopt;
        };
    }
    void begin(const std::string& annotations = "{}") {
        shelf();
        book("dune");
        server_.put(
            json("{'apiVersion':'test.opencraft.com/v1','kind':'Censor','metadata':{'namespace':'ns','name':'he',"
                 "'annotations':" +
                 annotations + "},'spec':{'book':'dune','text':'clean'}}"));
        client_ = server_.client();
        metrics_ = std::make_unique<Metrics>();
        manager_ = std::make_unique<runtime::Manager>(loop_.executor(), *client_, loop_.clock(), *random_, *metrics_,
                                                      blocking_, runtime::Manager::Settings{});
        runtime::add_external<BookKind>(*manager_, BookKind::opener(shelves_));
        runtime::add_composite<CensorKind>(*manager_);
        const auto started = loop_.run(manager_->start());
        ASSERT_TRUE(started) << started.error().message;
        wait(5s);
    }
    std::string he() const { return stands(server_.get("Censor", "ns", "he")); }
    std::string words() const { return std::string(api::find_text(*found("dune"), {"spec", "text"})); }

    std::function<std::optional<Error>()> meanwhile;  ///< what else happens when the edit is sent
    int tries_ = 0;
    bool early_ = false;
};

TEST_F(EditTest, IsMadeOnceAfterTheStatusSaysSo) {
    begin();
    EXPECT_EQ(words(), "clean");
    EXPECT_EQ(he(), "True Censored");
    EXPECT_EQ(tries_, 1);
    EXPECT_FALSE(early_) << "what asks for it was stored before";
    EXPECT_FALSE(api::find(*found("dune"), {"metadata", "ownerReferences"})) << "it is not its own";
    const auto writes = server_.writes();
    wait(300s);
    EXPECT_EQ(server_.writes(), writes);
    patch("dune", "{'spec':{'text':'rude'}}");
    wait(5s);
    EXPECT_EQ(words(), "clean") << "decided again when the object changes";
    server_.remove("Censor", "ns", "he");
    wait(15s);
    EXPECT_EQ(stands("dune"), "True Shelved");
}

TEST_F(EditTest, WhatSomebodyElseChangesInTheSameMomentMeansAnotherLook) {
    meanwhile = [this]() -> std::optional<Error> {
        if (tries_ == 1) patch("dune", "{'metadata':{'labels':{'mine':'yes'}},'spec':{'text':'theirs'}}");
        return std::nullopt;
    };
    begin();
    wait(60s);
    EXPECT_GT(tries_, 1) << "the first was decided on what is no more";
    EXPECT_EQ(words(), "clean");
    EXPECT_EQ(api::find_text(*found("dune"), {"metadata", "labels", "mine"}), "yes") << "theirs is not written over";
    EXPECT_EQ(he(), "True Censored");
}

TEST_F(EditTest, DrawsWhatWasNeverThereAndTellsOfIt) {
    begin();
    const std::string seal(api::find_text(*found("dune"), {"data", "seal"}));
    EXPECT_EQ(runtime::from_base64(seal).value_or("").size(), 32U);
    EXPECT_EQ(events("Sealed"), 1);
    patch("dune", "{'spec':{'text':'rude'}}");
    wait(5s);
    EXPECT_NE(api::find_text(*found("dune"), {"data", "seal"}), seal);
    EXPECT_EQ(tries_, 2);
}

TEST_F(EditTest, WhatIsRefusedIsSaidAndNotHammered) {
    meanwhile = [] { return std::optional(Error{ErrorClass::invalid, "spec.text: too clean"}); };
    begin();
    EXPECT_EQ(he(), "False Stalled ChangeRefused");
    EXPECT_NE(api::to_text(*server_.get("Censor", "ns", "he")).find("Book \\\"dune\\\": spec.text: too clean"),
              std::string::npos);
    const auto before = tries_;
    wait(60s);
    EXPECT_LE(tries_ - before, 2);
    meanwhile = nullptr;
    patch("dune", "{'metadata':{'labels':{'mine':'yes'}}}");
    wait(5s);
    EXPECT_EQ(he(), "True Censored") << "a change of the object is a reason to try again";
}

TEST_F(EditTest, WhatFailsIsTriedAgainLater) {
    meanwhile = [this] { return tries_ < 4 ? std::optional(Error{ErrorClass::transient, "busy"}) : std::nullopt; };
    begin();
    wait(120s);
    EXPECT_EQ(words(), "clean");
    EXPECT_EQ(tries_, 4);
    EXPECT_EQ(he(), "True Censored");
}

TEST_F(EditTest, WhatIsGoneIsNoError) {
    meanwhile = [this]() -> std::optional<Error> {
        const auto* book = found("dune");
        if (book) return Error{ErrorClass::not_found, "it was deleted"};
        return std::nullopt;
    };
    begin();
    EXPECT_EQ(he(), "False Reconciling Censoring");
    server_.remove("Book", "ns", "dune");
    wait(30s);
    EXPECT_EQ(he(), "False Reconciling NoBook");
}

TEST_F(EditTest, NothingIsEditedWhilePaused) {
    begin("{'ocim.opencraft.com/paused':'true'}");
    EXPECT_EQ(words(), "once");
    EXPECT_EQ(tries_, 0);
}

}  // namespace
}  // namespace ocim::test
