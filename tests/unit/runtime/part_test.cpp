#include "driver_test.hpp"

/// Kinds that are everybody's, of which only what concerns us is kept.
namespace ocim::test {
namespace {

using runtime::Cache;
using runtime::ObjectKey;

api::Json secret(const std::string& name, int version, const std::string& metadata = "") {
    return json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ns','name':'" + name +
                "','resourceVersion':'" + std::to_string(version) + "'" + (metadata.empty() ? "" : "," + metadata) +
                "}}");
}

class PartTest : public testing::Test {
protected:
    PartTest() {
        cache_.track({"ocim.opencraft.com", "v1alpha1", "Instance", "instances"});
        cache_.track_part(api::config_map_kind);
        cache_.track_part(api::secret_kind);
        cache_.listen([this](const runtime::Change& change) {
            told_ += (change.after ? "+" : change.before ? "-" : "?") + change.key.name;
        });
    }
    std::vector<ObjectKey> list(std::vector<api::Json> items, int version) {
        client::List out;
        for (auto& item : items)
            if (cache_.keeps(api::secret_kind, item)) out.items.push_back(std::move(item));
        out.resource_version = std::to_string(version);
        return cache_.replace(api::secret_kind, std::move(out));
    }
    void event(client::Event::Type type, api::Json object) {
        cache_.event(api::secret_kind, {type, std::move(object)});
    }
    bool has(const std::string& name) const { return cache_.find(api::secret_kind, {"ns", name}) != nullptr; }
    bool known(const std::string& name) const { return cache_.known(api::secret_kind, {"ns", name}); }
    bool ask_for(const std::string& name) { return cache_.ask_for(api::secret_kind, {"ns", name}); }
    bool read(const std::string& name, std::optional<api::Json> object) {
        return cache_.read(api::secret_kind, {"ns", name}, std::move(object));
    }

    Cache cache_;
    std::string told_;
};

TEST_F(PartTest, KeepsWhatIsMarkedAsOurs) {
    const struct {
        const char *reason, *metadata;
        bool kept;
    } cases[] = {
        {"a stranger's", "", false},
        {"somebody uses it", "'finalizers':['ocim.opencraft.com/in-use']", true},
        {"it is retained", "'annotations':{'ocim.opencraft.com/retained':'ns/demo'}", true},
        {"another program's finalizer", "'finalizers':['example.com/in-use']", false},
        {"made for an Instance",
         "'ownerReferences':[{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Instance','name':'demo'}]", true},
        {"made for another program's Instance",
         "'ownerReferences':[{'apiVersion':'example.com/v1','kind':'Instance','name':'demo'}]", false},
        {"made for a ConfigMap, which is everybody's",
         "'ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'demo'}]", false},
    };
    for (const auto& c : cases)
        EXPECT_EQ(cache_.keeps(api::secret_kind, secret("a", 1, c.metadata)), c.kept) << c.reason;
    EXPECT_TRUE(cache_.keeps({"ocim.opencraft.com", "v1alpha1", "Instance", "instances"}, secret("a", 1)));
}

TEST_F(PartTest, AStrangersIsKeptOnceItIsAskedFor) {
    list({secret("key", 3), secret("other", 4)}, 9);
    EXPECT_FALSE(has("key"));
    EXPECT_FALSE(known("key")) << "it may be there";
    EXPECT_TRUE(ask_for("key"));
    EXPECT_FALSE(ask_for("key")) << "somebody reads it already";
    EXPECT_FALSE(known("key"));
    EXPECT_TRUE(read("key", secret("key", 3)));
    EXPECT_TRUE(known("key") && has("key"));
    event(client::Event::Type::modified, secret("key", 10));
    event(client::Event::Type::modified, secret("other", 11));
    EXPECT_EQ(told_, "+key+key");
    cache_.begin_list(api::secret_kind);
    list({secret("key", 10), secret("other", 11)}, 12);
    EXPECT_TRUE(has("key") && !has("other"));
    event(client::Event::Type::deleted, secret("key", 13));
    EXPECT_TRUE(known("key") && !has("key"));
}

TEST_F(PartTest, WhoAskedForWhatIsNotThereIsToldSoAndThenThatItCame) {
    list({}, 9);
    EXPECT_TRUE(ask_for("key"));
    EXPECT_TRUE(read("key", std::nullopt));
    EXPECT_TRUE(known("key") && !has("key"));
    event(client::Event::Type::added, secret("key", 10));
    EXPECT_EQ(told_, "?key+key");
}

TEST_F(PartTest, WhatIsToldWhileItIsReadIsReadAgain) {
    list({}, 9);
    ask_for("key");
    event(client::Event::Type::deleted, secret("key", 10));
    EXPECT_FALSE(read("key", secret("key", 3))) << "the answer may be older than its end";
    EXPECT_FALSE(has("key"));
    EXPECT_TRUE(read("key", std::nullopt));
    ask_for("second");
    cache_.begin_list(api::secret_kind);
    list({}, 11);
    EXPECT_FALSE(read("second", secret("second", 3))) << "the list did not have it";
    EXPECT_TRUE(read("second", std::nullopt));
    EXPECT_FALSE(has("second"));
}

TEST_F(PartTest, WhatIsAskedForWhileAListIsOnItsWayIsReadAgain) {
    list({}, 9);
    cache_.begin_list(api::secret_kind);
    ask_for("read");
    EXPECT_TRUE(read("read", secret("read", 3)));
    ask_for("being-read");
    EXPECT_EQ(list({}, 12), (std::vector<ObjectKey>{{"ns", "read"}})) << "the list may have left it out";
    EXPECT_TRUE(has("read"));
    EXPECT_FALSE(read("being-read", secret("being-read", 4)));
    EXPECT_TRUE(read("being-read", secret("being-read", 4)));
    EXPECT_TRUE(read("read", secret("read", 3)));
    cache_.begin_list(api::secret_kind);
    EXPECT_TRUE(list({secret("read", 3), secret("being-read", 4)}, 13).empty() && has("read") && has("being-read"));
}

TEST_F(PartTest, AnOldAnswerDoesNotHideAWriteOfOurs) {
    list({}, 9);
    ask_for("key");
    cache_.fold(api::secret_kind, secret("key", 12), nullptr);
    EXPECT_TRUE(read("key", std::nullopt));
    EXPECT_TRUE(has("key"));
}

class PartDriverTest : public DriverTest {
protected:
    void library() {
        server_.put(
            json("{'apiVersion':'test.opencraft.com/v1','kind':'Library','metadata':{'namespace':'ns',"
                 "'name':'town'},'spec':{'shelf':'oak','needs':'rules'}}"));
    }
    void rules() {
        server_.put(json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'namespace':'ns','name':'rules'}}"));
    }
    std::string town() const { return stands(server_.get("Library", "ns", "town")); }
};

