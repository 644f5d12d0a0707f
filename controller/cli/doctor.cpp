#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/rehearsal.hpp"
#include "cli/standing.hpp"
#include "cli/targets.hpp"
#include "runtime/engine.hpp"
#include "schema/column.hpp"

#include <algorithm>
#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;
using namespace std::chrono_literals;

constexpr Flag flags[] = {kubeconfig_flag, context_flag, help_flag};
constexpr Example examples[] = {{"After installing, and when nothing seems to happen", "ocim doctor"}};

constexpr auto lease_age_max = 15s;     // as long as a leader may be silent
constexpr auto looked_age_max = 10min;  // of the longest driftInterval that anybody gives, and more
constexpr std::size_t shown_max = 10;

class Doctor {
public:
    int run(const Arguments& arguments) {
        auto opened = Connection::open(arguments);
        if (!opened) {
            fail(opened.error().message, "make access with \"ocim serve\" (DIR/kubeconfig) or \"ocim kubeconfig\"");
            return summary();
        }
        server_ = *std::move(opened);
        if (!reaches() || !serves_our_kinds() || !may_read()) return summary();
        read();
        controllers_run();
        backends_are_ready();
        classes_are_there();
        objects_stand_well();
        return summary();
    }

private:
    void ok(const std::string& what) { std::cout << paint_.green("ok    ") << what << std::endl; }
    void warn(const std::string& what, const std::string& next) { say(paint_.yellow("warn  "), what, next, warnings_); }
    void fail(const std::string& what, const std::string& next) { say(paint_.red("FAIL  "), what, next, failures_); }
    static void say(const std::string& mark, const std::string& what, const std::string& next, std::size_t& count) {
        ++count;
        std::cout << mark << what << "\n      next: " << next << std::endl;
    }
    int summary() const {
        if (failures_ + warnings_ == 0)
            std::cout << "All is well." << std::endl;
        else
            std::cout << failures_ << " wrong, " << warnings_ << " to look at." << std::endl;
        return failures_ ? exit_failed : exit_ok;
    }

    bool reaches() {
        const auto version = server_->get("/version");
        if (version) {
            ok("the server " + server_->access().server +
               " answers: " + std::string(api::find_text(*version, {"gitVersion"})));
            return true;
        }
        if (version.error().code == 0)
            fail(version.error().message,
                 "is the server running there, and is its certificate that of the kubeconfig's "
                 "authority? \"ocim serve\" writes a new kubeconfig at each start");
        else
            fail("the server refuses us: " + version.error().message,
                 "make a new kubeconfig: ocim kubeconfig --user NAME");
        return false;
    }

    bool serves_our_kinds() {
        const auto served = served_kinds().of_group(runtime::group);
        std::string missing;
        for (const auto& kind : Rehearsal::kinds()) {
            if (kind.group != runtime::group) continue;
            const bool there = served && std::ranges::any_of(*served, [&](const ServedKind* one) {
                                   return one->plural == kind.plural;
                               });
            if (!there) missing += (missing.empty() ? "" : ", ") + std::string(kind.plural);
        }
        if (missing.empty()) {
            ok("it serves every kind of this version");
            return true;
        }
        fail("it does not serve " + missing, "kubectl apply -f crd-schemas/, of this version of ocim");
        return false;
    }

    /// A doctor without eyes finds nothing wrong.
    bool may_read() {
        const Json review = api::json::object{
            {"apiVersion", "authorization.k8s.io/v1"},
            {"kind", "SelfSubjectAccessReview"},
            {"spec",
             api::json::object{{"resourceAttributes",
                                api::json::object{{"group", runtime::group}, {"resource", "*"}, {"verb", "list"}}}}}};
        const auto said = server_->ask({.method = "POST",
                                        .target = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                                        .body = api::to_text(review)});
        const auto* allowed = said ? api::find(*said, {"status", "allowed"}) : nullptr;
        if (allowed && allowed->is_bool() && allowed->get_bool()) {
            ok("we may look at everything of ours");
            return true;
        }
        fail("we may not look at everything of ours, so nothing more can be said",
             "run this with the rights of ocim-viewer or ocim-admin in the whole cluster: kubectl create "
             "clusterrolebinding NAME --clusterrole=ocim-viewer --user=USER");
        return false;
    }

    void read() {
        const auto served = served_kinds().of_group(runtime::group);
        if (!served) return;
        Progress progress;
        for (const auto* kind : *served) {
            progress.say("reading " + kind->plural);
            auto found = list(*server_, *kind, "");
            if (!found) {
                progress.clear();
                fail(kind->plural + " cannot be read: " + found.error().message, "see the server's log");
                continue;
            }
            for (auto& object : *found) objects_.push_back({kind, std::move(object)});
        }
    }

