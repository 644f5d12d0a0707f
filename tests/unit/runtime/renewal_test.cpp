#include "runtime/renewal.hpp"
#include "driver_test.hpp"
#include "runtime/base64.hpp"

/// What a visit writes to Secrets, and what it must know before it decides.
namespace ocim::test {
namespace {

using runtime::SecretEdit;

/// Two edits of one Secret, as a kind says them whose things share one.
struct Inscribed : BookKind {
    static std::vector<SecretEdit> renewals(const Book& book, const runtime::Inputs& inputs, const Snapshot&) {
        std::vector<SecretEdit> out;
        for (const std::string key : {"first", "second"}) {
            if (book.spec.key_secret.empty() || inputs.secret("ns", book.spec.key_secret, key)) continue;
            auto& edit = out.emplace_back();
            edit.name = book.spec.key_secret;
            edit.text[key] = "written";
            edit.note = {false, "Inscribed", "The " + key + " is written."};
        }
        return out;
    }
};

class RenewalTest : public DriverTest {};

TEST_F(RenewalTest, EditsOfOneSecretAreOneWrite) {
    shelf();
    book("dune", "'keySecret':'ink'");
    start_as<Inscribed>();
    wait(5s);
    const auto* secret = server_.get("Secret", "ns", "ink");
    ASSERT_TRUE(secret);
    EXPECT_EQ(api::find_text(*secret, {"data", "first"}), runtime::base64("written"));
    EXPECT_EQ(api::find_text(*secret, {"data", "second"}), runtime::base64("written"));
    EXPECT_EQ(metric("controller_runtime_reconcile_total", R"(controller="book",result="error")"), 0)
        << "none is in the way of the other";
    EXPECT_EQ(events("Inscribed"), 2) << "both are told";
}

TEST_F(RenewalTest, WhoComesSecondToAKeyWaits) {
    SecretEdit first, second, third;
    first.name = second.name = "ink";
    third.name = "other";
    first.copy["a"] = "b";
    second.drop.insert("a");
    second.text["c"] = "1";
    third.drop.insert("a");
    EXPECT_EQ(runtime::by_secret({first, second, third}), (std::vector<std::vector<SecretEdit>>{{first}, {third}}));
    second.drop.clear();
    EXPECT_EQ(runtime::by_secret({first, second, third}),
              (std::vector<std::vector<SecretEdit>>{{first, second}, {third}}));
}

/// Needs what only another object names.
struct Annotated : BookKind {
    static std::vector<runtime::Reference> further_needs(const Book& book, const runtime::Inputs& inputs) {
        const auto* map = inputs.find(api::config_map_kind, "ns", book.spec.needs);
        if (!map) return {};
        const std::string name(api::find_text(*map, {"data", "notes"}));
        return {{api::config_map_kind, "ns", name, api::find_text(*map, {"data", "optional"}) == "true"}};
    }
};

TEST_F(RenewalTest, AFurtherNeedThatIsMissingKeepsFromDeciding) {
    shelf();
    const auto map = [&](const std::string& name, const std::string& data) {
        server_.put(json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'namespace':'ns','name':'" + name +
                         "'},'data':{" + data + "}}"));
    };
    map("index", "'notes':'notes'");
    book("dune", "'needs':'index'");
    start_as<Annotated>();
    wait(5s);
    EXPECT_EQ(stands("dune"), "False Reconciling DependencyNotReady");
    EXPECT_EQ(text("dune"), "nothing");
    map("index", "'optional':'true'");
    wait(5s);
    EXPECT_EQ(stands("dune"), "True Shelved") << "one that may be missing does not";
    map("index", "'optional':'false'");
    patch("dune", "{'spec':{'text':'twice'}}");
    wait(5s);
    EXPECT_EQ(text("dune"), "once");
    map("notes", "'text':'!'");
    wait(1s);
    EXPECT_EQ(text("dune"), "twice") << "it is woken when it comes";
}

}  // namespace
}  // namespace ocim::test