TEST_F(PartDriverTest, AServerThatAsksForTimeIsGivenIt) {
    int lists = 0;
    server_.refuse_reading = [&](const std::string& verb, const api::Kind& kind) -> std::optional<Error> {
        if (verb != "list" || kind.name != "ConfigMap") return std::nullopt;
        Error busy{ErrorClass::rate_limited, "too many requests"};
        busy.retry_after = 40s;
        return ++lists == 1 ? std::optional(busy) : std::nullopt;
    };
    shelf();
    rules();
    library();
    start();
    wait(39s);
    EXPECT_EQ(lists, 1);
    wait(3s);
    EXPECT_EQ(lists, 2);
    EXPECT_EQ(town(), "True Complete");
}

TEST_F(PartDriverTest, NothingIsSaidWhileItIsReadAndItIsReadUntilItWas) {
    shelf();
    rules();
    library();
    start();
    wait(2s);
    EXPECT_EQ(town(), "True Complete");
    const auto writes = server_.writes();
    stop();
    bool refuses = true;
    server_.refuse_reading = [&](const std::string& verb, const api::Kind& kind) -> std::optional<Error> {
        if (verb != "get" || kind.name != "ConfigMap" || !refuses) return std::nullopt;
        return Error{ErrorClass::transient, "not now"};
    };
    // the installation's id is a ConfigMap too
    refuses = false;
    start();
    refuses = true;
    wait(20s);
    EXPECT_EQ(town(), "True Complete");
    EXPECT_EQ(server_.writes(), writes);
    refuses = false;
    wait(60s);
    server_.remove("ConfigMap", "ns", "rules");
    wait(2s);
    EXPECT_EQ(town(), "False Reconciling DependencyNotReady");
    rules();
    wait(2s);
    EXPECT_EQ(town(), "True Complete");
}

}  // namespace
}  // namespace ocim::test
