#include "base/async.hpp"
#include "loadbalancing/haproxy_scripts.hpp"
#include "loadbalancing/tar.hpp"
#include "real_haproxy.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

/// LoadBalancerFragments in a real HAProxy, on this host and over SSH, checked with curl.
namespace ocim::loadbalancing {
namespace {

using namespace test;
using ocim::test::read_file;
using ocim::test::write_file;

TEST_P(RealHaproxy, KeepsTheContract) {
    ocim::test::ContractCase<Fragment> given;
    given.object = [this](int n) { return fragment(n); };
    given.changed = [this](crd::LoadBalancerFragment object) {
        object.spec.servers.push_back({"a1", "127.0.0.1", server.origin_ports[1]});
        object.spec.domains.push_back("more.example.org");
        return object;
    };
    given.adopting = [](crd::LoadBalancerFragment object) {
        object.spec.adoption_policy = crd::LoadBalancerFragment::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [this](int n) {
        write_file(server.fragment_file(name_of(n)), "backend " + name_of(n) + "\n  http-request return status 200\n");
    };
    given.refused = [] {
        const Mark mark{"prod", "campus/bad", "uid-bad", false};
        return Action{Action::Verb::create,
                      "ocim-campus_bad",
                      Secret("# ocim " + mark.text() + "\nbackend ocim-campus_bad\n  no such word\n"),
                      {"bad.example.org"},
                      mark};
    };
    ocim::test::run_contract(visitor, given);
}

TEST_P(RealHaproxy, VisitorsReachTheirSite) {
    auto object = fragment(1);
    object.spec.basic_auth_secret_ref.emplace().name = "auth";
    object.spec.stickiness.emplace().cookie = "sessionid";
    object.spec.health_check.path = "/heartbeat?a=\"b";
    object.spec.health_check.interval = "1s";
    visitor.must(visitor.wanted(object));
    const auto header = "Basic " + runtime::base64("user:pass\"'\\$w\xc3\xb6rd");
    EXPECT_EQ(server.get("Site1.example.org:8080"), "origin 0 host=Site1.example.org:8080 auth=" + header + " 200");
    EXPECT_EQ(server.get("site1.example.org", {"-H", "Authorization: Basic b3RoZXI="}),
              "origin 0 host=site1.example.org auth=Basic b3RoZXI= 200")
        << "who brings a credential keeps it";
    EXPECT_EQ(server.get("other.example.org"), " 404");
    EXPECT_TRUE(visitor.ready(object));
    EXPECT_EQ(visitor.report(object).status.active_servers, std::vector<std::string>{"a0"});
    for (const auto& file : {server.fragment_file(name_of(1)), server.map_file()})
        EXPECT_EQ(std::filesystem::status(file).permissions() & std::filesystem::perms::others_all,
                  std::filesystem::perms::none)
            << file;

    auto moved = object;
    moved.spec.servers = {{"a1", "127.0.0.1", server.origin_ports[1]}};
    visitor.must(visitor.wanted(moved));
    EXPECT_EQ(server.get("site1.example.org").substr(0, 8), "origin 1");

    moved.spec.servers.clear();
    visitor.must(visitor.wanted(moved));
    EXPECT_NE(server.get("site1.example.org").find("being prepared"), std::string::npos);
    EXPECT_TRUE(visitor.ready(moved));

    visitor.must(visitor.wanted(moved, true));
    EXPECT_EQ(server.get("site1.example.org"), " 404");
}

TEST_P(RealHaproxy, AServerOnStandbyIsCheckedAndGetsNoVisitors) {
    using State = decltype(crd::LoadBalancerFragment::Status{}.servers)::value_type::Check;
    auto object = fragment(1);
    object.spec.health_check.path = "/heartbeat";
    object.spec.servers.push_back({"a1", "127.0.0.1", server.origin_ports[1], true});
    object.spec.servers.push_back({"nobody", "127.0.0.1", 1, true});
    visitor.must(visitor.wanted(object));
    const auto state = [&](std::size_t index) { return visitor.report(object).status.servers.at(index).check; };
    const auto deadline = loop.clock().now() + std::chrono::seconds(20);
    while (state(0) == State::unknown || state(1) == State::unknown || state(2) == State::unknown)
        ASSERT_LT(loop.clock().now(), deadline);
    EXPECT_EQ(state(0), State::passed);
    EXPECT_EQ(state(1), State::passed);
    EXPECT_EQ(state(2), State::failed);
    EXPECT_EQ(visitor.report(object).status.servers[2].message, "L4CON");
    for (int n = 0; n < 10; ++n) EXPECT_EQ(server.get("site1.example.org").substr(0, 8), "origin 0");
    object.spec.servers[1].standby = false;
    object.spec.servers[0].standby = true;
    visitor.must(visitor.wanted(object));
    for (int n = 0; n < 10; ++n) EXPECT_EQ(server.get("site1.example.org").substr(0, 8), "origin 1");
}

TEST_P(RealHaproxy, TrafficIsCounted) {
    const auto object = fragment(1);
    visitor.must(visitor.wanted(object));
    for (int n = 0; n < 3; ++n) EXPECT_TRUE(server.get("site1.example.org").ends_with(" 200"));
    const auto counted = open();  // numbers are told once a minute by each
    const auto seen = loop.run(counted->observe());
    ASSERT_TRUE(seen) << seen.error().message;
    const auto said = Fragment::report(object, inputs(), *seen);
    ASSERT_TRUE(said.status.traffic);
    EXPECT_EQ(said.status.traffic->requests, 3);
    EXPECT_EQ(said.status.traffic->failures, 0);
    EXPECT_GT(said.status.traffic->bytes_out, 3 * 20);
    const auto all = Fragment::backend_report("prod", *seen);
    EXPECT_EQ(all.at("traffic").at("requests"), api::Json(3));
    EXPECT_EQ(all.at("traffic").at("responses").at("successful"), api::Json(3));
    EXPECT_FALSE(Fragment::backend_report("another", *seen).contains("traffic")) << "what is not ours we do not count";
}

TEST_P(RealHaproxy, AServerThatAPersonTookOutIsDown) {
    using State = decltype(crd::LoadBalancerFragment::Status{}.servers)::value_type::Check;
    const auto object = fragment(1);
    visitor.must(visitor.wanted(object));
    const auto state = [&] { return visitor.report(object).status.servers.at(0).check; };
    ASSERT_TRUE(ocim::test::wait_for([&] { return state() == State::passed; }, std::chrono::seconds(20)));
    EXPECT_EQ(Fragment::backend_report("prod", visitor.see()).at("serverStates").at("up"), api::Json(1));
    ocim::test::run_program({"socat", "-t", "5", "-", "UNIX-CONNECT:" + server.master_socket()},
                            "@1 set server " + name_of(1) + "/a0 state maint\n");
    const auto said = visitor.report(object);
    EXPECT_EQ(said.status.servers.at(0).check, State::failed);
    EXPECT_EQ(said.status.servers.at(0).message, "MAINT");
    EXPECT_FALSE(said.look_again) << "nobody looks each second for a check that does not come";
    EXPECT_EQ(Fragment::backend_report("prod", visitor.see()).at("serverStates").at("down"), api::Json(1));
}

TEST_P(RealHaproxy, EveryShapeOfFragmentIsTaken) {
    std::vector<crd::LoadBalancerFragment> objects;
    for (int n = 0; n < 5; ++n) objects.push_back(fragment(n));
    objects[0].spec.stickiness = Spec::Stickiness{"SRV", Spec::Stickiness::Source::load_balancer};
    objects[1].spec.servers[0] = {"six", "2001:db8::1", 80};
    objects[2].spec.health_check.path = "/odd?\"'\\$HOME{}%5B#x;";
    objects[2].spec.health_check.expected_status = "200,301-302";
    objects[2].spec.options = {{"balance", "leastconn"},
                               {"retries", "2"},
                               {"retry-on", "conn-failure 503"},
                               {"http-reuse", "safe"},
                               {"fullconn", "100"},
                               {"timeout connect", "3s"},
                               {"timeout queue", "3s"},
                               {"timeout server", "5m"},
                               {"timeout tunnel", "1h"},
                               {"compression algo", "gzip"},
                               {"compression type", "text/html text/css"}};
    objects[3].spec.servers.clear();
    objects[3].spec.preliminary_page = false;
    objects[4].metadata.name = std::string(200, 'x') + ".long.name";
    objects[4].metadata.namespace_ = std::string(63, 'n');
    visitor.must(visitor.wanted(objects));
    for (const auto& object : objects) EXPECT_TRUE(visitor.ready(object)) << object.metadata.name;
}

TEST_P(RealHaproxy, AHundredFragmentsAreOneReload) {
    std::vector<crd::LoadBalancerFragment> objects;
    for (int n = 0; n < 100; ++n) objects.push_back(fragment(n));
    const auto before = server.reloads();
    visitor.must(visitor.wanted(objects));
    EXPECT_EQ(server.reloads(), before + 1);
    EXPECT_EQ(server.get("site99.example.org").substr(0, 8), "origin 0");
    visitor.must(visitor.wanted(objects));
    EXPECT_EQ(server.reloads(), before + 1) << "what is in force is not reloaded";
}

TEST_P(RealHaproxy, IsNotReadyWhereHaproxyIsStartedWithoutOurFile) {
    const auto object = fragment(1);
    visitor.must(visitor.wanted(object));
    EXPECT_TRUE(visitor.ready(object));
    server.service.reset();
    server.service.emplace(ocim::test::Service::Settings{
        .command = {"haproxy", "-W", "-S", server.master_socket(), "-f", server.base_config()},
        .log = {},
        .environment = {}});
    server.wait_until_ready();
    EXPECT_TRUE(ocim::test::wait_for([&] { return visitor.report(object).verdict.reason == "NotServed"; }));
    EXPECT_TRUE(server.get("site1.example.org").ends_with(" 503") || server.get("site1.example.org").ends_with(" 404"));
    EXPECT_TRUE(visitor.wanted(object).empty()) << "only a person can help";
}

TEST_P(RealHaproxy, NoRequestIsLostInAReload) {
    visitor.must(visitor.wanted(fragment(1)));
    std::atomic<bool> stop = false;
    std::atomic<int> good = 0, bad = 0;
    std::thread visitors([&] {
        while (!stop) ++(server.get("site1.example.org").ends_with(" 200") ? good : bad);
    });
    for (int n = 2; n < 6; ++n) visitor.must(visitor.wanted(fragment(n)));
    stop = true;
    visitors.join();
    EXPECT_EQ(bad, 0);
    EXPECT_GT(good, 20);
}

TEST_P(RealHaproxy, ChangesBehindOurBackAreSeenAndPutRight) {
    const auto object = fragment(1);
    const auto file = [this] { return server.fragment_file(name_of(1)); };
    visitor.must(visitor.wanted(object));
    const auto text = read_file(file());
    struct {
        const char* reason;
        std::function<void()> change;
    } const rows[] = {
        {"the file was edited", [&] { write_file(file(), text + "  # by hand\n"); }},
        {"the file is gone", [&] { std::filesystem::remove(file()); }},
        {"the map is empty", [&] { write_file(server.map_file(), "# nothing\n"); }},
        {"the file may be read by all",
         [&] {
             std::filesystem::permissions(file(), std::filesystem::perms::others_read,
                                          std::filesystem::perm_options::add);
         }},
        {"what HAProxy loads was edited",
         [&] { write_file(server.directory() + "/current/haproxy.cfg", text + "  # by hand\n"); }},
        {"what HAProxy loads may be read by all",
         [&] {
             std::filesystem::permissions(server.directory() + "/current/haproxy.cfg",
                                          std::filesystem::perms::others_read, std::filesystem::perm_options::add);
         }},
        {"a person's own fragment was edited", [&] { write_file(server.fragment_file("person"), "# nothing\n"); }},
        {"a former version is loaded", [&] { write_file(server.directory() + "/loaded", "v0\n"); }},
    };
    for (const auto& row : rows) {
        row.change();
        EXPECT_FALSE(visitor.ready(object)) << row.reason;
        visitor.must(visitor.wanted(object));
        EXPECT_TRUE(visitor.ready(object)) << row.reason;
        EXPECT_EQ(read_file(file()), text) << row.reason;
        EXPECT_TRUE(server.get("site1.example.org").ends_with(" 200")) << row.reason;
        EXPECT_EQ(std::filesystem::status(server.directory() + "/current/haproxy.cfg").permissions() &
                      std::filesystem::perms::others_all,
                  std::filesystem::perms::none)
            << row.reason;
    }
    // what is not ours stays: a file that HAProxy does not load, and a line of the map
    write_file(server.directory() + "/current/conf.d/notes.txt", "a person's");
    write_file(server.map_file(), read_file(server.map_file()) + "# a remark\nperson.example.org unknown\n");
    visitor.must(visitor.wanted(fragment(2)));
    EXPECT_EQ(read_file(server.directory() + "/current/conf.d/notes.txt"), "a person's");
    EXPECT_NE(read_file(server.map_file()).find("# a remark\nperson.example.org unknown\n"), std::string::npos);
}

TEST_P(RealHaproxy, AVersionThatCannotBeTakenIsTakenBack) {
    visitor.must(visitor.wanted(fragment(1)));
    // the check does not bind, so it passes; the reload finds the port taken
    ocim::test::TempDir directory;
    write_file(directory.file("other.cfg"), "");
    const auto taken = ocim::test::free_port();
    ocim::test::Service other(
        {.command = {"socat", "TCP-LISTEN:" + std::to_string(taken) + ",bind=127.0.0.1,fork", "EXEC:true"},
         .log = {},
         .environment = {}});
    other.wait_for_port(taken);
    write_file(server.fragment_file("person"),
               "frontend person\n  mode http\n  timeout client 5s\n  bind 127.0.0.1:" + std::to_string(taken) + "\n");
    const auto before = std::filesystem::read_symlink(server.directory() + "/current");
    const auto answers = visitor.act(visitor.wanted(fragment(2)));
    ASSERT_FALSE(*answers.at(0));
    EXPECT_EQ(answers[0]->error().error_class, ErrorClass::transient) << answers[0]->error().message;
    EXPECT_EQ(std::filesystem::read_symlink(server.directory() + "/current"), before);
    EXPECT_TRUE(server.get("site1.example.org").ends_with(" 200")) << "the old one goes on";
    other.kill();
    visitor.must(visitor.wanted(fragment(2)));
    EXPECT_TRUE(server.get("site2.example.org").ends_with(" 200"));
}

TEST_P(RealHaproxy, FailuresHaveTheirClass) {
    const auto object = fragment(1);
    EXPECT_TRUE(loop.run(system->probe()));
    const auto actions = visitor.wanted(object);
    server.service->stop();
    auto probed = loop.run(system->probe());
    ASSERT_FALSE(probed);
    EXPECT_EQ(probed.error().error_class, ErrorClass::unreachable) << probed.error().message;
    const auto answers = visitor.act(actions);
    ASSERT_FALSE(*answers.at(0));
    EXPECT_EQ(answers[0]->error().error_class, ErrorClass::unreachable) << answers[0]->error().message;
    EXPECT_FALSE(std::filesystem::exists(server.fragment_file(name_of(1)))) << "nothing was changed";
    server.service->start();
    server.wait_until_ready();
    visitor.must(visitor.wanted(object));

    std::filesystem::rename(server.directory(), server.directory() + ".away");
    const auto seen = visitor.look();
    ASSERT_FALSE(seen) << "unknown is not empty";
    EXPECT_EQ(seen.error().error_class, ErrorClass::not_found);
    std::filesystem::rename(server.directory() + ".away", server.directory());
    if (!sshd) return;
    sshd->stop();
    probed = loop.run(system->probe());
    ASSERT_FALSE(probed);
    EXPECT_EQ(probed.error().error_class, ErrorClass::unreachable) << probed.error().message;
    sshd->start();
    EXPECT_TRUE(loop.run(system->probe())) << "it is found again without being opened anew";
}

TEST(HaproxyScripts, SayWhichProgramIsMissing) {
    ocim::test::HaproxyService server;
    const auto run = [](const std::string& path, const char* script, std::vector<std::string> arguments) {
        std::vector<std::string> command{"env", "PATH=" + path, "/bin/sh", "-c", script, "ocim"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return ocim::test::run_program(command, write_tar({{"domains.map", "", 0640}, {".delete", "", 0600}}));
    };
    for (const auto* missing : {"flock", "awk", "cmp"}) {
        ocim::test::TempDir programs;
        const auto linked = ocim::test::run_program(
            {"sh", "-c", "ln -s /usr/bin/* \"$1\" && rm \"$1/$2\"", "sh", programs.path(), missing});
        ASSERT_EQ(linked.exit_code, 0) << linked.output;
        const bool needed = std::string_view(missing) != "cmp";
        const auto probed = run(programs.path(), probe_script, {server.directory(), server.master_socket()});
        EXPECT_EQ(probed.exit_code, needed ? exit_no_tool : 0) << missing << probed.output;
        if (needed) EXPECT_EQ(probed.output, missing + std::string("\n"));
        if (std::string_view(missing) == "awk") continue;
        const auto before = server.reloads();
        const auto written = run(programs.path(), write_script,
                                 {"apply", server.directory(), "v0", server.master_socket(), server.base_config()});
        EXPECT_EQ(written.exit_code, needed ? exit_no_tool : 0) << missing << written.output;
        EXPECT_EQ(server.reloads(), needed ? before : before + 1);
        if (needed) continue;
        const auto read = run(programs.path(), read_script, {server.directory()});
        EXPECT_EQ(read.output.substr(0, 2), ".\n") << "nothing is stale without " << missing;
    }
}

/// After a loss of power what is in force is there as a whole, private keys and all.
TEST(HaproxyScripts, PutNothingInForceThatIsNotOnTheDisk) {
    ocim::test::HaproxyService server;
    ocim::test::TempDir programs;
    const auto current = [&] { return std::filesystem::read_symlink(server.directory() + "/current").string(); };
    const auto write = [&](const std::string& sync) {
        std::filesystem::remove(programs.file("calls"));
        write_file(programs.file("sync"),
                   "#!/bin/sh\necho \"$(readlink current) $*\" >>" + programs.file("calls") + "\n" + sync + "\n");
        std::filesystem::permissions(programs.file("sync"), std::filesystem::perms::owner_all);
        const auto input =
            write_tar({{"domains.map", "", 0640}, {"certs/x.pem", "a key", 0600}, {".delete", "", 0600}});
        return ocim::test::run_program(
            {"env", "PATH=" + programs.path() + ":/usr/sbin:/usr/bin:/bin", "/bin/sh", "-c", write_script, "ocim",
             "apply", server.directory(), "v0", server.master_socket(), server.base_config()},
            input);
    };
    for (const auto* broken : {"exit 1", "[ \"$2\" != . ]"}) {
        const auto refused = write(broken);
        EXPECT_EQ(refused.exit_code, 1) << refused.output;
        EXPECT_EQ(current(), "v0") << broken;
        EXPECT_FALSE(std::filesystem::exists(server.directory() + "/v1")) << broken;
    }
    const auto written = write("exec /usr/bin/sync \"$@\"");
    EXPECT_EQ(written.exit_code, 0) << written.output;
    auto calls = read_file(programs.file("calls"));
    const std::string last = "v1 -- .\n";
    ASSERT_TRUE(calls.ends_with(last)) << calls;
    calls.erase(calls.size() - last.size());
    EXPECT_EQ(calls.find("v1 -- "), std::string::npos) << "the files, and then the link: " << calls;
    EXPECT_EQ(calls.find(" -f "), std::string::npos) << "nobody else's file is waited for";
    std::istringstream words(calls);
    const std::set<std::string> synced{std::istream_iterator<std::string>(words), {}};
    for (const auto* name : {"", "/haproxy.cfg", "/domains.map", "/.sum", "/conf.d", "/certs", "/certs/x.pem"})
        EXPECT_TRUE(synced.contains(std::string("v1") + name)) << name << " in " << calls;
}

TEST(HaproxyScripts, SpeakByPerlWhereThereIsNoSocat) {
    ocim::test::HaproxyService server;
    ocim::test::TempDir programs;
    const auto linked =
        ocim::test::run_program({"sh", "-c", "ln -s /usr/bin/* \"$1\" && rm \"$1/socat\"", "sh", programs.path()});
    ASSERT_EQ(linked.exit_code, 0) << linked.output;
    const auto run = [&](const char* script, std::vector<std::string> arguments, const std::string& input = {}) {
        std::vector<std::string> command{"env", "PATH=" + programs.path(), "/bin/sh", "-c", script, "ocim"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return ocim::test::run_program(command, input);
    };
    const auto probed = run(probe_script, {server.directory(), server.master_socket()});
    EXPECT_EQ(probed.exit_code, 0) << probed.output;
    const auto before = server.reloads();
    const auto input = write_tar({{"domains.map", "", 0640}, {".delete", "", 0600}});
    const auto written =
        run(write_script, {"apply", server.directory(), "v0", server.master_socket(), server.base_config()}, input);
    EXPECT_EQ(written.exit_code, 0) << written.output;
    EXPECT_EQ(server.reloads(), before + 1);
    const auto late =
        run(write_script, {"apply", server.directory(), "v0", server.master_socket(), server.base_config()}, input);
    EXPECT_EQ(late.exit_code, exit_changed) << "v0 is in force no more";
}

INSTANTIATE_TEST_SUITE_P(Hosts, RealHaproxy, testing::Values(Way::local, Way::ssh),
                         [](const auto& info) { return info.param == Way::local ? "Local" : "Ssh"; });

}  // namespace
}  // namespace ocim::loadbalancing
