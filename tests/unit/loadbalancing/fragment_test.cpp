#include "loadbalancing/fragment.hpp"

#include "loadbalancing/rendering.hpp"
#include "sample.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::loadbalancing {
namespace {

using namespace test;
using State = runtime::Verdict::State;
using Verb = Action::Verb;

/// What the load balancer holds when fragment(n) is in force.
Thing in_force(int n = 1) {
    const auto actions = Fragment::diff(fragment(n), inputs(), {});
    EXPECT_EQ(actions.size(), 1U);
    return {mark(n), actions.at(0).text, actions.at(0).domains, true, false, {}, {}, {}};
}

Snapshot holding(const Thing& thing, int n = 1) {
    Snapshot out{{fragment_key(name_of(n)), thing}};
    for (const auto& domain : thing.domains) out[domain_key(domain)].backend = name_of(n);
    return out;
}

template <class Change>
Snapshot changed(Change change) {
    auto thing = in_force();
    change(thing);
    return holding(thing);
}

TEST(Fragment, DiffAndReportTable) {
    Snapshot strangers_domain, our_other_fragment = holding(in_force(2), 2), tools_backend, tools_domain;
    const auto not_readable = [](Snapshot seen) {
        seen[unreadable_key()].elsewhere = "conf.d/theirs";
        return seen;
    };
    tools_backend[fragment_key(name_of())].elsewhere = "theirs";
    tools_domain[domain_key("site1.example.org")] = {};
    tools_domain[domain_key("site1.example.org")].elsewhere = "theirs";
    strangers_domain[domain_key("site1.example.org")].backend = "theirs";
    our_other_fragment[domain_key("site1.example.org")].backend = name_of(2);
    struct {
        const char* reason;
        Snapshot seen;
        std::optional<Verb> verb;
        State state;
        const char* why;
    } const rows[] = {
        {"nothing is there", {}, Verb::create, State::progressing, "Updating"},
        {"in force", holding(in_force()), {}, State::ready, "Applied"},
        {"its text drifted", changed([](Thing& t) { t.text = Secret(t.text.reveal() + "  option x\n"); }), Verb::update,
         State::progressing, "Updating"},
        {"a domain is missing in the map", changed([](Thing& t) { t.domains.clear(); }), Verb::update,
         State::progressing, "Updating"},
        {"a domain too many", changed([](Thing& t) { t.domains.push_back("z.org"); }), Verb::update, State::progressing,
         "Updating"},
        {"the process that runs does not know it",
         changed([](Thing& t) { t.unread = true; }),
         {},
         State::stalled,
         "NotServed"},
        {"written and not loaded", changed([](Thing& t) { t.live = false; }), Verb::update, State::progressing,
         "Updating"},
        {"readable by all", changed([](Thing& t) { t.readable_by_all = true; }), Verb::update, State::progressing,
         "Updating"},
        {"retained by a former object of that name",
         changed([](Thing& t) { t.mark = Mark{"prod", "campus/site1", "uid-0", true}; }), Verb::update,
         State::progressing, "Updating"},
        {"a person's file", changed([](Thing& t) { t.mark.reset(); }), {}, State::stalled, "NotOwned"},
        {"another object's", changed([](Thing& t) { t.mark->uid = "uid-9"; }), {}, State::stalled, "NotOwned"},
        {"another installation's",
         changed([](Thing& t) { t.mark->installation = "test"; }),
         {},
         State::stalled,
         "NotOwned"},
        {"the backend is in another fragment of the tool", tools_backend, {}, State::stalled, "NotOwned"},
        {"and the domain", tools_domain, {}, State::stalled, "NotOwned"},
        {"and our own backend is there twice",
         changed([](Thing& t) { t.elsewhere = "theirs"; }),
         {},
         State::stalled,
         "NotOwned"},
        {"somebody's file cannot be read, and the backend may be in it",
         not_readable({}),
         {},
         State::stalled,
         "NotOwned"},
        {"and what is in force is not touched by that", not_readable(holding(in_force())), {}, State::ready, "Applied"},
        {"nor is a change of it", not_readable(changed([](Thing& t) { t.live = false; })), Verb::update,
         State::progressing, "Updating"},
        {"a new domain may be in it",
         not_readable([] {
             auto seen = holding(in_force());
             seen.erase(domain_key("site1.example.org"));
             return seen;
         }()),
         {},
         State::stalled,
         "NotOwned"},
        {"the domain leads elsewhere", strangers_domain, {}, State::stalled, "NotOwned"},
        {"another fragment of ours has the domain", our_other_fragment, {}, State::progressing, "DomainInUse"},
    };
    for (const auto& row : rows) {
        const auto actions = Fragment::diff(fragment(), inputs(), row.seen);
        ASSERT_EQ(actions.size(), row.verb ? 1U : 0U) << row.reason;
        if (row.verb) EXPECT_EQ(actions[0].verb, *row.verb) << row.reason;
        const auto report = Fragment::report(fragment(), inputs(), row.seen);
        EXPECT_EQ(report.verdict.state, row.state) << row.reason;
        EXPECT_EQ(report.verdict.reason, row.why) << row.reason << ": " << report.verdict.message;
    }
    const auto status = Fragment::report(fragment(), inputs(), holding(in_force())).status;
    EXPECT_EQ(status.backend, name_of());
    EXPECT_EQ(status.domains, std::vector<std::string>{"site1.example.org"});
    EXPECT_EQ(status.active_servers, std::vector<std::string>{"a1"});
    EXPECT_EQ(status.applied_hash->size(), 16U);
}

TEST(Fragment, TellsOfEachServerWhatItsChecksSay) {
    auto object = fragment();
    object.spec.servers.push_back({"a2", "192.0.2.6", 80, true});
    const auto wanted = Fragment::diff(object, inputs(), {});
    ASSERT_EQ(wanted.size(), 1U);
    auto thing = in_force();
    thing.text = wanted[0].text;
    using Server = decltype(object.status.servers)::value_type;
    Thing known;
    known.text = thing.text;
    const auto report = [&] {
        auto seen = holding(thing);
        seen[checks_key(name_of())] = known;
        return Fragment::report(object, inputs(), seen);
    };
    auto said = report();
    EXPECT_EQ(said.status.active_servers, std::vector<std::string>{"a1"}) << "who is on standby is not sent visitors";
    EXPECT_EQ(said.status.servers, (std::vector<Server>{{"a1", false, Server::Check::unknown, {}},
                                                        {"a2", true, Server::Check::unknown, {}}}));
    EXPECT_EQ(said.look_again, Duration(1000)) << "the first check comes within a second";
    EXPECT_EQ(said.verdict.reason, "Applied");
    known.checks["a1"].state = Check::State::passed;
    known.checks["a2"] = {Check::State::failed, "L7STS/503"};
    said = report();
    EXPECT_EQ(said.status.servers, (std::vector<Server>{{"a1", false, Server::Check::passed, {}},
                                                        {"a2", true, Server::Check::failed, "L7STS/503"}}));
    EXPECT_EQ(said.look_again, Duration(5000)) << "it may yet come up";
    known.text = Secret("of another version");
    EXPECT_EQ(report().status.servers[0].check, Server::Check::unknown) << "said of what was in force before";
    object.status = said.status;
    known.checks.clear();
    EXPECT_EQ(report().status, object.status) << "another's reload makes HAProxy begin anew: it is what it was";
    thing.live = false;
    EXPECT_EQ(report().status.servers[0].check, Server::Check::unknown) << "not what HAProxy has loaded";
    thing.live = true;
    object.status.applied_hash = "another";
    EXPECT_EQ(report().status.servers[0].check, Server::Check::unknown) << "it was changed itself";
}

TEST(Fragment, AdoptsWhatNobodyHolds) {
    auto object = fragment();
    object.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    const auto unmarked = changed([](Thing& t) { t.mark.reset(); });
    ASSERT_EQ(Fragment::diff(object, inputs(), unmarked).size(), 1U);
    EXPECT_TRUE(Fragment::diff(object, inputs(), unmarked)[0].adopt);
    Snapshot strangers_domain;
    strangers_domain[domain_key("site1.example.org")].backend = "theirs";
    ASSERT_EQ(Fragment::diff(object, inputs(), strangers_domain).size(), 1U);
    for (auto& [key, thing] : strangers_domain) thing.elsewhere = "theirs";
    EXPECT_TRUE(Fragment::diff(object, inputs(), strangers_domain).empty()) << "the tool would give HAProxy both";
    auto doubled = unmarked;
    doubled[fragment_key(name_of())].elsewhere = "theirs";
    EXPECT_TRUE(Fragment::diff(object, inputs(), doubled).empty()) << "the same of a backend";
    const auto held = changed([](Thing& t) { t.mark->installation = "test"; });
    EXPECT_TRUE(Fragment::diff(object, inputs(), held).empty()) << "another installation's is never taken";
}

TEST(Fragment, RemoveTable) {
    auto object = fragment();
    const std::vector<Action> deletes{{Verb::delete_, name_of(), {}, {}, mark()}};
    EXPECT_EQ(Fragment::remove(object, "prod", holding(in_force())), deletes);
    EXPECT_TRUE(Fragment::remove(object, "prod", {}).empty());
    auto not_readable = holding(in_force());
    not_readable[unreadable_key()].elsewhere = "conf.d/theirs";
    EXPECT_EQ(Fragment::remove(object, "prod", not_readable), deletes) << "what goes needs no name";
    EXPECT_TRUE(Fragment::remove(object, "test", holding(in_force())).empty());
    EXPECT_TRUE(Fragment::remove(object, "prod", changed([](Thing& t) { t.mark.reset(); })).empty());
    object.spec.deletion_policy = Spec::DeletionPolicy::retain;
    const auto retains = Fragment::remove(object, "prod", holding(in_force()));
    ASSERT_EQ(retains.size(), 1U);
    EXPECT_EQ(retains[0].verb, Verb::update);
    EXPECT_TRUE(mark_of(retains[0].text.reveal())->retained);
    EXPECT_EQ(retains[0].domains, in_force().domains);
    const auto retained = changed([&](Thing& t) {
        t.text = retains[0].text;
        t.mark = retains[0].mark;
    });
    EXPECT_TRUE(Fragment::remove(object, "prod", retained).empty()) << "done";
}

TEST(Fragment, ReadsItsCredentialFromTheSecret) {
    auto object = fragment();
    object.spec.basic_auth_secret_ref.emplace().name = "auth";
    const auto actions = Fragment::diff(object, inputs(), {});
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_NE(actions[0].text.reveal().find("Basic dXNlcjpwYXNzIg=="), std::string::npos);
    EXPECT_EQ(Fragment::describe(actions[0]).find("dXNl"), std::string::npos) << "an event shows no credential";
    EXPECT_EQ(Fragment::needs(object).size(), 2U);
    object.spec.basic_auth_secret_ref->password_key = "other";
    EXPECT_TRUE(Fragment::diff(object, inputs(), {}).empty());
    EXPECT_EQ(Fragment::report(object, inputs(), {}).verdict.reason, "SecretIncomplete");
    const auto said = Fragment::report(object, inputs(), holding(in_force()));
    EXPECT_EQ(said.verdict.reason, "SecretIncomplete");
    EXPECT_EQ(said.status.active_servers, std::vector<std::string>{"a1"}) << "visitors come by it all the same";
    object.status = said.status;
    EXPECT_EQ(Fragment::report(object, runtime::Inputs(), {}).status, object.status)
        << "what nobody can tell is what it was";
}

TEST(Fragment, ClaimsEachDomain) {
    auto object = fragment();
    object.spec.domains = {"A.example.org.", "b.example.org"};
    const std::vector<runtime::Claim> claims{{"loadbalancer/lb1/a.example.org", "spec.domains[0]"},
                                             {"loadbalancer/lb1/b.example.org", "spec.domains[1]"}};
    EXPECT_EQ(Fragment::claims(object), claims);
}

TEST(Fragment, AdmitRefusesWhatCannotBeRendered) {
    auto object = fragment();
    EXPECT_TRUE(Fragment::admit(object, nullptr, inputs()).empty());
    object.spec.servers.push_back({"a1", "192.0.2.6", 80});
    object.spec.servers.push_back({"preliminary-page", "nonsense", 80});
    const auto causes = Fragment::admit(object, nullptr, inputs());
    ASSERT_EQ(causes.size(), 3U);
    EXPECT_EQ(causes[0].field, "spec.servers[1].name");
    EXPECT_EQ(causes[1].field, "spec.servers[2].name");
    EXPECT_EQ(causes[2].field, "spec.servers[2].address");
    EXPECT_EQ(Fragment::report(object, inputs(), {}).verdict.reason, "Invalid");
}

TEST(Fragment, SweepsByMark) {
    const auto seen = holding(in_force());
    const auto marked = Fragment::marked(seen);
    ASSERT_EQ(marked.size(), 1U) << "domains carry no mark of their own";
    EXPECT_EQ(Fragment::sweep(marked[0].key, seen), (std::vector<Action>{{Verb::delete_, name_of(), {}, {}, mark()}}));
}

TEST(Fragment, LastLookBeforeAWrite) {
    const auto put = Fragment::diff(fragment(), inputs(), {})[0];
    const Action erase{Verb::delete_, name_of(), {}, {}, mark()};
    EXPECT_TRUE(*still_wanted(put, {}));
    EXPECT_FALSE(*still_wanted(put, holding(in_force()))) << "it landed already";
    EXPECT_FALSE(still_wanted(put, changed([](Thing& t) { t.mark.reset(); }))) << "a stranger was faster";
    Snapshot taken_domain;
    taken_domain[domain_key("site1.example.org")].backend = "theirs";
    EXPECT_FALSE(still_wanted(put, taken_domain)) << "a stranger took the domain";
    auto adopting = put;
    adopting.adopt = true;
    EXPECT_TRUE(still_wanted(adopting, taken_domain));
    taken_domain[domain_key("site1.example.org")].elsewhere = "theirs";
    EXPECT_FALSE(still_wanted(adopting, taken_domain)) << "in a fragment of the tool that is not ours";
    Snapshot taken_name;
    taken_name[fragment_key(name_of())].elsewhere = "theirs";
    EXPECT_FALSE(still_wanted(adopting, taken_name));
    EXPECT_FALSE(*still_wanted(erase, taken_name)) << "ours is gone";
    EXPECT_TRUE(*still_wanted(erase, changed([](Thing& t) { t.elsewhere = "theirs"; })));
    EXPECT_FALSE(*still_wanted(erase, {}));
    EXPECT_TRUE(*still_wanted(erase, holding(in_force())));
    EXPECT_FALSE(still_wanted(erase, changed([](Thing& t) { t.mark.reset(); })));
}

crd::LoadBalancer two_hosts() {
    auto out = balancer();
    out.spec.haproxy->local.reset();
    for (const auto* name : {"east", "west"}) {
        auto& host = out.spec.haproxy->hosts.emplace_back();
        host.name = name;
        host.local.emplace();
    }
    return out;
}

/// What is there once `actions` were done.
Snapshot after(const std::vector<Action>& actions) {
    Snapshot out;
    for (const auto& action : actions) {
        auto& thing = out[fragment_key(action.fragment, action.host)];
        thing.mark = action.mark;
        thing.text = action.text;
        thing.domains = action.domains;
        thing.live = true;
        for (const auto& domain : action.domains) out[domain_key(domain, action.host)].backend = action.fragment;
    }
    return out;
}

TEST(SeveralHosts, EachHasItsOwnActions) {
    const auto given = inputs(two_hosts());
    const auto actions = Fragment::diff(fragment(), given, {});
    ASSERT_EQ(actions.size(), 2U);
    EXPECT_EQ(actions[0].host, "east");
    EXPECT_EQ(actions[1].host, "west");
    EXPECT_NE(Fragment::key(actions[0]), Fragment::key(actions[1]));
    auto seen = after(actions);
    EXPECT_TRUE(Fragment::diff(fragment(), given, seen).empty());
    EXPECT_EQ(Fragment::report(fragment(), given, seen).verdict.state, runtime::Verdict::State::ready);
    seen.erase(fragment_key(name_of(), "west"));
    seen.erase(domain_key("site1.example.org", "west"));
    ASSERT_EQ(Fragment::diff(fragment(), given, seen).size(), 1U);
    EXPECT_EQ(Fragment::diff(fragment(), given, seen)[0].host, "west");
}

TEST(SeveralHosts, WhatIsUnknownIsNeitherPutNorGone) {
    const auto given = inputs(two_hosts());
    auto object = fragment();
    auto seen = after(Fragment::diff(object, given, {}));
    object.status = Fragment::report(object, given, seen).status;
    std::erase_if(seen, [](const auto& item) { return item.first.host == "west"; });
    seen[unknown_host_key("west")].trouble = "no route to host";
    EXPECT_TRUE(Fragment::diff(object, given, seen).empty());
    const auto said = Fragment::report(object, given, seen);
    EXPECT_EQ(said.verdict.reason, "HostUnreachable");
    EXPECT_NE(said.verdict.message.find("on host west: no route to host"), std::string::npos);
    EXPECT_TRUE(said.look_again);

    object.spec.servers = {{"b", "192.0.2.9", 80}};
    const auto moved = Fragment::diff(object, given, seen);
    ASSERT_EQ(moved.size(), 1U);
    EXPECT_EQ(moved[0].host, "east");
    auto now = after(moved);
    now[unknown_host_key("west")].trouble = "no route to host";
    EXPECT_EQ(Fragment::report(object, given, now).status.active_servers, (std::vector<std::string>{"b", "a1"}))
        << "who cannot be asked may still send visitors to the former one";

    const auto gone = Fragment::remove(object, "prod", seen);
    ASSERT_EQ(gone.size(), 2U);
    EXPECT_EQ(std::ranges::count(gone, "west", &Action::host), 1) << "it is asked when it can be";
    object.spec.deletion_policy = Spec::DeletionPolicy::retain;
    for (const auto& action : Fragment::remove(object, "prod", seen)) EXPECT_EQ(action.verb, Action::Verb::update);
}

TEST(SeveralHosts, WhatTheOthersSayOfAServerIsNotHeldByWhatWasUnknown) {
    using Check_ = decltype(crd::LoadBalancerFragment::Status{}.servers)::value_type::Check;
    const auto given = inputs(two_hosts());
    auto object = fragment();
    auto seen = after(Fragment::diff(object, given, {}));
    object.status = Fragment::report(object, given, seen).status;
    ASSERT_EQ(object.status.servers.at(0).check, Check_::unknown);
    std::erase_if(seen, [](const auto& item) { return item.first.host == "west"; });
    seen[unknown_host_key("west")].trouble = "no route to host";
    auto& checks = seen[checks_key(name_of(), "east")];
    checks.text = seen.at(fragment_key(name_of(), "east")).text;
    checks.checks["a1"] = {Check::State::passed, {}};
    EXPECT_EQ(Fragment::report(object, given, seen).status.servers.at(0).check, Check_::passed);
}

TEST(SeveralHosts, ARefusedSpecForgetsNothingOfASilentHost) {
    const auto given = inputs(two_hosts());
    auto object = fragment();
    auto seen = after(Fragment::diff(object, given, {}));
    object.status = Fragment::report(object, given, seen).status;
    std::erase_if(seen, [](const auto& item) { return item.first.host == "west"; });
    seen[unknown_host_key("west")].trouble = "no route to host";
    seen.erase(fragment_key(name_of(), "east"));
    object.spec.servers[0].address = "nonsense";
    const auto said = Fragment::report(object, given, seen);
    EXPECT_EQ(said.verdict.reason, "Invalid");
    EXPECT_EQ(said.status.backend, object.status.backend);
    EXPECT_EQ(said.status.active_servers, object.status.active_servers) << "visitors may still come by it";
    EXPECT_TRUE(said.look_again);
}

}  // namespace
}  // namespace ocim::loadbalancing
