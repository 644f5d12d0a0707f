#include "campus.hpp"
#include "openedx/appserver.hpp"
#include "openedx/provisioner.hpp"
#include "openedx/tutor_settings.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::openedx {
namespace {

using test::Campus;
using test::Json;
using Verb = RunAction::Verb;

Json parsed(std::string_view text) {
    auto out = api::parse_json(text);
    EXPECT_TRUE(out) << text;
    return out ? std::move(out->value) : Json();
}

Site site() {
    Site out;
    out.display_name = "Campus {{ 1 }}";
    out.email = "a@example.org";
    out.release = "master";
    out.platform_repository = "https://github.com/openedx/edx-platform.git";
    out.platform_commit = "master";
    for (const auto service : services) out.internal[service] = std::string(short_name(service)) + ".example.org";
    return out;
}

TEST(TutorSettings, SayWhereTheSiteIsAndWhatIsNotOnItsMachine) {
    const auto plain = parsed(R"({"LMS_HOST":"lms.example.org","CMS_HOST":"studio.example.org",
        "PREVIEW_LMS_HOST":"preview.example.org","MFE_HOST":"apps.example.org",
        "MEILISEARCH_PUBLIC_URL":"https://meilisearch.example.org","PLATFORM_NAME":"Campus {{ 1 }}","CONTACT_EMAIL":"a@example.org",
        "ENABLE_HTTPS":true,"ENABLE_WEB_PROXY":false,"CADDY_HTTP_PORT":80,"PLUGINS":["mfe"]})");
    auto with_mysql = site(), with_mongodb = site(), with_mail = site(), with_source = site(), with_extra = site();
    with_mysql.mysql = MySqlAccess{"db", 3307, "demo_x", "demo", Secret("key")};
    with_mongodb.mongodb = MongoAccess{{"m1", "m2"}, 27018, "demo_x", "demo", Secret("word"), "rs0", "demo_x", true};
    with_mail.mail_relay = MailRelay{"relay", 587, Secret("me"), Secret("word"), ""};
    auto with_s3 = site(), with_other_s3 = site();
    with_s3.s3 = S3Access{"demo", Secret("AKIA"), Secret("s3/key"), "eu-west-1", ""};
    with_other_s3.s3 = S3Access{"demo", Secret("AKIA"), Secret("s3/key"), "us-east-1", "http://[2001:db8::1]:9000"};
    with_source.release = "release/ulmo.1";
    with_source.platform_repository = "https://example.org/p.git";
    with_source.platform_commit = "abc";
    with_extra.extra = {parsed(R"({"LMS_HOST":"other","NEW":{"a":1}})").as_object(),
                        parsed(R"({"NEW":{"b":2}})").as_object()};
    const auto password = mysql_password(Secret("key"), "demo_edxapp");
    const struct {
        const char* reason;
        Site site;
        std::string more;
    } cases[] = {
        {"everything on the machine", site(), "{}"},
        {"MySQL elsewhere: one account for both, there is no root's", with_mysql,
         R"({"RUN_MYSQL":false,"MYSQL_HOST":"db","MYSQL_PORT":3307,"OPENEDX_MYSQL_DATABASE":"demo_x_edxapp",
             "OPENEDX_MYSQL_USERNAME":"demo_edxapp","MYSQL_ROOT_USERNAME":"demo_edxapp","OPENEDX_MYSQL_PASSWORD":")" +
             password + R"(","MYSQL_ROOT_PASSWORD":")" + password + "\"}"},
        {"MongoDB elsewhere", with_mongodb,
         R"({"RUN_MONGODB":false,"MONGODB_HOST":"m1,m2","MONGODB_PORT":27018,"MONGODB_DATABASE":"demo_x",
             "MONGODB_USERNAME":"demo","MONGODB_PASSWORD":"word","FORUM_MONGODB_DATABASE":"demo_x_forum","MONGODB_REPLICA_SET":"rs0",
             "MONGODB_AUTH_SOURCE":"demo_x","MONGODB_USE_SSL":true})"},
        {"mail by a relay", with_mail,
         R"({"RUN_SMTP":false,"SMTP_HOST":"relay","SMTP_PORT":587,"SMTP_USERNAME":"me","SMTP_PASSWORD":"word",
             "SMTP_USE_TLS":true})"},
        {"files at Amazon", with_s3,
         R"({"OPENEDX_AWS_ACCESS_KEY":"AKIA","OPENEDX_AWS_SECRET_ACCESS_KEY":"s3/key","S3_STORAGE_BUCKET":"demo",
             "S3_REGION":"eu-west-1"})"},
        {"files elsewhere", with_other_s3,
         R"({"OPENEDX_AWS_ACCESS_KEY":"AKIA","OPENEDX_AWS_SECRET_ACCESS_KEY":"s3/key","S3_STORAGE_BUCKET":"demo",
             "S3_REGION":"us-east-1","S3_HOST":"[2001:db8::1]","S3_PORT":"9000","S3_USE_SSL":false,
             "S3_ADDRESSING_STYLE":"path"})"},
        {"not the stock source", with_source,
         R"({"OPENEDX_COMMON_VERSION":"release/ulmo.1","EDX_PLATFORM_REPOSITORY":"https://example.org/p.git",
             "EDX_PLATFORM_VERSION":"abc"})"},
        {"what people add goes over everything", with_extra, R"({"LMS_HOST":"other","NEW":{"a":1,"b":2}})"},
    };
    for (const auto& c : cases) {
        auto expected = plain.as_object();
        const auto more = parsed(c.more);
        for (const auto& [name, value] : more.as_object()) expected[name] = value;
        EXPECT_EQ(tutor_settings(c.site, {"mfe"}), expected) << c.reason;
    }
    EXPECT_EQ(tutor_images(site(), {"mfe"}), (std::vector<std::string>{"mfe"}));
    EXPECT_EQ(tutor_images(with_source, {"mfe"}), (std::vector<std::string>{"openedx", "mfe"}));
}

