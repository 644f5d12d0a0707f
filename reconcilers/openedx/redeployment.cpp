#include "openedx/redeployment.hpp"

#include "crd/appservers.hpp"
#include "crd/databasescripts.hpp"
#include "crd/databasetenants.hpp"
#include "crd/instances.hpp"
#include "openedx/redeployment_choice.hpp"
#include "openedx/redeployment_steps.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using runtime::Children;
using runtime::Composition;
using runtime::Inputs;
using runtime::Verdict;
using Object = crd::Redeployment;
using Phase = Object::Status::Phase;
using Entry = std::decay_t<decltype(Object::Status{}.instances[0])>;
using State = Entry::State;

constexpr auto reconcile_at = "ocim.opencraft.com/reconcile-at";
constexpr std::size_t instances_max = 2000;  // of one Redeployment: its status is one object

bool ended(State state) { return state == State::succeeded || state == State::failed || state == State::skipped; }
bool ongoing(State state) { return !ended(state) && state != State::pending; }

std::string database_of(const std::decay_t<decltype(*Object::Spec{}.sql_before)>& sql) {
    return std::string(api::find_text(api::encode(sql), {"database"}));
}

class Composer {
public:
    Composer(const Object& object, const Children& children, const Inputs& inputs)
        : object_(object), spec_(object.spec), children_(children), inputs_(inputs) {
        out_.status = object.status;
    }

    Composition<Object> compose() {
        if (object_.metadata.deleting()) {
            out_.verdict = {Verdict::State::progressing, "Deleting", "what was begun goes on by itself"};
            return std::move(out_);
        }
        if (const auto wrong = patch_problems(object_); !wrong.empty())
            return refuse("SpecInvalid", wrong.front().field + ": " + wrong.front().message);
        const auto phase = object_.status.phase;
        if (!phase || phase == Phase::dry_run) {
            auto chosen = choose();
            if (!chosen) return refuse("SelectorInvalid", "spec.selector: " + chosen.error().message);
            if (chosen->size() > instances_max)
                return refuse("TooMany", std::to_string(chosen->size()) + " Instances are chosen and " +
                                             std::to_string(instances_max) +
                                             " are the most; narrow spec.selector, and make several");
            out_.status.instances = *std::move(chosen);
            return spec_.dry_run ? dry_run() : begin();
        }
        retry();
        for (auto& entry : out_.status.instances) {
            const auto before = entry.state;
            if (!ended(before)) advance_instance(view_, entry);
            if (entry.state != before && ended(entry.state)) end(entry);
        }
        start_batch();
        conclude();
        return std::move(out_);
    }

    std::vector<runtime::Edit> edits() {
        compose();
        return std::move(edits_);
    }

private:
    // --- as a whole

    Composition<Object> refuse(const char* reason, std::string message) {
        out_.complete = false;
        out_.verdict = {Verdict::State::stalled, reason, std::move(message)};
        return std::move(out_);
    }

    Result<std::vector<Entry>> choose() const {
        std::vector<Entry> out;
        for (const auto* instance : inputs_.all(crd::Instance::kind)) {
            auto chosen = chooses(object_, *instance);
            if (!chosen) return std::move(chosen).error();
            if (!*chosen) continue;
            Entry entry;
            entry.name = std::string(api::find_text(*instance, {"metadata", "name"}));
            entry.uid = std::string(api::find_text(*instance, {"metadata", "uid"}));
            entry.state = State::pending;
            if (const auto* spec = api::find(*instance, {"spec"}); spec && spec_.dry_run)
                entry.message = changes_in_words(*spec, spec_.patch);
            out.push_back(std::move(entry));
        }
        std::ranges::sort(out, {}, &Entry::name);
        return out;
    }

    Composition<Object> dry_run() {
        out_.status.phase = Phase::dry_run;
        count();
        const auto sql = spec_.sql_before ? ", after " + std::to_string(spec_.sql_before->statements.size()) +
                                                " SQL statements in the database " + database_of(*spec_.sql_before)
                                          : std::string();
        out_.verdict = {Verdict::State::ready, "DryRun",
                        std::to_string(out_.status.instances.size()) + " Instances would be redeployed" + sql +
                            ": see status.instances; set spec.dryRun to false to begin"};
        return std::move(out_);
    }

