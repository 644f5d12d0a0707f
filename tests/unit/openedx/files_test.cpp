#include "openedx/files.hpp"
#include "campus.hpp"
#include "crd/storagecontainers.hpp"
#include "openedx/site.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// Where the files of a site are.
namespace ocim::openedx {
namespace {

using test::Campus;
using test::finding;
using test::Json;
using Mode = crd::InstanceClass::Spec::Storage::Mode;
using Own = crd::Instance::Spec::Storage;
using Names = std::vector<std::string>;
using Spec = crd::StorageContainer::Spec;

constexpr auto swift =
    "{'swift':{'authURL':'https://identity.example.com','region':'BHS1','project':{'name':'campus'}},"
    "'credentialsRef':{'name':'store1'},'tenantCredentialsRef':{'name':'sites'}}";
constexpr auto s3 =
    "{'s3':{'endpoint':'https://store.example.com:9000/','region':'eu-west-1'},"
    "'credentialsRef':{'name':'store1'},'tenantCredentialsRef':{'name':'sites'}}";

/// A campus whose class keeps files at an ObjectStore of that sort.
Campus stored(const char* store) {
    Campus out;
    out.of_class.spec.storage.mode = Mode::object_store;
    out.others.push_back(test::backend("ObjectStore", "store1", store));
    out.others.push_back(test::secret(
        "ocim-system", "sites",
        {{"username", "sites"}, {"password", "sites' word"}, {"accessKey", "AKIASITES"}, {"secretKey", "sites' key"}}));
    return out;
}

std::string variables_of(Campus& campus) {
    const auto* made = campus.child("Secret", "demo-configuration");
    return made ? runtime::from_base64(api::find_text(*made, {"data", "variables.yml"})).value_or("") : "";
}

Spec container_of(Campus& campus) {
    const auto* made = campus.child("StorageContainer", "demo-storage");
    if (!made) return {};
    const auto read = api::decode_object<crd::StorageContainer>(*made);
    return read ? read->spec : Spec();
}

bool says(const std::string& text, const std::string& line) { return text.find(line) != std::string::npos; }

TEST(Files, AreOnTheMachineUnlessSomebodySaysOtherwise) {
    Campus campus;
    campus.others.push_back(test::backend("ObjectStore", "store1", swift));
    campus.settle();
    EXPECT_EQ(campus.names("StorageContainer"), Names{});
    EXPECT_FALSE(says(variables_of(campus), "SWIFT"));
    EXPECT_EQ(finding(campus.settle(), "StorageReady")->reason, "NotWanted");
}

TEST(Files, OfASiteGoToAContainerOfItsOwn) {
    const struct {
        const char* store;
        Spec::PublicRead everybody;
        bool cors;
        Names lines;
    } cases[] = {{swift,
                  Spec::PublicRead::objects,
                  false,
                  {R"("EDXAPP_SWIFT_KEY": !unsafe "sites' word")", R"("EDXAPP_SWIFT_AUTH_VERSION": "3")",
                   R"("EDXAPP_SWIFT_AUTH_URL": "https://identity.example.com/v3")",
                   R"("EDXAPP_SWIFT_TENANT_NAME": !unsafe "campus")",
                   R"("EDXAPP_FILE_UPLOAD_STORAGE_BUCKET_NAME": "ocim-demo-abcdefgh")"}},
                 {s3,
                  Spec::PublicRead::none,
                  true,
                  {R"("EDXAPP_AWS_SECRET_ACCESS_KEY": !unsafe "sites' key")",
                   R"("AWS_S3_ENDPOINT_URL": "https://store.example.com:9000")",
                   R"("EDXAPP_GRADE_BUCKET": "ocim-demo-abcdefgh")"}}};
    for (const auto& c : cases) {
        SCOPED_TRACE(c.store);
        auto campus = stored(c.store);
        campus.unready = {"StorageContainer"};
        const auto waits = campus.settle();
        EXPECT_EQ(campus.names("AppServer"), Names{}) << "before its files have a place";
        EXPECT_EQ(waits.verdict.reason, "StorageNotReady");
        campus.unready.clear();
        campus.settle();
        EXPECT_EQ(campus.names("AppServer"), Names{"demo-1"});
        const auto made = container_of(campus);
        EXPECT_EQ(made.store_ref.name, "store1");
        EXPECT_EQ(made.container, "ocim-demo-abcdefgh");
        EXPECT_EQ(made.public_read, c.everybody);
        EXPECT_EQ(made.cors.has_value(), c.cors);
        EXPECT_TRUE(made.writers.empty());
        EXPECT_EQ(made.deletion_policy, Spec::DeletionPolicy::retain);
        const auto variables = variables_of(campus);
        for (const auto& line : c.lines) EXPECT_TRUE(says(variables, line)) << line << " in\n" << variables;
        const auto* access = campus.child("Secret", "demo-storage");
        ASSERT_TRUE(access);
        EXPECT_EQ(runtime::from_base64(api::find_text(*access, {"data", "container"})), "ocim-demo-abcdefgh");
        EXPECT_EQ(campus.instance.status.placement->storage, "store1");
    }
}

TEST(Files, AreReachedWithTheSitesOwnKeysWhereItBringsThem) {
    auto campus = stored(swift);
    auto& own = campus.instance.spec.storage.emplace();
    own.credentials_ref = {"mine"};
    own.user = "0123abcd:4567ef";
    campus.settle();
    const auto lacks = campus.settle().verdict;
    EXPECT_EQ(lacks.reason, "DependencyNotReady");
    EXPECT_TRUE(says(lacks.message, "Secret campus/mine has no key \"username\"")) << lacks.message;
    campus.others.push_back(test::secret("campus", "mine", {{"username", "me"}, {"password", "my word"}}));
    campus.settle();
    EXPECT_EQ(container_of(campus).writers, Names{"0123abcd:4567ef"});
    EXPECT_TRUE(says(variables_of(campus), "my word"));
    EXPECT_FALSE(says(variables_of(campus), "sites' word")) << "keys to every site's files";
}

TEST(Files, OfAPullRequestAreNeverReachedWithTheKeysOfAllSites) {
    auto campus = stored(s3);
    campus.instance.metadata.labels["ocim.opencraft.com/pull-request-watch"] = "site";
    campus.settle();
    EXPECT_EQ(campus.names("StorageContainer"), Names{}) << "they are on the machine";
    EXPECT_FALSE(says(variables_of(campus), "AKIASITES"));

    auto insists = stored(s3);
    insists.instance.metadata.labels["ocim.opencraft.com/pull-request-watch"] = "site";
    insists.instance.spec.storage.emplace().mode = Own::Mode::object_store;
    const auto verdict = insists.settle().verdict;
    EXPECT_EQ(verdict.reason, "ConfigurationInvalid");
    EXPECT_TRUE(says(verdict.message, "could read the files of them all")) << verdict.message;
    EXPECT_FALSE(says(variables_of(insists), "AKIASITES"));

    insists.instance.spec.storage->credentials_ref = {"mine"};
    insists.others.push_back(test::secret("campus", "mine", {{"accessKey", "AKIAMINE"}, {"secretKey", "mine"}}));
    insists.settle();
    EXPECT_TRUE(says(variables_of(insists), "AKIAMINE"));
}

TEST(Files, KeysThatChangeMakeNoNewAppServer) {
    auto campus = stored(s3);
    campus.settle();
    const auto hash = campus.instance.status.configuration_hash;
    campus.other("Secret", "sites")->at("data").as_object()["secretKey"] = runtime::base64("rotated");
    campus.settle();
    EXPECT_EQ(campus.instance.status.configuration_hash, hash);
    EXPECT_TRUE(says(variables_of(campus), "rotated")) << "the next one has them";
    const auto* access = campus.child("Secret", "demo-storage");
    EXPECT_EQ(runtime::from_base64(api::find_text(*access, {"data", "secretKey"})), "rotated");
}

TEST(Files, WhatIsSettledStays) {
    auto campus = stored(s3);
    campus.settle();
    campus.of_class.spec.storage.mode = Mode::on_machine;
    campus.others.push_back(test::backend("ObjectStore", "empty-one", s3));
    campus.settle();
    EXPECT_EQ(container_of(campus).store_ref.name, "store1") << "whatever its class says now";
    campus.instance.status = {};
    campus.settle();
    EXPECT_EQ(container_of(campus).store_ref.name, "store1") << "not even with its status lost";
    EXPECT_EQ(container_of(campus).container, "ocim-demo-abcdefgh");

    Own back, another;
    back.mode = Own::Mode::on_machine;
    another.container = "other";
    const struct {
        const char* reason;
        Own wanted;
        const char* field;
    } cases[] = {{"back to the machine", back, "spec.storage.mode"},
                 {"another container", another, "spec.storage.container"}};
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        auto changed = campus.instance;
        changed.spec.storage = c.wanted;
        const auto causes = Instances::admit(changed, &campus.instance, campus.inputs());
        ASSERT_EQ(causes.size(), 1U);
        EXPECT_EQ(causes[0].field, c.field);
        auto let_in = campus;
        let_in.instance = changed;
        const auto held = let_in.settle();
        EXPECT_EQ(held.verdict.reason, "ConfigurationInvalid");
        EXPECT_TRUE(says(held.verdict.message, c.field)) << held.verdict.message;
        EXPECT_EQ(container_of(let_in).container, "ocim-demo-abcdefgh") << "it is left as it is";
    }
}

TEST(Files, OfASiteThatWasMadeWithoutAreNotMoved) {
    Campus campus;
    campus.settle();
    campus.of_class.spec.storage.mode = Mode::object_store;
    campus.others.push_back(test::backend("ObjectStore", "store1", s3));
    campus.settle();
    EXPECT_EQ(campus.names("StorageContainer"), Names{});
    EXPECT_FALSE(campus.instance.status.placement->storage);
}

TEST(Files, StayOrGoWithTheSite) {
    using Policy = crd::Instance::Spec::DeletionPolicy;
    auto archived = stored(s3);
    archived.settle();
    archived.instance.spec.archived = true;
    archived.settle();
    EXPECT_EQ(archived.names("StorageContainer"), Names{"demo-storage"}) << "an archived site keeps its files";
    const struct {
        const char* reason;
        Policy before, at_deletion;
        Spec::DeletionPolicy expected;
    } cases[] = {{"kept", Policy::retain, Policy::retain, Spec::DeletionPolicy::retain},
                 {"gone", Policy::delete_, Policy::delete_, Spec::DeletionPolicy::delete_},
                 {"gone, said in the last moment", Policy::retain, Policy::delete_, Spec::DeletionPolicy::delete_},
                 {"kept, said in the last moment", Policy::delete_, Policy::retain, Spec::DeletionPolicy::retain}};
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        auto campus = stored(s3);
        campus.instance.spec.deletion_policy = c.before;
        campus.settle();
        campus.instance.spec.deletion_policy = c.at_deletion;
        campus.remove();
        int seen = 0;
        for (int visits = 0; visits < 10; ++visits) {
            campus.visit();
            if (!campus.child("StorageContainer", "demo-storage")) continue;
            ++seen;
            EXPECT_EQ(container_of(campus).deletion_policy, c.expected);
            EXPECT_EQ(container_of(campus).empty_on_delete, c.expected == Spec::DeletionPolicy::delete_);
        }
        EXPECT_GT(seen, 0) << "data goes last";
        EXPECT_EQ(campus.names("StorageContainer"), Names{});
    }
}

