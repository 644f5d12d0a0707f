#include "github/watch.hpp"

#include "crd/clouds.hpp"
#include "crd/instanceclasses.hpp"
#include "github/sandbox.hpp"

#include <gtest/gtest.h>
#include <functional>

namespace ocim::github {
namespace {

/// A watch, what GitHub says, and the Instances that there are: compose() is asked, and what it wants is made so.
class Watching : public testing::Test {
protected:
    Watching() {
        watch.metadata.name = "site";
        watch.metadata.namespace_ = "sandboxes";
        watch.spec.forks = {"acme/site"};
        watch.spec.organization = "acme";
        watch.spec.credentials_ref.name = "github";
        watch.spec.instance_template.class_name = "sandbox";
        of_class.metadata.name = "sandbox";
        of_class.spec.base_domain = "sandbox.example.com";
        of_class.spec.pull_requests.emplace();
        of_class.spec.pull_requests->variables = {"COLOR"};
        feed.metadata.name = "site";
        feed.metadata.namespace_ = "sandboxes";
        feed.spec.watch_name = "site";
        feed.status.forks = {{"acme/site", std::nullopt}};
        feed_stands("True", "Followed");
        at("2026-11-22T10:00:00Z");
    }
    void at(const std::string& time) { now = *parse_rfc3339(time); }
    void feed_stands(const std::string& ready, const std::string& reason) {
        api::Condition condition;
        condition.type = "Ready";
        condition.status = ready;
        condition.reason = reason;
        feed.status.conditions = {condition};
    }
    /// Index of a new one.
    std::size_t pull(std::int64_t number, const std::string& repository = "acme/site") {
        Pull out;
        out.repository = repository;
        out.number = number;
        out.title = "Make it one two three";
        out.author = "ada";
        out.member = true;
        out.open = true;
        out.url = "https://github.com/acme/site/pull/" + std::to_string(number);
        out.branch = "work";
        out.commit = std::string(40, 'a');
        out.source = "ada/site";
        out.clone_url = "https://github.com/ada/site.git";
        feed.status.pull_requests.push_back(out);
        return feed.status.pull_requests.size() - 1;
    }
    Pull& first() { return feed.status.pull_requests.front(); }

    runtime::Composition<crd::PullRequestWatch> compose() {
        runtime::Inputs inputs;
        inputs.installation = "test";
        inputs.now = now;
        if (has_class) inputs.add(api::encode_object(of_class));
        for (const auto& cloud : clouds) inputs.add(api::encode_object(cloud));
        runtime::Children children;
        auto known = api::encode_object(feed);
        known.as_object()["status"] = api::encode(feed.status);
        if (has_feed) children.add(std::move(known));
        for (const auto& [name, instance] : instances) children.add(instance);
        return Watches::compose(watch, children, inputs);
    }
    /// What the runtime does with it.
    runtime::Composition<crd::PullRequestWatch> settle() {
        auto out = compose();
        std::map<std::string, api::Json> kept;
        for (const auto& child : out.children) {
            const std::string name(api::find_text(child.object, {"metadata", "name"}));
            if (api::find_text(child.object, {"kind"}) == "PullRequestFeed") {
                has_feed = true;
                feed.spec = api::decode_object<crd::PullRequestFeed>(child.object)->spec;
                continue;
            }
            const auto before = instances.find(name);
            if (before == instances.end() && child.waiting_for) continue;
            auto object = before != instances.end() ? before->second : child.object;
            if (!child.create_only) object.as_object()["spec"] = child.object.at("spec");
            kept[name] = std::move(object);
        }
        if (out.complete)
            instances = std::move(kept);
        else
            for (auto& [name, object] : kept) instances[name] = object;
        watch.status = out.status;
        return out;
    }
    std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (const auto& [name, instance] : instances) out.push_back(name);
        return out;
    }
    std::string state(std::int64_t number) const {
        for (const auto& entry : watch.status.pull_requests)
            if (entry.number == number) return entry.state;
        return "";
    }
    std::string spec_of(const std::string& name) const {
        const auto found = instances.find(name);
        return found == instances.end() ? "" : api::to_text(found->second.at("spec"));
    }
    TellReport told(std::int64_t number) const {
        for (const auto& report : feed.spec.reports)
            if (report.number == number) return report;
        return {};
    }

