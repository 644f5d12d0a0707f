#include "loadbalancing/change.hpp"
#include "loadbalancing/rendering.hpp"
#include "loadbalancing/tar.hpp"
#include "sample.hpp"

#include <gtest/gtest.h>

namespace ocim::loadbalancing {
namespace {

using namespace test;

TEST(Tar, CarriesFilesBothWays) {
    const std::vector<TarFile> files{{"conf.d/a.cfg", std::string(513, 'x'), 0640},
                                     {"domains.map", "", 0600},
                                     {std::string(100, 'n'), std::string("\0\n\xff", 3), 0644},
                                     {"exact", std::string(512, 'y'), 0640}};
    const auto stream = write_tar(files);
    EXPECT_EQ(stream.size() % 512, 0U);
    const auto read = read_tar(stream);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, files);
}

TEST(Tar, RefusesWhatIsGarbled) {
    const auto stream = write_tar({{"a", std::string(2000, 'x'), 0640}});
    for (std::size_t length = 0; length < stream.size() - 512; length += 100)
        EXPECT_FALSE(read_tar(stream.substr(0, length))) << length << " bytes of " << stream.size();
    auto flipped = stream;
    flipped[3] = 'z';
    EXPECT_FALSE(read_tar(flipped)) << "the sum of the header tells";
    EXPECT_FALSE(read_tar(std::string(1024, 'x')));
    auto huge = stream;
    huge.replace(124, 11, "77777777777");
    EXPECT_FALSE(read_tar(huge)) << "a size beyond the stream";
}

TEST(DomainMap, KeepsWhatIsNotOurs) {
    const std::string text = "# a comment\n\nwww.other.org  their_backend\na.org ours\nonly-a-key\na.org second\n";
    auto map = DomainMap::parse(text);
    EXPECT_EQ(map.text(), text);
    EXPECT_EQ(map.leads(), (std::map<std::string, std::string>{{"a.org", "ours"}, {"www.other.org", "their_backend"}}))
        << "the first line of a host counts";
    map.remove({"ours"}, {});
    map.add("b.org", "ours");
    EXPECT_EQ(map.text(), "# a comment\n\nwww.other.org  their_backend\nonly-a-key\na.org second\nb.org ours\n");
    map.remove({}, {"www.other.org"});
    EXPECT_FALSE(map.leads().contains("www.other.org"));
    EXPECT_EQ(DomainMap::parse("a b").text(), "a b\n") << "a last line without its end gets one";
}

std::string marked(int n) { return "# ocim " + mark(n).text() + "\nbackend " + name_of(n) + "\n"; }

TEST(Version, IsReadFromTheStream) {
    const auto stream = write_tar({{"v7/conf.d/" + name_of(1) + ".cfg", marked(1), 0640},
                                   {"v7/conf.d/" + name_of(2) + ".cfg", marked(2), 0644},
                                   {"v7/conf.d/strange.cfg", "backend s\n", 0644},
                                   {"v7/conf.d/.hidden.cfg", "x", 0644},
                                   {"v7/conf.d/notes.txt", "x", 0644},
                                   {"v7/domains.map", "site1.example.org " + name_of(1) + "\nx.org strange\n", 0640},
                                   {"loaded", "v7\n", 0640}});
    const auto version = Version::read(stream);
    ASSERT_TRUE(version) << version.error().message;
    EXPECT_EQ(version->name, "v7");
    EXPECT_EQ(version->loaded, "v7");
    Snapshot wanted;
    wanted[fragment_key(name_of(1))] = {mark(1), Secret(marked(1)), {"site1.example.org"}, true, false, {}, {}, {}};
    wanted[fragment_key(name_of(2))] = {mark(2), Secret(marked(2)), {}, true, true, {}, {}, {}};
    wanted[fragment_key("strange")] = {{}, Secret("backend s\n"), {"x.org"}, true, false, {}, {}, {}};
    wanted[domain_key("site1.example.org")].backend = name_of(1);
    wanted[domain_key("x.org")].backend = "strange";
    EXPECT_EQ(version->snapshot(), wanted);

    EXPECT_EQ(Version::read("")->name, "") << "no version yet is an answer";
    EXPECT_FALSE(Version::read("nonsense")) << "unknown is not empty";
    EXPECT_FALSE(Version::read(write_tar({{"loaded", "v1\n", 0640}})));
}

TEST(Version, IsNotLiveBeforeItWasTaken) {
    auto version = *Version::read(write_tar({{"v7/conf.d/" + name_of(1) + ".cfg", marked(1), 0640},
                                             {"v7/domains.map", "", 0640},
                                             {"loaded", "v6\n", 0640}}));
    EXPECT_FALSE(version.snapshot()[checks_key(name_of(1))].live);
    version.loaded = "v7";
    EXPECT_TRUE(version.snapshot()[fragment_key(name_of(1))].live);
}

TEST(Change, HoldsTheDifferenceOfManyActions) {
    Version now;
    now.name = "v1";
    now.fragments[name_of(1)] = {marked(1), false};
    now.fragments["strange"] = {"backend s\n", false};
    now.domains = DomainMap::parse("x.org strange\nsite1.example.org " + name_of(1) + "\n");
    using Verb = Action::Verb;
    const std::vector<Action> actions{
        {Verb::update, name_of(1), Secret("new"), {"new.org"}, mark(1)},
        {Verb::create, name_of(2), Secret("two"), {"two.org"}, mark(2)},
        {Verb::delete_, name_of(3), {}, {}, mark(3)},
        {Verb::create, name_of(4), Secret("four"), {"x.org"}, mark(4), true},
    };
    const Change change(now, actions, {0, 1, 2, 3});
    EXPECT_EQ(change.deleted, std::vector<std::string>{name_of(3)});
    EXPECT_EQ(change.domains.text(),
              "new.org " + name_of(1) + "\ntwo.org " + name_of(2) + "\nx.org " + name_of(4) + "\n");
    const auto files = read_tar(input_for(change, std::nullopt, "/x"));
    ASSERT_TRUE(files);
    ASSERT_EQ(files->size(), 6U) << "three fragments, the map, the list of certificates, the names to delete";
    for (const auto& file : *files) EXPECT_EQ(file.mode & 07U, 0U) << file.path << " must not be read by all";

    const Change half(now, actions, {1});
    EXPECT_NE(half.domains.text().find("x.org strange\n"), std::string::npos) << "a stranger's line stays";
    const auto result = done(actions[0], Leads(now.domains), Leads(change.domains));
    std::map<Key, std::optional<Thing>> told(result.now.begin(), result.now.end());
    EXPECT_EQ(told.size(), 3U);
    EXPECT_FALSE(told.at(domain_key("site1.example.org"))) << "let go";
    EXPECT_EQ(told.at(domain_key("new.org"))->backend, name_of(1));
    EXPECT_EQ(told.at(fragment_key(name_of(1))), (Thing{mark(1), Secret("new"), {"new.org"}, true, false, {}, {}, {}}));
}

TEST(Messages, NameTheCulprit) {
    const auto faults = blamed(R"([NOTICE]   (925) : haproxy version is 2.6.12-1+deb12u4
[WARNING]  (925) : config : parsing [/e/v2/conf.d/innocent.cfg:3] : careful
[ALERT]    (925) : config : Parsing [/e/v2/conf.d/b.cfg:1]: backend 'b' has the same name as backend 'b' declared at /e/v2/conf.d/a.cfg:12.
[ALERT]    (925) : config : [/e/v2/conf.d/c.cfg:2] : 'server b/x' : invalid port "Basic c2VjcmV0"
[ALERT]    (925) : config : parsing [/e/v2/conf.d/c.cfg:3] : more
[ALERT]    (925) : config : parsing [/etc/haproxy/haproxy.cfg:3] : not one of ours
[ALERT]    (925) : config : Error(s) found in configuration file : /e/v2/conf.d/b.cfg
[ALERT]    (925) : config : Fatal errors found in configuration.
)");
    const std::map<std::string, std::string> wanted{
        {"b", "line 1: backend 'b' has the same name as backend 'b' declared at /e/v2/conf.d/a.cfg:12."},
        {"c", "line 2: 'server b/x' : invalid port \"Basic ...\""}};
    EXPECT_EQ(faults, wanted);
    EXPECT_TRUE(blamed("").empty());
    EXPECT_TRUE(blamed("[ALERT] [").empty());
}

TEST(Checks, AreReadFromWhatHaproxyTells) {
    Version version;
    version.fragments[name_of(1)].content =
        marked(1) + "  server a1 192.0.2.5:80 check\n  server a2 192.0.2.6:80 check weight 0\n";
    version.fragments["strange"].content = "backend strange\n  server a1 192.0.2.5:80 check\n";
    const auto told = [&](const std::string& server, const std::string& rest) {
        const auto out = read_checks(name_of(1) + "," + server + "," + rest + "\n", version);
        const auto found = out.find(name_of(1));
        return found == out.end() ? Check{} : found->second.at(server);
    };
    using State = Check::State;
    const struct {
        const char* reason;
        const char* server;
        const char* line;
        Check wanted;
    } rows[] = {
        {"up", "a1", "UP,1,L7OK,200", {State::passed, ""}},
        {"a new one that rises", "a1", "UP 1/3,1,L4OK,", {State::passed, ""}},
        {"another check is under way", "a1", "UP,1,* L7OK,200", {State::passed, ""}},
        {"down", "a1", "DOWN,1,L7STS,503", {State::failed, "L7STS/503"}},
        {"down, nobody answers", "a1", "DOWN,1,L4CON,", {State::failed, "L4CON"}},
        {"down, and rising again", "a1", "DOWN 1/2,1,L7OK,200", {State::failed, "L7OK/200"}},
        {"not checked yet", "a1", "UP 1/3,1,INI,", {}},
        {"one check failed, it is still up: the next ones decide", "a1", "UP 2/3,1,L7TOUT,", {}},
        {"on standby", "a2", "DRAIN,0,L7OK,200", {State::passed, ""}},
        {"on standby and down", "a2", "DOWN,0,L4TOUT,", {State::failed, "L4TOUT"}},
        {"said of the version before, where it served", "a2", "UP,1,L7OK,200", {}},
        {"said of the version before, where it was on standby", "a1", "DRAIN,0,L7OK,200", {}},
        {"of another server", "a3", "UP,1,L7OK,200", {}},
        {"cut short", "a1", "UP", {}},
        {"a person has told the process to leave it alone", "a1", "MAINT,1,,", {State::failed, "MAINT"}},
        {"and after a check", "a1", "MAINT (via a/b),1,L7OK,200", {State::failed, "MAINT"}},
    };
    for (const auto& row : rows) EXPECT_EQ(told(row.server, row.line), row.wanted) << row.reason;
    EXPECT_TRUE(read_checks("strange,a1,UP,1,L7OK,200\nnobodys,a1,UP,1,L7OK,200\n\n,,,\n", version).empty());
    const auto tar = write_tar({{"v7/conf.d/" + name_of(1) + ".cfg", version.fragments[name_of(1)].content, 0640},
                                {"v7/domains.map", "", 0640}});
    const auto seen = Version::observed(name_of(1) + ",a1,UP,1,L7OK,200\n.\n" + tar);
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(seen->checks.at(name_of(1)).at("a1").state, State::passed);
    EXPECT_TRUE(Version::observed(".\n" + tar)->checks.empty()) << "the master is away: nothing is known";
    EXPECT_TRUE(Version::observed(".\n")) << "nothing is there";
    EXPECT_FALSE(Version::observed("")) << "not even that";
    version.checks = read_checks(name_of(1) + ",a1,DOWN,1,L4CON,\n", version);
    EXPECT_EQ(version.snapshot()[checks_key(name_of(1))].checks.at("a1").state, State::failed);
}

TEST(Version, WhatIsInOthersFragmentsOfTheToolIsNobodysToTake) {
    const auto tar = write_tar({{"v7/conf.d/" + name_of(1) + ".cfg", marked(1), 0640},
                                {"v7/domains.map", "site1.example.org " + name_of(1) + "\n", 0640}});
    const auto seen = Version::observed("@backend " + name_of(2) +
                                        " theirs\n@domain a.org www other\n@backend\n@domain x y\n.\n" + tar);
    ASSERT_TRUE(seen) << seen.error().message;
    const auto things = seen->snapshot();
    EXPECT_EQ(things.at(fragment_key(name_of(2))).elsewhere, "theirs");
    EXPECT_FALSE(things.at(fragment_key(name_of(2))).mark);
    EXPECT_EQ(things.at(fragment_key(name_of(1))).elsewhere, "");
    EXPECT_EQ(things.at(domain_key("a.org")).backend, "www");
    EXPECT_EQ(things.at(domain_key("a.org")).elsewhere, "other");
    EXPECT_EQ(things.size(), 4U);
}

TEST(Version, ACertificateAnswersForWhatItIsGoodForOnly) {
    Version version;
    const CertificateNote note{"f", "s", "h", {}, {}, std::vector<std::string>{"a.org", "b.org"}};
    version.fragments["x"].content = with_certificate(marked(1), note);
    version.certificates["x"].hash = "h";
    for (const auto* host : {"b.org", "c.org", "a.org"}) version.domains.add(host, "x");
    version.domains.add("d.org", "y");
    using Entries = std::map<std::string, std::vector<std::string>>;
    EXPECT_EQ(certificate_entries(version), (Entries{{"x", {"a.org", "b.org"}}}));
    auto old = note;
    old.names.reset();
    version.fragments["x"].content = with_certificate(marked(1), old);
    EXPECT_EQ(certificate_entries(version), (Entries{{"x", {"a.org", "b.org", "c.org"}}}))
        << "as an earlier release wrote it";
}

TEST(Version, ABackendThatTheProcessDoesNotKnowIsNotServed) {
    const auto tar = [](const std::string& loaded) {
        return ".\n" + write_tar({{"v7/conf.d/" + name_of(1) + ".cfg", marked(1), 0640},
                                  {"v7/conf.d/person.cfg", "backend person\n", 0640},
                                  {"v7/domains.map", "", 0640},
                                  {"loaded", loaded + "\n", 0640}});
    };
    const auto known = name_of(1) + ",BACKEND,0,0,0,0,0,0,0,0\n";
    const struct {
        const char* reason;
        std::string said;
        bool unread;
    } rows[] = {
        {"it knows it", known + "@told\n" + tar("v7"), false},
        {"it knows others", "person,BACKEND,0,0,0,0,0,0,0,0\n@told\n" + tar("v7"), true},
        {"it says nothing", tar("v7"), false},
        {"it has not taken this version yet", "@told\n" + tar("v6"), false},
    };
    for (const auto& row : rows) {
        const auto version = Version::observed(row.said);
        ASSERT_TRUE(version) << version.error().message;
        EXPECT_EQ(version->snapshot().at(fragment_key(name_of(1))).unread, row.unread) << row.reason;
        EXPECT_FALSE(version->snapshot().at(fragment_key("person")).unread) << row.reason;
    }
}

TEST(Version, TrafficIsReadOfOurOwnBackends) {
    Version version;
    version.fragments["ocim-a_b"] = {"# ocim " + mark().text() + "\nbackend ocim-a_b\n", false};
    version.fragments["person"] = {"backend person\n", false};
    const auto seen = read_traffic(
        "ocim-a_b,BACKEND,3,1000,2000,0,10,2,1,4\nocim-a_b,a1,UP,1,L7OK,200\n"
        "person,BACKEND,3,1000,2000,0,10,2,1,4\nocim-a_b,BACKEND\nnonsense\n",
        version);
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(read_traffic("ocim-a_b,BACKEND,3,1000,2000,0,10,2,1,4\n", version).at("ocim-a_b"),
              (Traffic{{0, 10, 2, 1, 4}, 1000, 2000, 3}));
}

}  // namespace
}  // namespace ocim::loadbalancing