TEST(TutorSettings, PatchesOfTheInstanceComeAfterThoseOfItsClass) {
    EXPECT_EQ(tutor_plugin({}, {}), "");
    EXPECT_EQ(parsed(tutor_plugin({{"a", "1"}, {"b", "2"}}, {{"a", "3\n"}})),
              parsed(R"({"name":"ocim","version":"1.0.0","patches":{"a":"1\n3\n","b":"2"}})"));
}

crd::ProvisioningRun tutor_run() {
    crd::ProvisioningRun out;
    out.metadata.namespace_ = "campus";
    out.metadata.name = "demo-1-1";
    out.metadata.uid = "uid-1";
    out.spec.machine_ref.name = "demo-1";
    auto& tutor = out.spec.tutor.emplace();
    tutor.requirements = {"tutor[full]>=21,<22", "tutor-x"};
    tutor.plugins = {"ocim", "mfe"};
    tutor.build_images = {"openedx"};
    tutor.plugin_ref = {"demo-1-config", "plugin.yml"};
    tutor.kept_ref = {"demo-tutor", "config.yml"};
    out.spec.variables_ref = {"demo-1-config", "config.yml"};
    return out;
}

runtime::Inputs inputs(const std::string& kept) {
    runtime::Inputs out;
    out.installation = "prod";
    out.add(test::secret("campus", "demo-1-config",
                         {{"config.yml", R"({"LMS_HOST":"a","ROOT_PASSWORD":"ours"})"}, {"plugin.yml", "{}"}}));
    out.add(test::secret("campus", "demo-tutor", {{"config.yml", kept}}));
    return out;
}

TEST(TutorRun, BeginsWithWhatWasKeptUnderWhatIsSettledNow) {
    const auto given = inputs("ID: drawn\nLMS_HOST: old\n");
    const auto actions = Runs::diff(tutor_run(), given, {});
    ASSERT_EQ(actions.size(), 1u);
    const auto& start = actions.front();
    EXPECT_EQ(start.verb, Verb::start);
    EXPECT_EQ(Runs::describe(start), "start tutor local with tutor[full]>=21,<22");
    EXPECT_EQ(start.arguments, (std::vector<std::string>{"plugin=ocim", "plugin=mfe", "image=openedx"}));
    EXPECT_EQ(parsed(start.inputs.at("config.yml").reveal()),
              parsed(R"({"ID":"drawn","LMS_HOST":"a","ROOT_PASSWORD":"ours"})"));
    EXPECT_EQ(start.inputs.at("requirements.txt").reveal(), "tutor[full]>=21,<22\ntutor-x\n");
    EXPECT_EQ(start.inputs.at("plugin.yml").reveal(), "{}");
    EXPECT_NE(start.program.find("tutor local launch --non-interactive"), std::string::npos);
    EXPECT_NE(start.stop_program.find("local stop"), std::string::npos);
}

