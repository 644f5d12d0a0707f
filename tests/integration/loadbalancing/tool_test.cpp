#include "loadbalancing/haproxy_scripts.hpp"
#include "loadbalancing/register.hpp"
#include "loadbalancing/tar.hpp"
#include "loadbalancing/version.hpp"
#include "real_haproxy.hpp"

#include <gtest/gtest.h>
#include <thread>

/// Hosts with the tool haproxy-config, by a stand-in that does what is known of it and refuses all else, over SSH.
namespace ocim::loadbalancing {
namespace {

using namespace test;
using ocim::test::read_file;
using ocim::test::write_file;

constexpr auto stand_in = R"sh(#!/bin/sh
# haproxy-config apply FRAGMENT CONFIG MAP | haproxy-config remove FRAGMENT
here=$(dirname "$0")
echo "$*" >>"$here/calls"
if [ -f "$here/broken" ]; then echo "out of order, Authorization Basic c2VjcmV0c2VjcmV0" >&2; exit 3; fi
case $2 in ''|*[!A-Za-z0-9_-]*) echo "bad name" >&2; exit 2;; esac
case $1 in
apply)
  [ $# -eq 4 ] && [ -f "$3" ] && [ -f "$4" ] || { echo "usage" >&2; exit 2; }
  awk 'NF != 2 { exit 1 }' "$4" || { echo "bad map" >&2; exit 2; }
  [ -z "$(tail -c 1 "$3")" ] || { echo "no newline at the end" >&2; exit 2; }
  if [ -f "$here/wait" ]; then : >"$here/within"; while [ -f "$here/wait" ]; do sleep 0.05; done; fi
  flock -s -w 10 "$here/etc/conf.d" cp "$3" "$here/etc/conf.d/$2" || exit 1
  flock -s -w 10 "$here/etc/backends" awk '{ print tolower($1) " " $2 }' "$4" >"$here/etc/backends/$2";;
remove)
  [ $# -eq 2 ] && [ -f "$here/etc/conf.d/$2" ] && [ -f "$here/etc/backends/$2" ] || { echo "usage" >&2; exit 2; }
  rm "$here/etc/conf.d/$2" "$here/etc/backends/$2";;
*) echo "usage" >&2; exit 2;;
esac
[ ! -f "$here/lost" ] || { rm "$here/lost"; kill -TERM $PPID; }
)sh";

class Tool : public testing::Test {
protected:
    explicit Tool(Way chosen = Way::ssh) : way(chosen) {
        std::filesystem::create_directories(files.file("etc/conf.d"));
        std::filesystem::create_directories(files.file("etc/backends"));
        write_file(files.file("haproxy-config"), stand_in);
        std::filesystem::permissions(files.file("haproxy-config"), std::filesystem::perms::owner_all);
    }
    crd::LoadBalancer balancer() {
        crd::LoadBalancer out;
        out.metadata.name = "lb1";
        auto& haproxy = out.spec.haproxy.emplace();
        auto& tool = haproxy.compatible.emplace();
        tool.fragment = "opencraft-prod";
        tool.command = files.file("haproxy-config");
        tool.directory = files.file("etc");
        if (way == Way::local) {
            haproxy.local.emplace();
            return out;
        }
        auto& ssh = haproxy.ssh.emplace();
        ssh.host = "127.0.0.1";
        ssh.port = sshd.port();
        ssh.user = sshd.user();
        ssh.key_ref.name = "lb-key";
        ssh.host_key = sshd.host_key();
        return out;
    }
    runtime::Inputs inputs() {
        runtime::Inputs out;
        out.installation = "prod";
        out.add(api::encode_object(balancer()));
        out.add(secret("ocim-system", "lb-key", {{"ssh-privatekey", sshd.user_key()}}));
        return out;
    }
    std::unique_ptr<System> open() {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        const auto given = inputs();
        auto opened = Fragment::open(balancer(), given, services);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }
    static crd::LoadBalancerFragment fragment(int n) {
        const auto number = std::to_string(n);
        crd::LoadBalancerFragment out;
        out.metadata.name = "site" + number;
        out.metadata.namespace_ = "campus";
        out.metadata.uid = "uid-" + number;
        out.spec.load_balancer_ref.name = "lb1";
        out.spec.domains = {"Site" + number + ".example.org"};
        out.spec.servers.push_back({"a0", "192.0.2.1", 80});
        return out;
    }
    std::string config() const { return files.file("etc/conf.d/opencraft-prod"); }
    std::string map() const { return files.file("etc/backends/opencraft-prod"); }
    std::size_t calls() const {
        const auto text = std::filesystem::exists(files.file("calls")) ? read_file(files.file("calls")) : "";
        return static_cast<std::size_t>(std::ranges::count(text, '\n'));
    }

