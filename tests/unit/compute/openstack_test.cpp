#include "compute/machine_choice.hpp"
#include "compute/openstack_read.hpp"
#include "compute/openstack_session.hpp"
#include "runtime/base64.hpp"
#include "support/service.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <deque>

/// What real services answered (answers/), and what we make of it.
namespace ocim::compute::openstack {
namespace {

using api::Json;
using State = Machine::State;

net::HttpReply answer(const std::string& name) {
    const auto text =
        ocim::test::read_file(std::string(OCIM_SOURCE_DIR) + "/tests/unit/compute/answers/" + name + ".http");
    net::HttpReply out;
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    out.status = static_cast<unsigned>(std::stoul(line.substr(9)));
    while (std::getline(lines, line) && !line.empty()) {
        auto field = line.substr(0, line.find(": "));
        for (auto& letter : field) letter = static_cast<char>(std::tolower(letter));
        out.headers[field] = line.substr(line.find(": ") + 2);
    }
    out.body.assign(std::istreambuf_iterator<char>(lines), {});
    return out;
}

Json body(const std::string& name) {
    auto parsed = api::parse_json(answer(name).body);
    EXPECT_TRUE(parsed) << name;
    return parsed ? std::move(parsed->value) : Json();
}

TEST(OpenStackAnswers, ServersAreMachines) {
    const auto machine = [](const std::string& name) {
        const auto read = read_server(*api::find(body(name), {"server"}));
        EXPECT_TRUE(read && *read) << name;
        return (*read)->machine;
    };
    const auto building = machine("server-build");
    EXPECT_EQ(building.state, State::building);
    EXPECT_TRUE(building.busy);
    EXPECT_TRUE(building.addresses.empty());
    const auto active = machine("server-active");
    EXPECT_EQ(active.state, State::booting) << "whether it answers is not for Nova to say";
    EXPECT_FALSE(active.busy);
    ASSERT_EQ(active.addresses.size(), 1U);
    EXPECT_TRUE(active.addresses[0].starts_with("10.77."));
    EXPECT_EQ(active.mark, (runtime::Mark{"prod", "campus/demo-1-11111111", "11111111-2222-4333-8444-555555555555"}));
    EXPECT_EQ(active.key_name, "ops");
    const auto failed = machine("server-error");
    EXPECT_EQ(failed.state, State::failed);
    EXPECT_TRUE(failed.never_ran);
    EXPECT_TRUE(failed.fault.starts_with("No valid host was found.")) << failed.fault;
    auto going = *api::find(body("server-error"), {"server"});
    going.as_object()["OS-EXT-STS:task_state"] = "deleting";
    const auto leaving = read_server(going);
    ASSERT_TRUE(leaving && *leaving);
    EXPECT_EQ((*leaving)->machine.state, State::leaving);
    EXPECT_TRUE((*leaving)->machine.never_ran) << "else the attempt were forgotten while it goes";
    EXPECT_EQ((*leaving)->machine.fault, failed.fault);
}

TEST(OpenStackAnswers, OfAServerThatNovaKnowsTooLittleOfNothingIsConcluded) {
    const auto partial =
        api::parse_json(R"({"id":"1","status":"UNKNOWN","tenant_id":"x","created":"2026-01-01T00:00:00Z"})");
    const auto read = read_server(partial->value);
    ASSERT_TRUE(read);
    EXPECT_FALSE(*read);
    EXPECT_FALSE(read_server(api::parse_json(R"({"name":"x"})")->value)) << "what is no server is an error";
}

TEST(OpenStackAnswers, OfServersWithOneNameTheOldestMarkedOneHasTheKey) {
    const auto server = [](const std::string& id, int age, bool marked) {
        Server out;
        out.id = out.machine.id = id;
        out.name = "demo-1";
        out.machine.since = WallTime{std::chrono::hours(1000 - age)};
        if (marked) out.machine.mark = runtime::Mark{"prod", "campus/demo", "u"};
        return out;
    };
    const auto keys = by_key({server("young", 1, true), server("stranger", 9, false), server("old", 2, true)});
    ASSERT_EQ(keys.size(), 3U);
    EXPECT_EQ(keys.at("demo-1").id, "old");
    EXPECT_EQ(keys.at("demo-1/young").id, "young");
    EXPECT_EQ(keys.at("demo-1/stranger").id, "stranger");
}

TEST(OpenStackAnswers, RefusalsHaveTheirClassAndKeepTheirRequest) {
    const struct {
        const char *name, *says;
        ErrorClass error_class;
    } cases[] = {
        {"server-400", "Flavor nope could not be found.", ErrorClass::invalid},
        {"server-404", "could not be found", ErrorClass::not_found},
        {"action-409", "Cannot 'start' instance", ErrorClass::conflict},
        {"microversion-406", "Minimum is 2.1 and maximum is 2.93", ErrorClass::invalid},
        {"rule-409", "Security group rule already exists", ErrorClass::conflict},
        {"network-404", "could not be found", ErrorClass::not_found},
        {"token-401", "requires authentication", ErrorClass::auth},
        {"quota-403", "Quota exceeded for instances", ErrorClass::conflict},
    };
    for (const auto& one : cases) {
        const auto error = refusal(answer(one.name), "it", WallTime{});
        EXPECT_EQ(error.error_class, one.error_class) << one.name << ": " << error.message;
        EXPECT_NE(error.message.find(one.says), std::string::npos) << error.message;
        EXPECT_NE(error.message.find("(request req-"), std::string::npos) << error.message;
        EXPECT_FALSE(error.outcome_unknown) << one.name;
        EXPECT_EQ(is_quota(error), std::string(one.name) == "quota-403") << one.name;
    }
    const auto page = refusal({502, {}, "<html><body>Bad gateway</body></html>"}, "it", WallTime{});
    EXPECT_EQ(page.message, "it: answered with status 502") << "a page tells a person nothing";
    EXPECT_TRUE(page.outcome_unknown);
    const auto busy = refusal({503, {{"retry-after", "7"}}, ""}, "it", WallTime{});
    EXPECT_EQ(busy.retry_after, Duration(7000));
    EXPECT_FALSE(busy.outcome_unknown);
    const auto limited =
        refusal({413, {}, R"({"overLimit":{"code":413,"message":"slow","retryAfter":"9"}})"}, "it", {});
    EXPECT_EQ(limited.error_class, ErrorClass::rate_limited);
    EXPECT_EQ(limited.retry_after, Duration(9000));
}

TEST(OpenStackAnswers, ATokenComesWithItsCatalog) {
    Credentials credentials;
    credentials.region = "RegionOne";
    const auto read = read_token(answer("token").body, "gAAAA", credentials);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->lifetime, std::chrono::hours(1));
    EXPECT_TRUE(read->endpoints.contains("compute") && read->endpoints.contains("image") &&
                read->endpoints.contains("network"));
    credentials.region = "Elsewhere";
    const auto elsewhere = read_token(answer("token").body, "gAAAA", credentials);
    ASSERT_FALSE(elsewhere);
    EXPECT_NE(elsewhere.error().message.find("it has: RegionOne"), std::string::npos) << elsewhere.error().message;
}

// --- who we are

crd::Cloud cloud() {
    crd::Cloud out;
    out.metadata.name = "stack";
    auto& openstack = out.spec.openstack.emplace();
    openstack.credentials_ref.name = "login";
    openstack.auth_url = "https://id.example.com/";
    return out;
}

runtime::Inputs inputs(const std::map<std::string, std::string>& data) {
    api::json::object encoded;
    for (const auto& [key, value] : data) encoded[key] = runtime::base64(value);
    runtime::Inputs out;
    out.add(api::json::object{{"apiVersion", "v1"},
                              {"kind", "Secret"},
                              {"metadata", {{"name", "login"}, {"namespace", "ocim-system"}}},
                              {"data", std::move(encoded)}});
    return out;
}

TEST(OpenStackCredentials, AreReadFromEveryForm) {
    const std::map<std::string, std::string> password{
        {"OS_USERNAME", "me"}, {"OS_PASSWORD", "pw"}, {"OS_TENANT_NAME", "campus"}};
    auto in_domain = cloud();
    in_domain.spec.openstack->domain.emplace().id = "d1";
    auto in_system = cloud();
    in_system.spec.openstack->system = true;
    auto by_id = cloud();
    by_id.spec.openstack->project.emplace().id = "p1";
    auto named = cloud();
    named.spec.openstack->cloud_name = "two";
    const std::string file =
        "clouds: {one: {auth: {username: a, password: b, project_id: c}}, two: {auth: {auth_url: 'x', "
        "application_credential_name: robot, application_credential_secret: s, user_id: u1}}}";
    const struct {
        const char* reason;
        crd::Cloud cloud;
        std::map<std::string, std::string> secret;
        std::string asks;
    } cases[] = {
        {"a password, names, the old word for a project", cloud(), password,
         R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"me","domain":{"name":"Default"},"password":"pw"}}},"scope":{"project":{"name":"campus","domain":{"name":"Default"}}}}})"},
        {"a project by its ID needs no domain", by_id, password,
         R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"me","domain":{"name":"Default"},"password":"pw"}}},"scope":{"project":{"id":"p1"}}}})"},
        {"rights in a domain", in_domain, password,
         R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"me","domain":{"name":"Default"},"password":"pw"}}},"scope":{"domain":{"id":"d1"}}}})"},
        {"rights in the system", in_system, password,
         R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"me","domain":{"name":"Default"},"password":"pw"}}},"scope":{"system":{"all":true}}}})"},
        {"an application credential has its scope in it",
         cloud(),
         {{"OS_APPLICATION_CREDENTIAL_ID", "i"}, {"OS_APPLICATION_CREDENTIAL_SECRET", "s"}, {"OS_PROJECT_ID", "p"}},
         R"({"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"i","secret":"s"}}}})"},
        {"one cloud of a file, whose credential is given by name",
         named,
         {{"clouds.yaml", file}},
         R"({"auth":{"identity":{"methods":["application_credential"],"application_credential":{"name":"robot","secret":"s","user":{"id":"u1"}}}}})"},
    };
    for (const auto& one : cases) {
        const auto read = credentials_of(one.cloud, inputs(one.secret));
        ASSERT_TRUE(read) << one.reason << ": " << read.error().message;
        EXPECT_EQ(read->auth_url, "https://id.example.com/v3") << one.reason;
        EXPECT_EQ(login_request(*read).reveal(), one.asks) << one.reason;
    }
}