    using Names = std::vector<std::string>;
    static constexpr const char* pr12 = "pr12-acme-site";
    crd::PullRequestWatch watch;
    crd::PullRequestFeed feed;
    crd::InstanceClass of_class;
    std::vector<crd::Cloud> clouds;
    bool has_class = true, has_feed = true;
    std::map<std::string, api::Json> instances;
    WallTime now{};
};

TEST_F(Watching, APullRequestOfAMemberIsAnInstance) {
    pull(12);
    first().settings = "COLOR: red\nSECRET: x\n";
    settle();
    EXPECT_EQ(names(), Names{pr12});
    const std::string spec =
        R"x({"className":"sandbox","subdomain":"pr12","displayName":"PR#12: Make it one two ... (ada) - ada/work )x"
        R"x((aaaaaaa)","platform":{"repository":"https://github.com/ada/site.git","commit":")x" +
        std::string(40, 'a') + R"x("},"configuration":{"extraVars":{"COLOR":"red"}},"deletionPolicy":"Delete"})x";
    EXPECT_EQ(spec_of(pr12), spec);
    EXPECT_EQ(state(12), "Deploying");
    EXPECT_EQ(told(12).state, TellReport::State::pending);
    EXPECT_NE(told(12).comment.value_or("").find("`SECRET`"), std::string::npos)
        << "its author hears what was left out";
}

TEST_F(Watching, WhoIsNoMemberGetsNothing) {
    pull(12);
    first().member = false;
    settle();
    EXPECT_TRUE(names().empty());
    EXPECT_TRUE(feed.spec.reports.empty());
    feed.status.pull_requests.clear();  // as of an empty team
    settle();
    EXPECT_TRUE(names().empty());
}

TEST_F(Watching, NewCommitsAreDeployedByPolicyAndOnlyOfMembers) {
    pull(12);
    settle();
    const auto before = spec_of(pr12);
    first().commit = std::string(40, 'b');
    watch.spec.on_new_commit = crd::PullRequestWatch::Spec::OnNewCommit::ignore;
    settle();
    EXPECT_EQ(spec_of(pr12), before);
    EXPECT_FALSE(told(12).state) << "nothing is said of a commit that is left alone";
    watch.spec.on_new_commit = crd::PullRequestWatch::Spec::OnNewCommit::redeploy;
    first().member = false;
    settle();
    EXPECT_EQ(spec_of(pr12), before) << "who left the team deploys nothing more";
    EXPECT_EQ(state(12), "Frozen");
    EXPECT_EQ(told(12).state, TellReport::State::error);
    first().member = true;
    settle();
    EXPECT_NE(spec_of(pr12).find(std::string(40, 'b')), std::string::npos);
}

TEST_F(Watching, ReadyStaysSaidWhileTheSiteGoesOnServing) {
    pull(12);
    settle();
    const auto stands = [&](const char* ready, const char* available, const char* rolled_out) {
        api::json::array conditions;
        for (const auto& [type, status] :
             {std::pair{"Ready", ready}, {"Available", available}, {"RolledOut", rolled_out}})
            conditions.push_back(api::json::object{{"type", type}, {"status", status}, {"observedGeneration", 1}});
        instances.at(pr12).at("metadata").as_object()["generation"] = 1;
        instances.at(pr12).as_object()["status"] =
            api::json::object{{"latestAppServer", "one"}, {"activeAppServers", {"one"}}, {"conditions", conditions}};
        settle();
        return state(12);
    };
    EXPECT_EQ(stands("False", "True", "True"), "Deploying") << "not all of it was there yet";
    EXPECT_EQ(stands("True", "True", "True"), "Ready");
    EXPECT_EQ(told(12).state, TellReport::State::success);
    EXPECT_EQ(stands("False", "True", "True"), "Ready") << "the load balancer is being written";
    EXPECT_EQ(told(12).state, TellReport::State::success);
    EXPECT_EQ(stands("False", "Unknown", "True"), "Ready") << "the load balancer cannot be asked";
    EXPECT_EQ(stands("False", "False", "True"), "Deploying") << "nobody is served";
    EXPECT_EQ(stands("True", "True", "True"), "Ready");
    EXPECT_EQ(stands("True", "True", "False"), "Deploying") << "another server is to be made, and there is none yet";
    EXPECT_EQ(stands("True", "True", "True"), "Ready");
    first().commit = std::string(40, 'b');
    settle();
    EXPECT_EQ(stands("False", "True", "True"), "Deploying") << "of another commit";
}

TEST_F(Watching, ATitleAloneDeploysNothing) {
    pull(12);
    settle();
    const auto before = spec_of(pr12);
    first().title = "Another";
    settle();
    EXPECT_EQ(spec_of(pr12), before);
}