    const Way way;
    ocim::test::TempDir files;
    ocim::test::Sshd sshd;
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 2, 16};
    std::unique_ptr<System> system = open();
    ocim::test::Visitor<Fragment> visitor{loop, *system, inputs()};
};

class ToolHere : public Tool {
protected:
    ToolHere() : Tool(Way::local) {}
};

TEST_F(ToolHere, KeepsTheContract) {
    ocim::test::ContractCase<Fragment> given;
    given.object = [](int n) { return fragment(n); };
    given.changed = [](crd::LoadBalancerFragment object) {
        object.spec.servers.push_back({"a1", "192.0.2.2", 80});
        object.spec.domains.push_back("more.example.org");
        return object;
    };
    given.adopting = [](crd::LoadBalancerFragment object) {
        object.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [this](int n) {
        const auto name = "ocim-campus_site" + std::to_string(n);
        const auto there = std::filesystem::exists(config());
        write_file(config(), (there ? read_file(config()) : "") + "backend " + name + "\n  mode http\n");
        write_file(map(), std::filesystem::exists(map()) ? read_file(map()) : "");
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

TEST_F(Tool, IsAskedOnceForAllAndCarriesStrangersAlong) {
    const std::string stranger = "# a remark\nuserlist people\n  user a password b\nbackend be-old\n  mode http\n";
    write_file(config(), stranger);
    write_file(map(), "old.example.org be-old\n");
    std::vector<crd::LoadBalancerFragment> objects;
    for (int n = 0; n < 50; ++n) objects.push_back(fragment(n));
    visitor.must(visitor.wanted(objects));
    EXPECT_EQ(calls(), 1U);
    EXPECT_EQ(visitor.wanted(objects).size(), 0U);
    const auto said = visitor.report(objects[0]);
    EXPECT_EQ(said.verdict.state, runtime::Verdict::State::ready) << said.verdict.message;
    EXPECT_FALSE(said.look_again) << "nobody tells of checks";
    auto text = read_file(map());
    EXPECT_NE(text.find("old.example.org be-old\n"), std::string::npos);
    EXPECT_NE(text.find("site7.example.org ocim-campus_site7\n"), std::string::npos);

    write_file(map(), text + "site7.example.org be-old\n");
    write_file(config(), read_file(config()) + "  # by hand\n");
    visitor.must(visitor.wanted(objects));
    visitor.must(visitor.wanted(objects, true));
    EXPECT_NE(read_file(config()).find("userlist people\n  user a password b\n"), std::string::npos);
    EXPECT_NE(read_file(config()).find("backend be-old\n  mode http\n"), std::string::npos);
    EXPECT_EQ(read_file(config()).find("ocim"), std::string::npos);
    std::filesystem::remove(config());
    std::filesystem::remove(map());
    visitor.must(visitor.wanted(fragment(1)));
    visitor.must(visitor.wanted(fragment(1), true));
    EXPECT_FALSE(std::filesystem::exists(config())) << "what is empty is removed";
}

TEST_F(Tool, WhatIsInAnotherFragmentIsNobodysToTake) {
    const auto others_config = files.file("etc/conf.d/50-other"), others_map = files.file("etc/backends/50-other");
    const std::string config_text = "backend ocim-campus_site1\n  mode http\n", map_text = "Site2.example.org be-old\n";
    write_file(others_config, config_text);
    write_file(others_map, map_text);
    write_file(files.file("etc/conf.d/editor~"), "backend ocim-campus_site3\n");
    auto objects = std::vector{fragment(1), fragment(2), fragment(3)};
    for (const auto adopt : {false, true}) {
        for (auto& object : objects)
            object.spec.adoption_policy = adopt ? Spec::AdoptionPolicy::adopt : Spec::AdoptionPolicy::never;
        if (!adopt) visitor.must(visitor.wanted(objects));
        EXPECT_TRUE(visitor.wanted(objects).empty());
        for (const int n : {0, 1}) {
            const auto said = visitor.report(objects[static_cast<std::size_t>(n)]).verdict;
            EXPECT_EQ(said.reason, "NotOwned") << n;
            EXPECT_NE(said.message.find("50-other"), std::string::npos) << said.message;
        }
        EXPECT_TRUE(visitor.ready(objects[2])) << "nobody else is held up";
    }
    EXPECT_EQ(read_file(config()).find("ocim-campus_site1"), std::string::npos);
    EXPECT_EQ(read_file(others_config), config_text);
    EXPECT_EQ(read_file(others_map), map_text);
    std::filesystem::remove(others_config);
    std::filesystem::remove(others_map);
    visitor.must(visitor.wanted(objects));
    EXPECT_TRUE(visitor.ready(objects[0]) && visitor.ready(objects[1]));
    // one that comes later is told of, and ours can still go
    write_file(others_config, config_text);
    EXPECT_EQ(visitor.report(objects[0]).verdict.reason, "NotOwned");
    visitor.must(visitor.wanted(std::vector{objects[1], objects[2]}, true));
    visitor.succeed(visitor.wanted(objects[0], true));
    EXPECT_FALSE(std::filesystem::exists(config()));
    EXPECT_EQ(read_file(others_config), config_text);
}

/// What Ocim may not read holds nothing up but names that may be in it.
TEST_F(ToolHere, OthersFilesThatCannotBeReadAreTold) {
    visitor.must(visitor.wanted(fragment(1)));
    const auto run = [&](const std::vector<std::string>& more) {
        // who may not read everything, as root may
        std::vector<std::string> command{"setpriv",         "--reuid=65534", "--regid=65534",
                                         "--clear-groups",  "/bin/sh",       "-c",
                                         tool_script,       "ocim",          files.file("haproxy-config"),
                                         files.file("etc"), "opencraft-prod"};
        command.insert(command.end(), more.begin(), more.end());
        return ocim::test::run_program(command, "");
    };
    using std::filesystem::perms;
    for (const auto* name : {"", "haproxy-config", "etc", "etc/conf.d", "etc/backends"})
        std::filesystem::permissions(files.path() + "/" + name, perms::others_read | perms::others_exec,
                                     std::filesystem::perm_options::add);
    for (const auto& name : {config(), map()})
        std::filesystem::permissions(name, perms::others_read, std::filesystem::perm_options::add);
    write_file(files.file("etc/conf.d/40-readable"), "backend be-old\n");
    std::filesystem::permissions(files.file("etc/conf.d/40-readable"), perms::others_read,
                                 std::filesystem::perm_options::add);
    std::filesystem::create_symlink("nowhere", files.file("etc/conf.d/45-dangling"));
    const auto look = [&] {
        const auto said = run({"read"});
        const auto version = Version::observed(said.output);
        EXPECT_TRUE(version && version->fragments.contains("ocim-campus_site1") &&
                    version->backends_elsewhere.contains("be-old"))
            << said.output;
        return version ? version->unreadable_elsewhere : "";
    };
    EXPECT_EQ(look(), "");
    for (const auto* file : {"backends/50 other", "conf.d/60-other"}) {
        write_file(files.file(std::string("etc/") + file), "listen secret\n");
        std::filesystem::permissions(files.file(std::string("etc/") + file), perms::owner_read);
        const auto probed = run({"probe"});
        EXPECT_EQ(probed.exit_code, 0) << "it is no trouble of the load balancer's: " << probed.output;
        auto said = std::string(file);
        std::ranges::replace(said, ' ', '?');
        EXPECT_EQ(look(), said);
        std::filesystem::remove(files.file(std::string("etc/") + file));
    }
    std::filesystem::permissions(config(), perms::owner_read);
    EXPECT_EQ(run({"probe"}).exit_code, 1) << "ours must be readable";
    EXPECT_EQ(run({"read"}).exit_code, 1);
}

TEST_F(ToolHere, OneWriterFollowsAnother) {
    visitor.must(visitor.wanted(fragment(1)));
    const auto run = [&](const std::vector<std::string>& more, const std::string& input = {}) {
        std::vector<std::string> command{
            "/bin/sh", "-c", tool_script, "ocim", files.file("haproxy-config"), files.file("etc"), "opencraft-prod"};
        command.insert(command.end(), more.begin(), more.end());
        return ocim::test::run_program(command, input);
    };
    const auto version = Version::observed(run({"read"}).output);
    ASSERT_TRUE(version) << version.error().message;
    const auto input = [](const std::string& name) {
        return write_tar({{"conf.d/" + name + ".cfg", "backend " + name + "\n  mode http\n", 0640},
                          {"domains.map", "", 0640},
                          {".delete", "", 0600}});
    };
    write_file(files.file("wait"), "");
    const auto before = calls();
    std::array<int, 2> codes{};
    std::thread first([&] { codes[0] = run({"apply", version->name}, input("one")).exit_code; });
    EXPECT_TRUE(
        ocim::test::wait_for([&] { return std::filesystem::exists(files.file("within")); }, std::chrono::seconds(20)));
    EXPECT_EQ(ocim::test::run_program({"flock", "-n", files.file("etc"), "true"}).exit_code, 1)
        << "nobody else writes while the tool is at work";
    std::thread second([&] { codes[1] = run({"apply", version->name}, input("two")).exit_code; });
    std::filesystem::remove(files.file("wait"));
    first.join();
    second.join();
    EXPECT_EQ(codes, (std::array<int, 2>{0, exit_changed})) << "the second one knows another version";
    EXPECT_EQ(calls(), before + 1);
    EXPECT_NE(read_file(config()).find("backend one"), std::string::npos);
}

TEST_F(Tool, FailuresAreSaidAndALostAnswerIsLookedAt) {
    EXPECT_TRUE(loop.run(system->probe()));
    const auto actions = visitor.wanted(fragment(1));
    write_file(files.file("broken"), "");
    auto answers = visitor.act(actions);
    ASSERT_FALSE(*answers.at(0));
    EXPECT_EQ(answers[0]->error().error_class, ErrorClass::transient);
    EXPECT_NE(answers[0]->error().message.find("ended with 3: out of order"), std::string::npos)
        << answers[0]->error().message;
    EXPECT_EQ(answers[0]->error().message.find("c2Vjc"), std::string::npos) << "nobody is told a credential";
    std::filesystem::remove(files.file("broken"));

    write_file(files.file("lost"), "");
    answers = visitor.act(actions);
    ASSERT_FALSE(*answers.at(0)) << "the shell died after the effect";
    EXPECT_TRUE(visitor.wanted(fragment(1)).empty()) << "and it was done";

    std::filesystem::rename(files.file("etc"), files.file("away"));
    const auto seen = visitor.look();
    ASSERT_FALSE(seen) << "unknown is not empty";
    EXPECT_EQ(seen.error().error_class, ErrorClass::not_found);
    std::filesystem::rename(files.file("away"), files.file("etc"));
    std::filesystem::rename(files.file("haproxy-config"), files.file("elsewhere"));
    const auto probed = loop.run(system->probe());
    ASSERT_FALSE(probed);
    EXPECT_NE(probed.error().message.find("has no program"), std::string::npos) << probed.error().message;
}

}  // namespace
}  // namespace ocim::loadbalancing
