#include "loadbalancing/haproxy_scripts.hpp"
#include "loadbalancing/tar.hpp"
#include "loadbalancing/version.hpp"
#include "real_haproxy.hpp"

#include <gtest/gtest.h>

/// What a running HAProxy is told, without another process in its place.
namespace ocim::loadbalancing {
namespace {

using namespace test;
using ocim::test::read_file;
using ocim::test::write_file;

class HaproxyRuntime : public RealHaproxyOf<testing::Test> {
protected:
    HaproxyRuntime() : RealHaproxyOf(Way::local) {}

    std::string ask(const std::string& command) {
        return ocim::test::run_program({"socat", "-t", "5", "-", "UNIX-CONNECT:" + server.master_socket()},
                                       "@1 " + command + "\n")
            .output;
    }
    /// "address weight maintenance" of a server of the first site; "" when the process has none of that name.
    std::string runs(const std::string& name) {
        std::istringstream lines(ask("show servers state " + name_of(1)));
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            std::vector<std::string> word;
            for (std::string one; words >> one;) word.push_back(one);
            if (word.size() > 18 && word[3] == name) return word[4] + ":" + word[18] + " " + word[7] + " " + word[6];
        }
        return "";
    }
    std::string origin(std::size_t n) { return "127.0.0.1:" + std::to_string(server.origin_ports[n]); }
    std::string visit(const std::string& host = "site1.example.org") { return server.get(host).substr(0, 8); }
    /// Does what `object` wants, which needs no reload.
    void tell(const crd::LoadBalancerFragment& object, const char* why) {
        const auto before = server.reloads();
        const auto actions = visitor.wanted(object);
        EXPECT_FALSE(actions.empty()) << why;
        visitor.must(actions);
        EXPECT_TRUE(visitor.ready(object)) << why;
        EXPECT_EQ(server.reloads(), before) << why;
    }
};

TEST_F(HaproxyRuntime, HearsOfServersAndDomainsWithoutAReload) {
    auto object = fragment(1);
    visitor.must(visitor.wanted(object));
    object.spec.servers.push_back({"a1", "127.0.0.1", server.origin_ports[1], true});
    tell(object, "another server, on standby");
    EXPECT_EQ(runs("a1"), origin(1) + " 0 0");
    for (int n = 0; n < 4; ++n) EXPECT_EQ(visit(), "origin 0");

    object.spec.servers[0].standby = true;
    object.spec.servers[1].standby = false;
    tell(object, "the other one serves");
    EXPECT_EQ(runs("a0"), origin(0) + " 0 0");
    EXPECT_EQ(runs("a1"), origin(1) + " 1 0");
    for (int n = 0; n < 4; ++n) EXPECT_EQ(visit(), "origin 1");

    object.spec.servers.erase(object.spec.servers.begin());
    tell(object, "the first one goes");
    EXPECT_TRUE(runs("a0").empty() || runs("a0") == origin(0) + " 0 1") << runs("a0");

    object.spec.servers[0].port = server.origin_ports[0];
    tell(object, "the same server elsewhere");
    EXPECT_EQ(runs("a1"), origin(0) + " 1 0");
    EXPECT_EQ(visit(), "origin 0");

    object.spec.domains = {"site1.example.org", "new.example.org"};
    tell(object, "another domain");
    EXPECT_EQ(visit("new.example.org"), "origin 0");
    object.spec.domains = {"new.example.org"};
    tell(object, "a domain less");
    EXPECT_EQ(server.get("site1.example.org"), " 404");

    auto other = fragment(2);
    other.spec.servers[0].port = server.origin_ports[1];
    visitor.must(visitor.wanted(other));
    auto reloads = server.reloads();
    other.spec.domains.push_back("new.example.org");
    other.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    object.spec.domains = {"site1.example.org"};
    visitor.must(visitor.wanted(std::vector{object}));
    visitor.must(visitor.wanted(std::vector{other}));
    EXPECT_EQ(visit("new.example.org"), "origin 1") << "a domain moves";
    visitor.must(visitor.wanted(std::vector{object, other}, true));
    EXPECT_EQ(server.get("new.example.org"), " 404") << "all of it goes";
    EXPECT_EQ(server.reloads(), reloads);
    ASSERT_TRUE(server.service->running());
    // what was told is what a reload finds
    visitor.must(visitor.wanted(fragment(3)));
    EXPECT_EQ(server.reloads(), reloads + 1);
    EXPECT_EQ(visit("site3.example.org"), "origin 0");
    EXPECT_EQ(server.get("site1.example.org"), " 404");
}

TEST_F(HaproxyRuntime, ReloadsForWhatItCannotHear) {
    auto object = fragment(1);
    visitor.must(visitor.wanted(object));
    const auto reloads = [&](const char* why) {
        const auto before = server.reloads();
        visitor.must(visitor.wanted(object));
        EXPECT_EQ(server.reloads(), before + 1) << why;
        EXPECT_TRUE(visitor.ready(object)) << why;
    };
    object.spec.health_check.fall = 7;
    reloads("a server's checks");
    object.spec.stickiness = Spec::Stickiness{"SRV", Spec::Stickiness::Source::load_balancer};
    reloads("another line of the backend");
    object.spec.servers.push_back({"a1", "127.0.0.1", server.origin_ports[1]});
    reloads("HAProxy gives no cookie to a server that it did not start with");
}

TEST_F(HaproxyRuntime, IsReadBackAndReloadedWhenItDidNotFollow) {
    auto object = fragment(1);
    visitor.must(visitor.wanted(object));
    // the process has lost what the files say: its commands fail there
    ask("set server " + name_of(1) + "/a0 state maint");
    ask("del server " + name_of(1) + "/a0");
    ASSERT_EQ(runs("a0"), "");
    object.spec.servers[0].port = server.origin_ports[1];
    const auto before = server.reloads();
    visitor.must(visitor.wanted(object));
    EXPECT_EQ(server.reloads(), before + 1);
    EXPECT_EQ(runs("a0"), origin(1) + " 1 0");
    EXPECT_EQ(visit(), "origin 1");
}

TEST_F(HaproxyRuntime, IsReloadedWhereItsMapIsNotAsItShouldBe) {
    auto object = fragment(1);
    visitor.must(visitor.wanted(object));
    // somebody doubled the line: the first counts, and after that went, the other
    ask("add map " + server.map_file() + " new.example.org unknown");
    object.spec.domains.push_back("new.example.org");
    const auto before = server.reloads();
    visitor.must(visitor.wanted(object));
    EXPECT_EQ(server.reloads(), before + 1);
    EXPECT_EQ(visit("new.example.org"), "origin 0");
}

/// A master whose answers are cut after so many bytes; it still reloads and tells of its workers.
TEST_F(HaproxyRuntime, TakesNoAnswerThatIsCutForProof) {
    auto object = fragment(1);
    object.spec.domains.push_back("more.example.org");
    visitor.must(visitor.wanted(object));
    ocim::test::TempDir programs;
    // what is asked about the worker is cut short; the rest goes through
    write_file(programs.file("socat"),
               "#!/bin/sh\ninput=$(cat)\ncase $input in *'show servers'*) "
               "printf '%s\\n' \"$input\" | /usr/bin/socat \"$@\" | head -n \"$CUT\";;\n"
               "*) printf '%s\\n' \"$input\" | /usr/bin/socat \"$@\";; esac\n");
    std::filesystem::permissions(programs.file("socat"), std::filesystem::perms::owner_all);
    const struct {
        const char* reason;
        const char* lines;
        int reloads;
    } rows[] = {{"nothing", "0", 1}, {"before the maps", "4", 1}, {"all of it", "100000", 0}};
    for (const auto& row : rows) {
        const auto before = server.reloads();
        const auto version = std::filesystem::read_symlink(server.directory() + "/current").string();
        const auto written = ocim::test::run_program(
            {"env", std::string("CUT=") + row.lines, "PATH=" + programs.path() + ":/usr/sbin:/usr/bin:/bin", "/bin/sh",
             "-c", write_script, "ocim", "apply", server.directory(), version, server.master_socket(),
             server.base_config()},
            write_tar({{"domains.map", "site1.example.org " + name_of(1) + "\n", 0640},
                       {".delete", "", 0600},
                       {".runtime", "del map " + server.map_file() + " more.example.org\n", 0600},
                       {".expected", "unmapped more.example.org\n", 0600}}));
        EXPECT_EQ(written.exit_code, 0) << written.output;
        EXPECT_EQ(server.reloads(), before + row.reloads) << row.reason;
    }
}

/// A worker whose list of backends is cut off: whose line is missing is not gone.
TEST_F(HaproxyRuntime, TellsNothingByAListThatIsCutOff) {
    std::vector<crd::LoadBalancerFragment> objects{fragment(1), fragment(2)};
    visitor.must(visitor.wanted(objects));
    ocim::test::TempDir programs;
    write_file(programs.file("socat"), "#!/bin/sh\n/usr/bin/socat \"$@\" | head -c \"$CUT\"\n");
    std::filesystem::permissions(programs.file("socat"), std::filesystem::perms::owner_all);
    const auto look = [&](const std::string& bytes) {
        const auto observed = ocim::test::run_program(
            {"env", "CUT=" + bytes, "PATH=" + programs.path() + ":/usr/sbin:/usr/bin:/bin", "/bin/sh", "-c",
             observe_script, "ocim", server.directory(), server.master_socket(), read_script});
        auto version = Version::observed(observed.output);
        EXPECT_TRUE(version) << observed.output;
        return version ? *std::move(version) : Version{};
    };
    const auto list = ask("show stat -1 6 -1");
    ASSERT_TRUE(list.ends_with("\n\n")) << "HAProxy ends each answer so: " << list;
    const struct {
        const char* reason;
        std::string bytes;
        bool told;
    } rows[] = {{"nothing", "0", false},
                {"only what the columns are called", std::to_string(list.find('\n') + 1), false},
                {"in the middle of a line", std::to_string(list.rfind(name_of(2)) + 60), false},
                {"before a site", std::to_string(list.rfind(name_of(2))), false},
                {"all but the end", "-1", false},
                {"all of it", std::to_string(list.size() + 1'000), true}};
    for (const auto& row : rows) {
        const auto version = look(row.bytes);
        EXPECT_EQ(version.told, row.told) << row.reason;
        EXPECT_EQ(version.traffic.size(), row.told ? 2U : 0U) << row.reason;
        const auto seen = version.snapshot();
        for (const auto n : {1, 2}) {
            const auto& thing = seen.at(fragment_key(name_of(n)));
            EXPECT_TRUE(thing.live) << row.reason;
            EXPECT_FALSE(thing.unread) << row.reason << ": the process does serve it";
        }
    }
}

}  // namespace
}  // namespace ocim::loadbalancing