TEST_F(Watching, WhatCannotBeDeployedIsRefusedAndLeavesASandboxAsItIs) {
    const struct {
        const char* reason;
        std::function<void(Pull&)> spoil;
    } cases[] = {
        {"settings that are none", [](Pull& pull) { pull.settings = "- no mapping"; }},
        {"a text that is none", [](Pull& pull) { pull.text_error = "its text is no text"; }},
        {"a branch whose repository is gone", [](Pull& pull) { pull.clone_url.reset(); }},
    };
    for (const auto& c : cases) {
        feed.status.pull_requests.clear();
        watch.status = {};
        instances.clear();
        pull(12);
        const auto good = first();
        c.spoil(first());
        settle();
        EXPECT_TRUE(names().empty()) << c.reason;
        EXPECT_EQ(state(12), "Refused") << c.reason;
        EXPECT_EQ(told(12).state, TellReport::State::failure) << c.reason;
        first() = good;
        settle();
        const auto before = spec_of(pr12);
        first().commit = std::string(40, 'b');
        c.spoil(first());
        settle();
        EXPECT_EQ(spec_of(pr12), before) << c.reason;
        EXPECT_EQ(state(12), "Frozen") << c.reason;
    }
}

TEST_F(Watching, AClosedOneIsRetiredWhenItsTimeIsOverAndAReopenedOneIsNot) {
    watch.spec.retain_after_close = "24h";
    pull(12);
    settle();
    const auto close = [&](const char* time) {
        first().open = false;
        first().closed_at = time;
    };
    close("2026-11-22T10:00:00Z");
    settle();
    EXPECT_EQ(state(12), "Closed");
    at("2026-11-25T10:00:00Z");
    settle();
    EXPECT_EQ(names().size(), 1U) << "time alone retires nothing: it may have been opened again";
    at("2026-11-23T10:00:00Z");
    first().open = true;
    first().closed_at.reset();
    at("2026-11-23T12:00:00Z");
    settle();
    EXPECT_EQ(state(12), "Deploying");
    close("2026-11-23T12:00:00Z");
    first().expired = true;
    settle();
    EXPECT_EQ(names().size(), 1U) << "what GitHub was asked for before the watch was changed";
    at("2026-11-24T12:00:00Z");
    settle();
    EXPECT_TRUE(names().empty());
    EXPECT_EQ(state(12), "Retiring");
    settle();
    EXPECT_EQ(state(12), "Retired");
    EXPECT_NE(told(12).comment.value_or("").find("was removed"), std::string::npos);
}

TEST_F(Watching, OneThatVanishedIsKeptFromTheMomentThatWasSeen) {
    watch.spec.retain_after_close = "1h";
    pull(12);
    settle();
    first().open = false;  // without a time: GitHub does not know it any more
    settle();
    at("2026-11-22T10:59:00Z");
    settle();
    EXPECT_EQ(names().size(), 1U);
    at("2026-11-22T11:00:00Z");
    first().expired = true;
    settle();
    EXPECT_TRUE(names().empty());
}

TEST_F(Watching, WhatIsNotKnownIsNotAbsent) {
    pull(12);
    settle();
    const struct {
        const char* reason;
        std::function<void()> change;
        const char* said;
    } cases[] = {
        {"GitHub cannot be reached", [&] { feed_stands("False", "BackendUnreachable"); }, "GitHubUnknown"},
        {"the token is refused", [&] { feed_stands("False", "BackendAuthFailed"); }, "GitHubUnknown"},
        {"nothing was read yet", [&] { feed.status.forks.clear(); }, "Starting"},
        {"there is no feed", [&] { has_feed = false; }, "Starting"},
        {"the class is gone", [&] { has_class = false; }, "DependencyNotReady"},
        {"the repository cannot be seen", [&] { feed.status.forks[0].error = "hidden"; }, "RepositoryUnknown"},
        {"GitHub's answer does not speak of it", [] {}, "Watching"},
        {"nor does our own status", [&] { watch.status = {}; }, "Watching"},
    };
    const auto instances_before = instances;
    const auto watch_before = watch;
    const auto feed_before = feed;
    for (const auto& c : cases) {
        watch = watch_before;
        feed = feed_before;
        has_feed = has_class = true;
        feed.status.pull_requests.clear();
        c.change();
        at("2027-11-22T10:00:00Z");
        const auto out = settle();
        EXPECT_EQ(instances, instances_before) << c.reason;
        EXPECT_EQ(out.verdict.reason, c.said) << c.reason;
    }
}