    Composition<Object> begin() {
        out_.status.phase = Phase::progressing;
        out_.status.started_at = rfc3339(inputs_.now);
        for (auto& entry : out_.status.instances) entry.message.reset();
        if (const auto asked = object_.metadata.annotations.find(reconcile_at);
            asked != object_.metadata.annotations.end())
            out_.status.retried_at = asked->second;
        count();
        out_.complete = false;
        out_.notes.push_back(
            {false, "Started", std::to_string(out_.status.instances.size()) + " Instances are chosen"});
        out_.verdict = {Verdict::State::progressing, "Progressing", "the Instances are chosen"};
        return std::move(out_);
    }

    /// A person asks for what failed once more.
    void retry() {
        const auto asked = object_.metadata.annotations.find(reconcile_at);
        if (asked == object_.metadata.annotations.end() || asked->second == out_.status.retried_at.value_or("")) return;
        out_.status.retried_at = asked->second;
        for (auto& entry : out_.status.instances) {
            if (entry.state != State::failed) continue;
            Entry anew;
            anew.name = entry.name;
            anew.uid = entry.uid;
            anew.state = State::pending;
            anew.round = entry.round;
            entry = std::move(anew);
        }
        out_.status.completed_at.reset();
    }

    bool held() const {
        const auto failed = std::ranges::count(out_.status.instances, State::failed, &Entry::state);
        return spec_.paused || (spec_.pause_on_failures > 0 && failed >= spec_.pause_on_failures);
    }

    void start_batch() {
        auto& all = out_.status.instances;
        auto places = spec_.batch_size - std::ranges::count_if(all, [](const auto& e) { return ongoing(e.state); });
        const bool waiting = std::ranges::any_of(all, [](const auto& e) { return e.state == State::pending; });
        if (places <= 0 || !waiting || held()) return;
        const auto interval = runtime::parse_duration(spec_.interval);
        if (const auto last = parse_rfc3339(out_.status.last_batch_at.value_or("")); last && interval)
            if (const auto due = *last + *interval; inputs_.now < due) return look_at(view_, due);
        out_.status.last_batch_at = rfc3339(inputs_.now);
        for (auto& entry : all) {
            if (entry.state != State::pending) continue;
            if (places-- <= 0) break;
            entry.round = entry.round.value_or(0) + 1;
            entry.attempt = 1;
            entry.started_at = rfc3339(inputs_.now);
            begin_instance(view_, entry);
        }
    }

    void count() {
        auto& status = out_.status;
        const auto of = [&](auto match) {
            return static_cast<std::int32_t>(std::ranges::count_if(status.instances, match, &Entry::state));
        };
        status.total = static_cast<std::int32_t>(status.instances.size());
        status.pending = of([](State state) { return state == State::pending; });
        status.ongoing = of(ongoing);
        status.succeeded = of([](State state) { return state == State::succeeded; });
        status.failed = of([](State state) { return state == State::failed; });
        status.skipped = of([](State state) { return state == State::skipped; });
    }

    std::string failures() const {
        std::string out;
        std::size_t more = 0;
        for (const auto& entry : out_.status.instances) {
            if (entry.state != State::failed) continue;
            if (out.size() > 1000)
                ++more;
            else
                out += (out.empty() ? "" : "; ") + entry.name + ": " + entry.message.value_or("failed");
        }
        return more > 0 ? out + "; and " + std::to_string(more) + " more" : out;
    }