TEST(OpenStackCredentials, WhatIsMissingIsNamed) {
    auto nowhere = cloud();
    nowhere.spec.openstack->auth_url.reset();
    const std::string two = "clouds: {one: {}, two: {}}";
    const struct {
        crd::Cloud cloud;
        std::map<std::string, std::string> secret;
        const char* says;
    } cases[] = {
        {cloud(), {}, "OS_USERNAME"},
        {cloud(), {{"OS_USERNAME", "me"}}, "OS_PASSWORD"},
        {cloud(), {{"OS_USERNAME", "me"}, {"OS_PASSWORD", "pw"}}, "OS_PROJECT_NAME"},
        {nowhere, {{"OS_USERNAME", "me"}, {"OS_PASSWORD", "pw"}, {"OS_PROJECT_ID", "p"}}, "spec.openstack.authURL"},
        {cloud(), {{"clouds.yaml", two}}, "one, two"},
        {cloud(), {{"clouds.yaml", "{pw"}}, "cannot be read as YAML"},
    };
    for (const auto& one : cases) {
        const auto read = credentials_of(one.cloud, inputs(one.secret));
        ASSERT_FALSE(read) << one.says;
        EXPECT_NE(read.error().message.find(one.says), std::string::npos) << read.error().message;
    }
}