TEST(TutorRun, AsksForItsHeartbeatUnlessTheClassSaysOtherwise) {
    auto run = tutor_run();
    run.spec.check.emplace();
    EXPECT_EQ(Runs::diff(run, inputs(""), {}).front().check->path, "/heartbeat");
    run.spec.check->path = "/own";
    EXPECT_EQ(Runs::diff(run, inputs(""), {}).front().check->path, "/own");
}

TEST(TutorRun, GoesOnOnlyWhenEverythingThatItDrewIsKept) {
    openedx::Run waiting;
    waiting.mark = runtime::Mark{"prod", "campus/demo-1-1", "uid-1", false};
    waiting.state = openedx::Run::State::running;
    waiting.drawn = {"ID", "KEY", "LMS_HOST"};
    const struct {
        const char* reason;
        const char* kept;
        Verb expected;
    } cases[] = {{"nothing is kept yet", "", Verb::keep},
                 {"a plug-in drew something more", "ID: a\n", Verb::keep},
                 {"all of it is kept", "ID: a\nKEY: b\n", Verb::go_on}};
    for (const auto& c : cases) {
        const auto actions = Runs::diff(tutor_run(), inputs(c.kept), {{"uid-1", waiting}});
        ASSERT_EQ(actions.size(), 1u) << c.reason;
        EXPECT_EQ(actions.front().verb, c.expected) << c.reason;
        if (c.expected == Verb::keep) {
            EXPECT_EQ(actions.front().keeping, (Keeping{"demo-tutor", "config.yml", {"LMS_HOST", "ROOT_PASSWORD"}}));
        } else {
            EXPECT_EQ(parsed(actions.front().inputs.at("kept.yml").reveal()),
                      parsed(R"({"ID":"a","KEY":"b","LMS_HOST":"a","ROOT_PASSWORD":"ours"})"));
        }
    }
    waiting.drawn.reset();
    EXPECT_TRUE(Runs::diff(tutor_run(), inputs(""), {{"uid-1", waiting}}).empty()) << "it does not wait";
}

TEST(TutorRun, MasksWhatWasDrawn) {
    openedx::Run running;
    running.mark = runtime::Mark{"prod", "campus/demo-1-1", "uid-1", false};
    running.state = openedx::Run::State::running;
    running.log_bytes = running.line_bytes = 9;
    const auto actions = Runs::diff(tutor_run(), inputs("ID: drawn-word\n"), {{"uid-1", running}});
    ASSERT_EQ(actions.size(), 1u);
    EXPECT_EQ(mask("it is drawn-word", actions.front().masked), "it is ********");
}

TEST(TutorInstance, HasItsSettingsAndAnEmptySecretForWhatIsDrawn) {
    Campus campus;
    campus.of_class.spec.tutor.emplace().plugins = {"mfe"};
    campus.settle();
    const auto* configuration = campus.child("Secret", "demo-configuration");
    ASSERT_TRUE(configuration);
    EXPECT_TRUE(api::find(*configuration, {"data", "config.yml"}));
    EXPECT_FALSE(api::find(*configuration, {"data", "variables.yml"}));
    EXPECT_TRUE(campus.child("Secret", "demo-tutor"));
    // it stays when the class goes back to Ansible: the site may come back, too
    campus.of_class.spec.tutor.reset();
    campus.settle();
    EXPECT_TRUE(campus.child("Secret", "demo-tutor"));
    EXPECT_TRUE(api::find(*campus.child("Secret", "demo-configuration"), {"data", "variables.yml"}));
}