    void controllers_run() {
        const auto lease = server_->get("/apis/coordination.k8s.io/v1/namespaces/ocim-system/leases/ocim-controller");
        if (lease) {
            const auto renewed = parse_rfc3339(api::find_text(*lease, {"spec", "renewTime"}));
            const std::string holder(api::find_text(*lease, {"spec", "holderIdentity"}));
            if (renewed && !holder.empty() && server_->wall() - *renewed < lease_age_max)
                return ok("controllers run: " + holder + " leads");
            return fail("no controller leads: the lease ocim-system/ocim-controller was last renewed " +
                            (renewed ? schema::age(*renewed, server_->wall()) + " ago" : std::string("never")),
                        "start \"ocim controller\", or read its log");
        }
        std::optional<WallTime> newest;
        bool any = false;
        for (const auto& one : objects_) {
            any = any || is_backend(one);
            const auto looked = parse_rfc3339(api::find_text(one.object, {"status", "lastObserved"}));
            if (looked && (!newest || *newest < *looked)) newest = *looked;
        }
        if (newest && server_->wall() - *newest < looked_age_max)
            return ok("controllers run: they looked at a backend " + schema::age(*newest, server_->wall()) + " ago");
        if (!any) return;  // nothing shows it
        warn("nothing shows that controllers run: no backend was looked at " +
                 (newest ? "for " + schema::age(*newest, server_->wall()) : std::string("ever")),
             "is it \"ocim serve\" without --no-controllers, or an \"ocim controller\"? See whether backends are "
             "ready, below");
    }

    struct Seen {
        const ServedKind* kind;
        Json object;
        std::string title() const {
            const std::string space(api::find_text(object, {"metadata", "namespace"}));
            return kind->singular + "/" + std::string(api::find_text(object, {"metadata", "name"})) +
                   (space.empty() ? "" : " -n " + space);
        }
    };

    static bool is_backend(const Seen& seen) {
        return !seen.kind->namespaced && seen.kind->kind != "InstanceClass" && seen.kind->kind != "GitHubOrganization";
    }

    void backends_are_ready() {
        std::size_t ready = 0, all = 0;
        for (const auto& one : objects_) {
            if (!is_backend(one)) continue;
            ++all;
            const auto standing = standing_of(one.object);
            if (standing.ready)
                ++ready;
            else
                fail(one.title() + ": " + standing.reason + ": " + standing.message,
                     "it is for " + who_must_act(standing, false, one.title(), one.title(), server_->wall()));
            const auto* orphans = api::find(one.object, {"status", "orphans"});
            if (orphans && orphans->is_int64() && orphans->get_int64() > 0)
                warn(one.title() + " holds " + std::to_string(orphans->get_int64()) +
                         " things of ours without an object",
                     "ocim orphans");
        }
        if (all == 0)
            warn("there is no backend: nothing can be made anywhere",
                 "declare where things are kept, such as in manifests/samples/dns.yaml");
        else if (ready > 0)
            ok(std::to_string(ready) + " of " + std::to_string(all) + " backends are ready");
    }

    void classes_are_there() {
        const auto of = [&](std::string_view kind) {
            return std::ranges::count_if(objects_, [&](const Seen& one) { return one.kind->kind == kind; });
        };
        if (of("InstanceClass") > 0)
            return ok(std::to_string(of("InstanceClass")) + " InstanceClass there to make sites of");
        if (of("Instance") > 0)
            fail("there are Instances and no InstanceClass",
                 "declare the class that they name: manifests/samples/sandbox-class.yaml");
        else
            warn("there is no InstanceClass, so no site can be declared", "see manifests/samples/sandbox-class.yaml");
    }

    void is_stalled(const Seen& one, const Standing& standing, std::size_t count) {
        if (count > shown_max) return;
        fail(one.title() + ": " + standing.reason + ": " + standing.message, "ocim explain-status " + one.title());
    }
    void takes_too_long(const Seen& one, const Standing& standing, std::size_t count) {
        if (count > shown_max) return;
        const auto now = server_->wall();
        warn(one.title() + " is not ready for " + schema::age(*standing.since, now) + ": " + standing.reason + ": " +
                 standing.message,
             "it is for " + who_must_act(standing, false, "", one.title(), now) + "; ocim explain-status " +
                 one.title());
    }

    void objects_stand_well() {
        std::size_t well = 0, under_way = 0;
        std::size_t stalled = 0, overdue = 0;
        for (const auto& one : objects_) {
            if (is_backend(one)) continue;
            const auto standing = standing_of(one.object);
            if (standing.paused) warn(one.title() + " is paused", "ocim resume " + one.title());
            if (standing.ready)
                ++well;
            else if (standing.stalled)
                is_stalled(one, standing, ++stalled);
            else if (is_overdue(standing, server_->wall()))
                takes_too_long(one, standing, ++overdue);
            else
                ++under_way;
        }
        if (stalled > shown_max)
            fail("and " + std::to_string(stalled - shown_max) + " more are stalled", "ocim get ocim -A");
        if (overdue > shown_max)
            warn("and " + std::to_string(overdue - shown_max) + " more are not ready for long", "ocim get ocim -A");
        if (well + under_way > 0)
            ok(std::to_string(well) + " objects are ready" +
               (under_way ? ", " + std::to_string(under_way) + " under way" : std::string()));
    }

    ServedKinds& served_kinds() {
        if (!served_) served_ = std::make_unique<ServedKinds>(*server_);
        return *served_;
    }

    std::unique_ptr<Connection> server_;
    std::unique_ptr<ServedKinds> served_;
    std::vector<Seen> objects_;
    std::size_t warnings_ = 0, failures_ = 0;
    Paint paint_{Paint::Stream::out};
};

int doctor(const Arguments& arguments) { return Doctor().run(arguments); }

}  // namespace

constinit const Command doctor_command{
    .name = "doctor",
    .summary = "Check a set-up, and say what is wrong and what to do next.",
    .synopsis = "[FLAGS]",
    .description =
        "From the way to the server to the state of every backend and object. Exit codes: 0, nothing is wrong; 1,\n"
        "something is.",
    .flags = flags,
    .examples = examples,
    .run = doctor,
};

}  // namespace ocim::cli