TEST(OpenStackRequests, AMachineIsBornWithItsHostKey) {
    Action action;
    action.key = "demo-1-11111111";
    action.mark = {"here", "campus/demo-1", "11111111", false};
    action.plan.user_data = "#!/bin/sh";
    const auto server = [&] { return *api::find(api::parse_json(create_body(action))->value, {"server"}); };
    EXPECT_EQ(runtime::from_base64(api::find_text(server(), {"user_data"})), "#!/bin/sh");
    EXPECT_EQ(api::find(server(), {"metadata", "ocim-host-key"}), nullptr);
    action.plan.host_key = *host_key_of(Secret(runtime::base64(std::string(host_key_seed_bytes, 's'))));
    EXPECT_EQ(runtime::from_base64(api::find_text(server(), {"user_data"})),
              user_data_with(*action.plan.host_key, "#!/bin/sh").reveal());
    EXPECT_EQ(api::find_text(server(), {"metadata", "ocim-host-key"}), action.plan.host_key->public_key);
    EXPECT_EQ(just_made(action, "id", {}).given_host_key, action.plan.host_key->public_key);
    auto there = body("server-active");
    there.at("server").at("metadata").as_object()["ocim-host-key"] = action.plan.host_key->public_key;
    EXPECT_EQ((*read_server(there.at("server")))->machine.given_host_key, action.plan.host_key->public_key);
}

TEST(OpenStackRequests, ARefusalDoesNotRepeatTheKey) {
    const std::string answer =
        R"({"badRequest":{"message":"Invalid input for field/attribute user_data. Value: SECRET. 'SECRET' is too long"}})";
    const auto error = without_user_data(refusal({400, {}, answer}, "nova POST /servers", {}));
    EXPECT_EQ(error.error_class, ErrorClass::invalid);
    EXPECT_EQ(error.message, "nova POST /servers: it refuses the machine's user data");
    const Error other{ErrorClass::conflict, "nova POST /servers: Quota exceeded"};
    EXPECT_EQ(without_user_data(other).message, other.message);
}