TEST(TutorInstance, HasTheFurtherNamesThatTutorServes) {
    using Names = std::vector<std::string>;
    const auto domains = [](Campus& campus) {
        const auto* fragment = campus.child("LoadBalancerFragment", "demo-http");
        Names out;
        for (const auto& item : fragment->at("spec").at("domains").as_array()) out.emplace_back(item.as_string());
        return out;
    };
    const Names internal{"demo.example.test",
                         "preview-demo.example.test",
                         "studio-demo.example.test",
                         "discovery-demo.example.test",
                         "ecommerce-demo.example.test",
                         "apps.demo.example.test",
                         "meilisearch.demo.example.test"};
    const auto with = [&](Names own) {
        own.insert(own.end(), internal.begin(), internal.end());
        return own;
    };
    crd::Instance::Spec::Domains lms, both;
    both.lms = lms.lms = "courses.example.edu";
    both.apps = "learn.example.edu";
    const struct {
        const char* reason;
        std::optional<crd::Instance::Spec::Domains> own;
        Names domains;
        const char *apps, *search;
    } cases[] = {
        {"internal ones", std::nullopt, internal, "apps.demo.example.test", "meilisearch.demo.example.test"},
        {"those of an LMS that has an external name are below it", lms,
         with({"courses.example.edu", "apps.courses.example.edu", "meilisearch.courses.example.edu"}),
         "apps.courses.example.edu", "meilisearch.courses.example.edu"},
        {"or what a person says", both,
         with({"courses.example.edu", "learn.example.edu", "meilisearch.courses.example.edu"}), "learn.example.edu",
         "meilisearch.courses.example.edu"},
    };
    for (const auto& c : cases) {
        Campus campus;
        campus.of_class.spec.tutor.emplace();
        campus.instance.spec.domains = c.own;
        campus.settle();
        EXPECT_EQ(domains(campus), c.domains) << c.reason;
        for (const auto* service : {"apps", "meilisearch"}) {
            const auto* record = campus.child("DNSRecord", std::string("demo-") + service);
            ASSERT_TRUE(record) << c.reason;
            EXPECT_EQ(api::find_text(*record, {"spec", "name"}), std::string(service) + ".demo.example.test");
        }
        const auto text = api::find_text(*campus.child("Secret", "demo-configuration"), {"data", "config.yml"});
        const auto settings = parsed(runtime::from_base64(text).value());
        EXPECT_EQ(api::find_text(settings, {"MFE_HOST"}), c.apps) << c.reason;
        EXPECT_EQ(api::find_text(settings, {"MEILISEARCH_PUBLIC_URL"}), std::string("https://") + c.search) << c.reason;
        const auto claims = Instances::claims(campus.instance);
        for (const auto* name : {c.apps, c.search, "apps.demo.example.test"})
            EXPECT_TRUE(std::ranges::any_of(claims, [&](const auto& claim) {
                return claim.key == std::string("domain/") + name;
            })) << name;
    }
    Campus ansible;
    ansible.settle();
    EXPECT_FALSE(ansible.child("DNSRecord", "demo-apps")) << "playbooks know no such names";
    EXPECT_EQ(domains(ansible), Names(internal.begin(), internal.begin() + 5));
}

TEST(TutorInstance, OfAClassForAnsibleSaysWhatIsWrong) {
    Campus campus;
    campus.instance.spec.tutor.emplace().plugins = {"mfe"};
    const auto made = campus.settle();
    EXPECT_EQ(made.verdict.reason, "ConfigurationInvalid");
    EXPECT_TRUE(made.verdict.message.starts_with("spec.tutor: ")) << made.verdict.message;
}

TEST(TutorAppServer, ThatAsksForTheOtherProvisionerIsStalled) {
    crd::AppServer object;
    object.metadata.name = "demo-1";
    object.metadata.namespace_ = "campus";
    object.spec.instance_name = "demo";
    object.spec.provisioner.emplace().ansible.emplace();
    runtime::Children children;
    children.add(test::secret("campus", "demo-1-config", {{"settings.json", R"({"cloud":"c","tutor":{}})"}}));
    EXPECT_EQ(AppServers::compose(object, children, {}).verdict.reason, "OtherProvisioner");
    object.spec.provisioner->ansible.reset();
    object.spec.provisioner->tutor.emplace().total_timeout_seconds = 77;
    const auto made = AppServers::compose(object, children, {});
    for (const auto& child : made.children)
        if (api::find_text(child.object, {"kind"}) == "ProvisioningRun") {
            EXPECT_EQ(api::find_text(child.object, {"spec", "tutor", "keptRef", "name"}), "demo-tutor");
            EXPECT_EQ(child.object.at("spec").at("totalTimeoutSeconds"), 77);
        }
}

}  // namespace
}  // namespace ocim::openedx
