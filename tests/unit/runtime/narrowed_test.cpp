#include "driver_test.hpp"

/// A composite kind that needs of a namespace's objects only those that name it.
namespace ocim::test {
namespace {

constexpr api::Kind letter_kind{"test.opencraft.com", "v1", "Letter", "letters"};

struct Reader {
    static constexpr api::Kind kind{"test.opencraft.com", "v1", "Reader", "readers"};
    struct Spec {
        bool operator==(const Spec&) const = default;
        BOOST_DESCRIBE_CLASS(Spec, (), (), (), ())
        static constexpr std::array<std::string_view, 0> wire_names{};
    };
    struct Status {
        std::string read;
        std::optional<std::int64_t> observed_generation;
        std::vector<api::Condition> conditions;
        bool operator==(const Status&) const = default;
        static constexpr std::array wire_names{std::string_view("read"), std::string_view("observedGeneration"),
                                               std::string_view("conditions")};
        BOOST_DESCRIBE_CLASS(Status, (), (read, observed_generation, conditions), (), ())
    };
    api::Metadata metadata;
    Spec spec;
    Status status;
};

std::size_t given = 0;  // inputs of all visits together

struct ReaderKind {
    using Object = Reader;
    static constexpr std::string_view name = "reader";
    static std::vector<api::Kind> child_kinds() { return {api::secret_kind}; }
    static std::vector<runtime::Reference> needs(const Reader& reader) {
        return {{letter_kind, reader.metadata.namespace_, "", true, "data.reader", reader.metadata.name}};
    }
    static std::vector<runtime::Claim> claims(const Reader&) { return {}; }
    static runtime::Composition<Reader> compose(const Reader&, const runtime::Children&,
                                                const runtime::Inputs& inputs) {
        runtime::Composition<Reader> out;
        for (const auto* letter : inputs.all(letter_kind)) {
            ++given;
            out.status.read += api::find_text(*letter, {"data", "text"});
        }
        out.verdict = {Verdict::State::ready, "Read", ""};
        return out;
    }
};

class NarrowedTest : public DriverTest {
protected:
    void SetUp() override {
        client_ = server_.client();
        metrics_ = std::make_unique<Metrics>();
        manager_ = std::make_unique<runtime::Manager>(loop_.executor(), *client_, loop_.clock(), *random_, *metrics_,
                                                      blocking_, runtime::Manager::Settings{});
        runtime::add_composite<ReaderKind>(*manager_);
        const auto started = loop_.run(manager_->start());
        ASSERT_TRUE(started) << started.error().message;
    }
    /// So many there are from now on, a letter for each, and all have read theirs.
    void readers(int count) {
        for (; readers_ < count; ++readers_) {
            const auto name = "r" + std::to_string(readers_);
            server_.put(
                json("{'apiVersion':'test.opencraft.com/v1','kind':'Reader','metadata':{'namespace':'ns','name':'" +
                     name + "'},'spec':{}}"));
            letter("to-" + name, name, "dear-" + name);
        }
        wait(60s);
    }
    void letter(const std::string& name, const std::string& to, const std::string& text,
                const std::string& namespace_ = "ns") {
        server_.put(json("{'apiVersion':'test.opencraft.com/v1','kind':'Letter','metadata':{'namespace':'" +
                         namespace_ + "','name':'" + name + "'},'data':{'reader':'" + to + "','text':'" + text +
                         "'}}"));
    }
    std::string read(const std::string& name) const {
        const auto* reader = server_.get("Reader", "ns", name);
        return reader ? std::string(api::find_text(*reader, {"status", "read"})) : "gone";
    }
    double visits() const {
        double out = 0;
        for (const auto* result : {"success", "error", "requeue", "requeue_after"})
            out += metric("controller_runtime_reconcile_total",
                          R"(controller="reader",result=")" + std::string(result) + "\"");
        return out;
    }

    int readers_ = 0;
};

TEST_F(NarrowedTest, AChangeIsAVisitForWhomItConcernsHoweverManyThereAre) {
    std::map<int, std::pair<double, std::size_t>> cost;  // by how many there are: visits, objects that they were given
    for (const int count : {2, 200}) {
        readers(count);
        const auto before = visits();
        given = 0;
        for (int n = 0; n < 10; ++n) {
            letter("to-r1", "r1", "news-" + std::to_string(n));
            wait(1s);
        }
        EXPECT_EQ(read("r1"), "news-9");
        EXPECT_EQ(read("r0"), "dear-r0");
        cost[count] = {visits() - before, given};
    }
    EXPECT_EQ(cost[200], cost[2]);
    EXPECT_EQ(cost[200], std::pair(10.0, std::size_t{10})) << "each change one visit, that sees one letter";
}

TEST_F(NarrowedTest, WhatMovesToAnotherIsNewsForBoth) {
    readers(3);
    letter("to-r0", "r1", "redirected-");
    wait(1s);
    EXPECT_EQ(read("r0"), "") << "it has no letter now";
    EXPECT_EQ(read("r1"), "redirected-dear-r1");
    EXPECT_EQ(read("r2"), "dear-r2");
    server_.remove("Letter", "ns", "to-r1");
    wait(1s);
    EXPECT_EQ(read("r1"), "redirected-");
    letter("to-r2", "r2", "from-elsewhere", "other");
    wait(1s);
    EXPECT_EQ(read("r2"), "dear-r2") << "of another namespace";
}

}  // namespace
}  // namespace ocim::test