TEST_F(Watching, OnlySoManyAtOnceTheOldestFirst) {
    watch.spec.max_sandboxes = 2;
    pull(3);
    pull(5);
    pull(8);
    settle();
    EXPECT_EQ(names(), (Names{"pr3-acme-site", "pr5-acme-site"}));
    EXPECT_EQ(state(8), "Waiting");
}

TEST_F(Watching, ForksDoNotCollide) {
    watch.spec.forks = {"acme/site", "other/site"};
    feed.status.forks = {{"acme/site", std::nullopt}, {"other/site", std::nullopt}};
    pull(12);
    pull(12, "other/site");
    settle();
    EXPECT_EQ(names(), (Names{pr12, "pr12-other-site"}));
    EXPECT_NE(spec_of("pr12-other-site").find(R"("subdomain":"pr12-other-site")"), std::string::npos);
    watch.spec.forks = {"acme/site"};
    settle();
    EXPECT_EQ(names(), Names{pr12}) << "a fork that is taken out takes its sandboxes with it";
    EXPECT_NE(spec_of(pr12).find(R"("subdomain":"pr12-acme-site")"), std::string::npos) << "names are kept";
}

TEST_F(Watching, TheDatabaseMarkerIsSettledAtTheBeginning) {
    pull(12);
    first().database_lines = {"pr12.sandbox.example.com (ephemeral databases)"};
    settle();
    const std::string ephemeral = R"("databases":{"mode":"Ephemeral"})";
    EXPECT_NE(spec_of(pr12).find(ephemeral), std::string::npos);
    first().database_lines = {"pr12.sandbox.example.com (persistent databases)"};
    settle();
    EXPECT_NE(spec_of(pr12).find(ephemeral), std::string::npos);
}

TEST_F(Watching, StrangersCodeDoesNotRunOnThisHostUnlessTheCloudAllowsIt) {
    crd::Cloud local;
    local.metadata.name = "here";
    local.spec.local.emplace();
    clouds.push_back(local);
    pull(12);
    EXPECT_EQ(settle().verdict.reason, "UntrustedCodeRefused");
    EXPECT_TRUE(names().empty());
    clouds[0].spec.local->allow_untrusted = true;
    settle();
    EXPECT_EQ(names().size(), 1U);
}

TEST_F(Watching, DeletionTakesInstancesFirst) {
    pull(12);
    settle();
    watch.metadata.deletion_timestamp = "2026-11-22T10:00:00Z";
    const auto out = compose();
    ASSERT_EQ(out.children.size(), 1U);
    EXPECT_EQ(api::find_text(out.children[0].object, {"kind"}), "PullRequestFeed");
    instances.clear();
    EXPECT_TRUE(compose().children.empty());
}

TEST(Sandbox, NamesAreLabelsThatDoNotMeet) {
    EXPECT_EQ(instance_name("acme/site", 12), "pr12-acme-site");
    EXPECT_EQ(instance_name("Acme/Site", 12), "pr12-acme-site") << "GitHub does not tell them apart either";
    EXPECT_NE(instance_name("acme/my.site", 12), instance_name("acme/my_site", 12));
    const auto longest = instance_name(std::string(39, 'a') + "/" + std::string(100, 'b'), 123456789);
    EXPECT_LE(longest.size(), 50U);
    EXPECT_NE(longest, instance_name(std::string(39, 'a') + "/" + std::string(101, 'b'), 123456789));
    crd::PullRequestWatch::Spec watch;
    watch.forks = {"acme/site"};
    EXPECT_EQ(subdomain(watch, "acme/site", 12), "pr12");
    watch.instance_template.subdomain = "{repository}-{number}-x";
    EXPECT_EQ(subdomain(watch, "acme/site", 12), "site-12-x");
}

TEST(Sandbox, WhatStrangersWroteMeansNothingToMarkdown) {
    const crd::PullRequestWatch::Spec watch;
    Entry entry;
    entry.repository = "acme/site";
    entry.number = 12;
    entry.state = "Refused";
    entry.message = "`@everybody` | <script>\n![x](http://evil.example.com)";
    const auto out = tell(watch, entry, std::string(40, 'a'), {"`x` @all"});
    EXPECT_NE(out.comment->find("| Note | `'@everybody' ' <script> ![x](http://evil.example.com)` |"),
              std::string::npos)
        << *out.comment;
    EXPECT_NE(out.comment->find("`'x' @all`"), std::string::npos) << *out.comment;
    EXPECT_LE(out.description->size(), 140U);
}

}  // namespace
}  // namespace ocim::github