TEST(Files, WhatCannotBeSaysWhy) {
    const struct {
        const char* reason;
        const char* store;
        void (*damage)(Campus&);
        const char *verdict, *says;
    } cases[] = {
        {"no such store", s3,
         [](Campus& c) { std::erase_if(c.others, [](const auto& o) { return o.at("kind") == "ObjectStore"; }); },
         "NoBackend", "no ObjectStore can take this site: there is none"},
        {"no keys for anybody", s3,
         [](Campus& c) { c.other("ObjectStore", "store1")->at("spec").as_object().erase("tenantCredentialsRef"); },
         "DependencyNotReady", "gives sites no keys"},
        {"a key is missing", s3,
         [](Campus& c) { c.other("Secret", "sites")->at("data").as_object().erase("secretKey"); }, "DependencyNotReady",
         "Secret ocim-system/sites has no key \"secretKey\""},
        {"Tutor and Swift", swift, [](Campus& c) { c.of_class.spec.tutor.emplace(); }, "ConfigurationInvalid",
         "Tutor keeps no files in Swift"},
        {"Tutor without its plug-in", s3, [](Campus& c) { c.of_class.spec.tutor.emplace(); }, "ConfigurationInvalid",
         "without the plug-in \"s3\""},
        {"databases that go with the machine", s3,
         [](Campus& c) {
             c.instance.spec.databases.emplace().mode = crd::Instance::Spec::Databases::Mode::ephemeral;
             c.instance.spec.storage.emplace().mode = Own::Mode::object_store;
         },
         "ConfigurationInvalid", "as its databases are"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        auto campus = stored(c.store);
        c.damage(campus);
        const auto verdict = campus.settle().verdict;
        EXPECT_EQ(verdict.reason, c.verdict) << verdict.message;
        EXPECT_TRUE(says(verdict.message, c.says)) << verdict.message;
        EXPECT_EQ(campus.names("AppServer"), Names{});
    }
    auto campus = stored(s3);
    campus.of_class.spec.tutor.emplace().plugins = {"s3"};
    campus.settle();
    const auto settings = api::find_text(*campus.child("Secret", "demo-configuration"), {"data", "config.yml"});
    EXPECT_TRUE(says(runtime::from_base64(settings).value_or(""), R"("S3_STORAGE_BUCKET":"ocim-demo-abcdefgh")"));
}

TEST(Files, OfASiteThatIsTakenOverAreFoundUnderItsOldName) {
    auto campus = stored(swift);
    campus.of_class.spec.name_scheme = crd::InstanceClass::Spec::NameScheme::ocim_v1;
    campus.instance.spec.adoption_policy = crd::Instance::Spec::AdoptionPolicy::adopt;
    campus.settle();
    EXPECT_EQ(container_of(campus).container, "demo_example_test");
    EXPECT_EQ(container_of(campus).adoption_policy, Spec::AdoptionPolicy::adopt);
    auto bucket = stored(s3);
    bucket.of_class.spec.name_scheme = crd::InstanceClass::Spec::NameScheme::ocim_v1;
    bucket.settle();
    EXPECT_TRUE(container_of(bucket).container.starts_with("ocim-demo-")) << "no bucket is called demo_example_test";
    auto named = stored(s3);
    named.instance.spec.storage.emplace().container = "their-old-bucket";
    named.settle();
    EXPECT_EQ(container_of(named).container, "their-old-bucket");
}

}  // namespace
}  // namespace ocim::openedx
