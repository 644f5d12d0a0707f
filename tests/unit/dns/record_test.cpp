#include "dns/record.hpp"

#include "sample.hpp"

#include <gtest/gtest.h>

namespace ocim::dns {
namespace {

using namespace test;
using State = runtime::Verdict::State;
using Verb = Action::Verb;

const RecordSet wanted_set{{"192.0.2.1"}, 300, ours};

TEST(DnsRecord, DiffAndReportTable) {
    const auto with = [](auto change) {
        auto set = wanted_set;
        change(set);
        return set;
    };
    const Mark other_object{"prod", "campus/other", "uid-9", false},
        other_installation{"test", "campus/www", "uid-1", false};
    struct {
        const char* reason;
        Snapshot seen;
        std::vector<Action> actions;
        State state;
        const char* why;
    } const rows[] = {
        {"nothing is there", {}, {{Verb::create, www, wanted_set}}, State::progressing, "Updating"},
        {"it is as declared", {{www, wanted_set}}, {}, State::ready, "Served"},
        {"only a mark is left",
         {{www, {{}, 0, ours}}},
         {{Verb::create, www, wanted_set}},
         State::progressing,
         "Updating"},
        {"the value drifted",
         {{www, with([](auto& s) { s.values = {"192.0.2.9"}; })}},
         {{Verb::update, www, wanted_set}},
         State::progressing,
         "Updating"},
        {"a value was added",
         {{www, with([](auto& s) { s.values.push_back("192.0.2.9"); })}},
         {{Verb::update, www, wanted_set}},
         State::progressing,
         "Updating"},
        {"the TTL drifted",
         {{www, with([](auto& s) { s.ttl_seconds = 60; })}},
         {{Verb::update, www, wanted_set}},
         State::progressing,
         "Updating"},
        {"retained by a former object of that name",
         {{www, with([](auto& s) { s.mark = Mark{"prod", "campus/www", "uid-0", true}; })}},
         {{Verb::update, www, wanted_set}},
         State::progressing,
         "Updating"},
        {"a person's record", {{www, {{"192.0.2.1"}, 300, std::nullopt}}}, {}, State::stalled, "NotOwned"},
        {"another object's", {{www, {{"192.0.2.1"}, 300, other_object}}}, {}, State::stalled, "NotOwned"},
        {"another installation's", {{www, {{"192.0.2.1"}, 300, other_installation}}}, {}, State::stalled, "NotOwned"},
        {"a CNAME stands at the name",
         {{{"www.example.org", "CNAME"}, {{"x.example.org"}, 300, std::nullopt}}},
         {},
         State::stalled,
         "Conflict"},
        {"other types may stand beside",
         {{{"www.example.org", "AAAA"}, {{"2001:db8::1"}, 300, std::nullopt}}},
         {{Verb::create, www, wanted_set}},
         State::progressing,
         "Updating"},
        {"a CNAME elsewhere does not matter",
         {{{"x.example.org", "CNAME"}, {{"y.example.org"}, 300, std::nullopt}}},
         {{Verb::create, www, wanted_set}},
         State::progressing,
         "Updating"},
    };
    for (const auto& row : rows) {
        const auto object = record("WWW.example.org.", {"192.0.2.1", "192.0.2.1"});
        EXPECT_EQ(Record::diff(object, inputs(), row.seen), row.actions) << row.reason;
        const auto verdict = Record::report(object, inputs(), row.seen).verdict;
        EXPECT_EQ(verdict.state, row.state) << row.reason;
        EXPECT_EQ(verdict.reason, row.why) << row.reason << ": " << verdict.message;
        EXPECT_FALSE(verdict.message.empty()) << row.reason;
    }
}

TEST(DnsRecord, CnameIsAloneAtItsName) {
    const auto object = record("www.example.org", {"lb.example.org"}, Spec::Type::cname);
    const Snapshot beside{{www, wanted_set}};
    EXPECT_TRUE(Record::diff(object, inputs(), beside).empty());
    EXPECT_EQ(Record::report(object, inputs(), beside).verdict.reason, "Conflict");
    const Snapshot only_a_mark{{www, {{}, 0, ours}}};
    EXPECT_EQ(Record::diff(object, inputs(), only_a_mark).size(), 1U) << "a mark alone serves nothing";
}

TEST(DnsRecord, AdoptsOnlyWhatNobodyHolds) {
    auto object = record("www.example.org", {"192.0.2.1"});
    object.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    const Snapshot unmarked{{www, {{"192.0.2.9"}, 60, std::nullopt}}};
    const std::vector<Action> takes_over{{Verb::update, www, wanted_set, true}};
    EXPECT_EQ(Record::diff(object, inputs(), unmarked), takes_over);
    const Snapshot restored{{www, {{"192.0.2.9"}, 60, Mark{"prod", "campus/www", "uid-0", false}}}};
    EXPECT_EQ(Record::diff(object, inputs(), restored), takes_over) << "the same object before a restore";
    const Snapshot held{{www, {{"192.0.2.9"}, 60, Mark{"test", "campus/www", "uid-0", false}}}};
    EXPECT_TRUE(Record::diff(object, inputs(), held).empty()) << "another installation's is never taken";
    EXPECT_EQ(Record::report(object, inputs(), held).verdict.reason, "NotOwned");
}

TEST(DnsRecord, RemoveTable) {
    auto object = record("www.example.org", {"192.0.2.1"});
    const std::vector<Action> deletes{{Verb::delete_, www, {{}, 0, ours}}};
    EXPECT_EQ(Record::remove(object, "prod", {{www, wanted_set}}), deletes);
    EXPECT_EQ(Record::remove(object, "prod", {{www, {{}, 0, ours}}}), deletes) << "a mark that was left goes too";
    EXPECT_TRUE(Record::remove(object, "prod", {}).empty()) << "gone";
    EXPECT_TRUE(Record::remove(object, "prod", {{www, {{"192.0.2.1"}, 300, std::nullopt}}}).empty()) << "not ours";
    EXPECT_TRUE(Record::remove(object, "test", {{www, wanted_set}}).empty()) << "another installation's";

    object.spec.deletion_policy = Spec::DeletionPolicy::retain;
    auto retained = wanted_set;
    retained.mark->retained = true;
    const std::vector<Action> marks{{Verb::update, www, retained}};
    EXPECT_EQ(Record::remove(object, "prod", {{www, wanted_set}}), marks);
    EXPECT_TRUE(Record::remove(object, "prod", {{www, retained}}).empty()) << "done";
}

TEST(DnsRecord, AdmitNamesFieldAndReason) {
    struct {
        const char* name;
        Spec::Type type;
        std::vector<std::string> values;
        const char* field;  // "" means admitted
        const char* reason;
    } const rows[] = {
        {"www.example.org", Spec::Type::a, {"192.0.2.1"}, "", "good"},
        {"example.org", Spec::Type::txt, {"v=spf1 -all"}, "", "the zone itself"},
        {"www.example.com", Spec::Type::a, {"192.0.2.1"}, "spec.name", "another zone"},
        {"www\n.example.org", Spec::Type::a, {"192.0.2.1"}, "spec.name", "a newline"},
        {"_ocim.a.www.example.org", Spec::Type::txt, {"x"}, "spec.name", "the name of a mark"},
        {"_Wildcard.example.org", Spec::Type::a, {"192.0.2.1"}, "spec.name", "its mark would be that of *"},
        {"_wildcards.example.org", Spec::Type::a, {"192.0.2.1"}, "", "another label"},
        {"example.org", Spec::Type::cname, {"lb.example.org"}, "spec.name", "a CNAME at the apex"},
        {"www.example.org", Spec::Type::cname, {"www.example.org."}, "spec.values[0]", "a loop of one"},
        {"www.example.org", Spec::Type::cname, {"a.org", "b.org"}, "spec.values", "two targets"},
        {"www.example.org", Spec::Type::a, {"192.0.2.1", "nonsense"}, "spec.values[1]", "not an address"},
        {"www.example.org", Spec::Type::txt, {"a\"b"}, "", "quotes are text"},
        {"www.example.org", Spec::Type::txt, std::vector<std::string>(9, std::string(4000, 'x')), "spec.values",
         "too much for an answer"},
    };
    for (const auto& row : rows) {
        const auto causes = Record::admit(record(row.name, row.values, row.type), nullptr, inputs());
        if (*row.field == '\0') {
            EXPECT_TRUE(causes.empty()) << row.reason << ": " << causes.front().message;
            continue;
        }
        ASSERT_EQ(causes.size(), 1U) << row.reason;
        EXPECT_EQ(causes[0].field, row.field) << row.reason;
        EXPECT_EQ(causes[0].reason, "FieldValueInvalid") << row.reason;
        const auto object = record(row.name, row.values, row.type);
        EXPECT_TRUE(Record::diff(object, inputs(), {}).empty()) << row.reason << ": nothing is done either";
        EXPECT_EQ(Record::report(object, inputs(), {}).verdict.reason, "Invalid") << row.reason;
    }
}

TEST(DnsRecord, ClaimsItsNameAndACnameTheWholeOfIt) {
    const auto a = Record::claims(record("WWW.example.org", {"192.0.2.1"}));
    ASSERT_EQ(a.size(), 1U);
    EXPECT_EQ(a[0], (runtime::Claim{"dns/zone/www.example.org/A", "spec.name"}));
    const auto cname = Record::claims(record("www.example.org.", {"x.org"}, Spec::Type::cname));
    EXPECT_EQ(cname.size(), 8U) << "one of each type";
    EXPECT_NE(std::ranges::find(cname, a[0]), cname.end()) << "so the two meet";
}

TEST(DnsRecord, LeavesTheZonesOwnNameServersAlone) {
    const auto own = record("example.org", {"ns1.example.net"}, Spec::Type::ns);
    EXPECT_EQ(Record::admit(own, nullptr, inputs()).size(), 1U);
    const auto delegated = record("sub.example.org", {"ns1.example.net"}, Spec::Type::ns);
    EXPECT_TRUE(Record::admit(delegated, nullptr, inputs()).empty());
}

TEST(DnsRecord, TakesFromExternalDnsOnlyWhatAStoppedOwnerHeld) {
    auto held_by = [](const std::string& owner) {
        return Snapshot{{www, {{"192.0.2.9"}, 60, std::nullopt, Registration{owner, {"a-www.example.org"}}}}};
    };
    auto given = test::zone();
    given.spec.external_dns.adopt_owners = {"old"};
    auto object = record("www.example.org", {"192.0.2.1"});
    EXPECT_TRUE(Record::diff(object, inputs(given), held_by("old")).empty()) << "adoption was not asked for";
    EXPECT_EQ(Record::report(object, inputs(given), held_by("old")).verdict.reason, "NotOwned");
    object.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    EXPECT_TRUE(Record::diff(object, inputs(given), held_by("running")).empty()) << "its owner would fight for it";
    const auto actions = Record::diff(object, inputs(given), held_by("old"));
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(actions[0].release, std::vector<std::string>{"a-www.example.org"});
    EXPECT_TRUE(actions[0].adopt);
    // ours already, and still registered: what a stopped owner left is cleared away, what another says is left alone
    Snapshot ours_too{{www, actions[0].set}};
    EXPECT_TRUE(Record::diff(object, inputs(given), ours_too).empty());
    ours_too.at(www).external = Registration{"running", {"a-www.example.org"}};
    EXPECT_TRUE(Record::diff(object, inputs(given), ours_too).empty());
    ours_too.at(www).external = Registration{"old", {"a-www.example.org"}};
    EXPECT_EQ(Record::diff(object, inputs(given), ours_too).size(), 1U);
}

TEST(DnsRecord, SweepsWhatIsMarked) {
    const Snapshot seen{{www, wanted_set}, {{"x.example.org", "A"}, {{"192.0.2.2"}, 300, std::nullopt}}};
    const auto marked = Record::marked(seen);
    ASSERT_EQ(marked.size(), 1U);
    EXPECT_EQ(marked[0].key, www);
    EXPECT_TRUE(marked[0].sweepable);
    EXPECT_EQ(Record::sweep(www, seen), (std::vector<Action>{{Verb::delete_, www, {{}, 0, ours}}}));
    EXPECT_TRUE(Record::sweep({"x.example.org", "A"}, seen).empty()) << "not marked";
}

TEST(DnsRecord, DescribesWithoutLength) {
    EXPECT_EQ(Record::describe({Verb::create, www, wanted_set}), "create A www.example.org -> 192.0.2.1 (300 s)");
    EXPECT_EQ(Record::describe({Verb::delete_, www, {}}), "delete A www.example.org");
    EXPECT_LT(Record::describe({Verb::create, www, {{std::string(4000, 'x')}, 1, ours}}).size(), 300U);
}

TEST(DnsZone, LastLookBeforeAWrite) {
    const Action put{Verb::create, www, wanted_set}, adopt{Verb::update, www, wanted_set, true},
        erase{Verb::delete_, www, {{}, 0, ours}};
    const RecordSet strangers{{"192.0.2.9"}, 60, std::nullopt};
    EXPECT_TRUE(*still_wanted(put, nullptr));
    EXPECT_FALSE(*still_wanted(put, &wanted_set)) << "it landed already";
    EXPECT_FALSE(still_wanted(put, &strangers)) << "a stranger was faster";
    EXPECT_TRUE(*still_wanted(adopt, &strangers));
    EXPECT_FALSE(*still_wanted(erase, nullptr)) << "gone already";
    EXPECT_TRUE(*still_wanted(erase, &wanted_set));
    EXPECT_FALSE(still_wanted(erase, &strangers)) << "not ours any more";
}

}  // namespace
}  // namespace ocim::dns