    void conclude() {
        auto& status = out_.status;
        count();
        const auto before = object_.status.phase;
        const bool over = *status.pending + *status.ongoing == 0;
        status.phase = over ? Phase::complete : held() ? Phase::paused : Phase::progressing;
        const auto progress = std::to_string(*status.succeeded) + " of " + std::to_string(*status.total) +
                              " Instances are redeployed, " + std::to_string(*status.ongoing) + " ongoing, " +
                              std::to_string(*status.failed) + " failed, " + std::to_string(*status.skipped) +
                              " skipped";
        const auto again = std::string("; ask once more for what failed with kubectl annotate and ") + reconcile_at;
        if (over && !status.completed_at) status.completed_at = rfc3339(inputs_.now);
        if (over && *status.failed > 0)
            out_.verdict = {Verdict::State::stalled, "SomeFailed", progress + ": " + failures() + again};
        else if (over)
            out_.verdict = {Verdict::State::ready, "Complete", progress};
        else if (held())
            out_.verdict = {
                Verdict::State::progressing, "Paused",
                progress + (spec_.paused
                                ? "; spec.paused is set"
                                : ": " + failures() + "; raise spec.pauseOnFailures to go on without them" + again)};
        else
            out_.verdict = {Verdict::State::progressing, "Progressing", progress};
        if (status.phase != before && status.phase == Phase::paused)
            out_.notes.push_back({true, "Paused", out_.verdict.message});
        if (status.phase != before && over) out_.notes.push_back({*status.failed > 0, "Completed", progress});
        out_.findings.push_back({"Complete", over ? "True" : "False", over ? "Complete" : "Progressing", progress});
        out_.findings.push_back({"Paused", status.phase == Phase::paused ? "True" : "False",
                                 status.phase == Phase::paused ? "Paused" : "Progressing", progress});
        const bool degraded = *status.failed > 0;
        out_.findings.push_back({"Degraded", degraded ? "True" : "False", degraded ? "SomeFailed" : "NoneFailed",
                                 degraded ? failures() : progress});
        // each step is stored before it is taken; nothing is pruned before what followed from it is
        if (api::encode(status) != api::encode(object_.status)) out_.complete = false;
    }

    void end(Entry& entry) {
        entry.finished_at = rfc3339(inputs_.now);
        const auto app = entry.app_server ? ": AppServer " + *entry.app_server : std::string();
        if (entry.state == State::succeeded)
            out_.notes.push_back({false, "InstanceRedeployed", "Instance " + entry.name + app});
        else
            out_.notes.push_back({entry.state == State::failed,
                                  entry.state == State::failed ? "InstanceFailed" : "InstanceSkipped",
                                  "Instance " + entry.name + ": " + entry.message.value_or("")});
    }

    const Object& object_;
    const Object::Spec& spec_;
    const Children& children_;
    const Inputs& inputs_;
    Composition<Object> out_;
    std::vector<runtime::Edit> edits_;
    RedeploymentView view_{object_, children_, inputs_, out_, edits_};
};

}  // namespace

std::vector<api::Kind> Redeployments::child_kinds() { return {crd::DatabaseScript::kind, crd::AppServer::kind}; }

std::vector<runtime::Reference> Redeployments::needs(const Object& object) {
    const auto& namespace_ = object.metadata.namespace_;
    // what is over looks at nothing any more
    if (object.status.phase == Phase::complete && object.status.failed.value_or(0) == 0) return {};
    std::vector<runtime::Reference> out{{crd::Instance::kind, namespace_, "", true},
                                        {crd::AppServer::kind, namespace_, "", true}};
    if (object.spec.sql_before) out.push_back({crd::DatabaseTenant::kind, namespace_, "", true});
    return out;
}

std::vector<runtime::Claim> Redeployments::claims(const Object&) { return {}; }

std::vector<api::Cause> Redeployments::admit(const Object& object, const Object* old, const Inputs&) {
    auto out = patch_problems(object);
    if (old && !old->spec.dry_run && old->spec.patch != object.spec.patch)
        out.push_back(
            {"FieldValueForbidden", "cannot be changed once it has begun; make another Redeployment", "spec.patch"});
    return out;
}

Composition<crd::Redeployment> Redeployments::compose(const Object& object, const Children& children,
                                                      const Inputs& inputs) {
    return Composer(object, children, inputs).compose();
}

std::vector<runtime::Edit> Redeployments::edits(const Object& object, const Children& children, const Inputs& inputs) {
    return Composer(object, children, inputs).edits();
}

}  // namespace ocim::openedx