// --- calls

/// Answers what a test has laid out, and remembers what was asked.
struct Script {
    std::deque<net::HttpReply> logins, others;
    std::vector<net::HttpRequest> asked;
    int log_ins = 0;
};

class Scripted final : public net::HttpClient {
public:
    Scripted(Script& script, std::string url) : script_(script), url_(std::move(url)) {}
    awaitable<Result<net::HttpReply>> send(net::HttpRequest request) override {
        const bool login = request.target == "/auth/tokens";
        auto& from = login ? script_.logins : script_.others;
        if (login)
            ++script_.log_ins;
        else
            script_.asked.push_back(request);
        if (from.empty()) co_return Error(Error{ErrorClass::unreachable, "the script has ended"});
        auto reply = from.front();
        from.pop_front();
        co_return reply;
    }

private:
    Script& script_;
    std::string url_;
};

class OpenStackSession : public testing::Test {
protected:
    OpenStackSession() {
        Credentials credentials;
        credentials.auth_url = "https://id.example.com/v3";
        credentials.user.name = credentials.project.name = "campus";
        session = std::make_unique<Session>(credentials, loop.clock(), [this](const std::string& url) {
            return Result<std::unique_ptr<net::HttpClient>>(std::make_unique<Scripted>(script, url));
        });
    }
    net::HttpReply token(const std::string& text) const {
        auto out = answer("token");
        out.headers["x-subject-token"] = text;
        return out;
    }
    Result<Reply> get(const std::string& path) {
        Request request;
        request.path = path;
        return loop.run(session->call(std::move(request)));
    }
    std::string used(std::size_t call) const {
        return script.asked.at(call).secret_headers.at("X-Auth-Token").reveal();
    }

    ocim::test::TestLoop loop;
    Script script;
    std::unique_ptr<Session> session;
};

TEST_F(OpenStackSession, LogsInOnceAndAnewBeforeTheTokenEnds) {
    script.logins = {token("one"), token("two")};
    script.others.assign(3, {200, {}, "{}"});
    ASSERT_TRUE(get("/a"));
    ASSERT_TRUE(get("/b"));
    EXPECT_EQ(script.log_ins, 1);
    loop.run(loop.clock().sleep(std::chrono::minutes(59)));
    ASSERT_TRUE(get("/c"));
    EXPECT_EQ(script.log_ins, 2) << "a minute before its end it is not used any more";
    EXPECT_EQ(used(2), "two");
}

TEST_F(OpenStackSession, ATokenThatDiedEarlyIsRenewedOnce) {
    script.logins = {token("one"), token("two"), token("three")};
    script.others = {{401, {}, ""}, {200, {}, "{}"}, {401, {}, ""}, {401, {}, ""}};
    ASSERT_TRUE(get("/a"));
    EXPECT_EQ(used(1), "two");
    const auto refused = get("/b");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::auth);
    EXPECT_EQ(script.asked.size(), 4U) << "not again and again";
}

TEST_F(OpenStackSession, CredentialsThatAreRefusedAreNotTriedAgainAtOnce) {
    script.logins = {answer("token-401"), token("one")};
    script.others = {{200, {}, "{}"}};
    const auto refused = get("/a");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::auth);
    EXPECT_FALSE(get("/a"));
    EXPECT_EQ(script.log_ins, 1) << "accounts are locked after some failures";
    loop.run(loop.clock().sleep(std::chrono::seconds(61)));
    EXPECT_TRUE(get("/a"));
}

TEST_F(OpenStackSession, ListsAreReadToTheirLastPage) {
    script.logins = {token("one")};
    const std::string more = R"(,"servers_links":[{"rel":"next","href":"http://elsewhere/"}])";
    script.others = {{200, {}, R"({"servers":[{"id":"a"},{"id":"b"}])" + more + "}"},
                     {200, {}, R"({"servers":[{"id":"c"}]})"}};
    std::string path = "/servers/detail";
    const auto all = loop.run(session->list(Service::compute, path, "servers"));
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_EQ(all->size(), 3U);
    EXPECT_EQ(script.asked.at(1).target, "/servers/detail?limit=1000&marker=b");
    // pages without an end, and half a page
    script.others.assign(3, {200, {}, R"({"servers":[{"id":"a"}])" + more + "}"});
    EXPECT_FALSE(loop.run(session->list(Service::compute, path, "servers")));
    script.others = {{200, {}, R"({"servers":[{"id":"a"})"}};
    EXPECT_FALSE(loop.run(session->list(Service::compute, path, "servers"))) << "unknown is not empty";
}

}  // namespace
}  // namespace ocim::compute::openstack
