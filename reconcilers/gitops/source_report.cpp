#include "base/utf8.hpp"
#include "gitops/limits.hpp"
#include "gitops/plan.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <array>
#include <string_view>

/// What a GitSource says of itself.
namespace ocim::gitops {

namespace {

using runtime::Verdict;
using Object = crd::GitSource;
using Standing = Plan::Standing;

constexpr Duration at_once{50}, while_going{2'000}, while_unready_min{5'000};

Verdict progressing(std::string reason, std::string message) {
    return {Verdict::State::progressing, std::move(reason), std::move(message)};
}
Verdict stalled(std::string reason, std::string message) {
    return {Verdict::State::stalled, std::move(reason), std::move(message)};
}

std::string more_than(std::size_t shown, std::size_t all) {
    return all > shown ? "; and " + std::to_string(all - shown) + " more" : "";
}

std::string joined(const std::vector<std::string>& texts, std::size_t most) {
    std::string out;
    for (std::size_t i = 0; i < std::min(texts.size(), most); ++i) out += (i > 0 ? "; " : "") + texts[i];
    return out + more_than(most, texts.size());
}

Object::Status::Fault shown(const Fault& fault) {
    Object::Status::Fault out;
    const auto set = [](std::optional<std::string>& to, const std::string& from) {
        if (!from.empty()) to = one_line(from, limits::fault_bytes_max);
    };
    set(out.file, fault.file);
    set(out.object, fault.object);
    set(out.field, fault.field);
    if (fault.document > 0) out.document = static_cast<std::int32_t>(fault.document);
    out.message = one_line(fault.message, limits::fault_bytes_max);
    return out;
}

/// What is wanted and does not stand as it should; this GitSource itself is not asked.
std::vector<std::string> unhealthy(const Object& object, const Snapshot& seen) {
    const ObjectId self{std::string(Object::kind.group), std::string(Object::kind.name), object.metadata.namespace_,
                        object.metadata.name};
    std::vector<std::string> out;
    for (const auto& [id, thing] : seen)
        if (thing.wanted && thing.exists && id != self && thing.health.state != Health::State::current)
            out.push_back(id.text() + ": " + thing.health.message);
    return out;
}

bool any_failed(const Snapshot& seen) {
    return std::ranges::any_of(
        seen, [](const auto& one) { return one.second.wanted && one.second.health.state == Health::State::failed; });
}

std::vector<std::string> not_looked_at(const Snapshot& seen) {
    std::vector<std::string> out;
    for (const auto& [id, thing] : seen)
        if (!thing.wanted && !thing.unknown.empty()) out.push_back(id.text() + ": " + thing.unknown);
    return out;
}

/// What does not get better by itself: whoever keeps the spec or the Secret must do something.
bool needs_somebody(const Fetched& fetched) {
    constexpr std::array<std::string_view, 5> reasons{"AuthenticationFailed", "NotFound", "InvalidRepository",
                                                      "SecretNotFound", "SignatureRefused"};
    return !fetched.soon && std::ranges::find(reasons, fetched.reason) != reasons.end();
}

Verdict of_problem(const Fetched& fetched) {
    return needs_somebody(fetched) ? stalled(fetched.reason, fetched.message)
                                   : progressing(fetched.reason, fetched.message);
}

Verdict of_fetch(const Plan& plan, std::string otherwise) {
    if (!plan.fetched) return progressing("Starting", "The repository is being asked.");
    if (!plan.fetched->reason.empty()) return of_problem(*plan.fetched);
    return progressing("Starting", std::move(otherwise));
}

Verdict of_faults(const Fetched& fetched) {
    std::vector<std::string> texts;
    for (const auto& fault : fetched.faults) texts.push_back(fault.text());
    return stalled("ManifestsRefused", "Nothing of " + fetched.revision + " is applied: " + joined(texts, 3));
}

std::vector<std::string> pending(const Plan& plan) {
    std::vector<std::string> out;
    for (const auto& action : plan.prune) out.push_back(action.id.text());
    for (const auto& id : plan.blind) out.push_back(id.text());
    return out;
}

Verdict of_deletions(const Object& object, const Plan& plan) {
    const auto names = pending(plan);
    return stalled(
        "DeletionsNeedConfirmation",
        plan.fetched->revision + " deletes " + std::to_string(names.size()) +
            " objects, which needs a confirmation: they are more than " +
            std::to_string(object.spec.max_deletions_per_commit) +
            ", or all there are, or a Namespace or definition is among them. Nothing is deleted: " + joined(names, 5) +
            ". To delete them: kubectl -n " + object.metadata.namespace_ + " annotate gitsource " +
            object.metadata.name + " --overwrite " + std::string(confirm_annotation) + "=" + plan.confirmation);
}

/// How it stands where nothing keeps it from being applied, and nothing is left to be done.
Verdict of_objects(const Object& object, const Plan& plan, const Snapshot& seen,
                   const std::vector<std::string>& unready) {
    if (!plan.confirmed) return of_deletions(object, plan);
    if (!plan.fetched->reason.empty()) return of_problem(*plan.fetched);
    if (!plan.untried.empty())
        return progressing("CannotLook", "It is not known how these stand: " + joined(plan.untried, 3) +
                                             ". They are looked at again.");
    if (plan.deferred > 0)
        return progressing("WaitingForKinds",
                           std::to_string(plan.deferred) + " objects wait until their kinds and namespaces are there.");
    if (plan.going > 0)
        return progressing("Pruning", std::to_string(plan.going) + " objects are being deleted and are not gone yet.");
    if (const auto blind = not_looked_at(seen); !blind.empty())
        return progressing("CannotLook", "It is not known whether these are gone: " + joined(blind, 3));
    if (!unready.empty())
        return progressing(any_failed(seen) ? "HealthCheckFailed" : "HealthCheckPending",
                           plan.fetched->revision + " is applied; not ready: " + joined(unready, 3));
    return {Verdict::State::ready, "Applied",
            plan.fetched->revision + ": " + std::to_string(plan.inventory.size()) + " objects are as declared."};
}

std::optional<Duration> look_again(const Object& object, const Plan& plan, bool unready) {
    if (plan.standing == Standing::unwritten) return at_once;
    if (plan.fetched && plan.fetched->soon) return Duration(limits::retry_after);
    if (!plan.untried.empty()) return while_unready_min;
    if (plan.standing != Standing::open) return std::nullopt;
    if (plan.going > 0 || plan.deferred > 0) return while_going;
    if (!unready) return std::nullopt;
    const auto interval = runtime::parse_duration(object.spec.interval);
    return std::max(while_unready_min, std::min(interval ? *interval : while_unready_min, Duration(30'000)));
}

void fill_status(Object::Status& status, const Plan& plan, const std::vector<std::string>& unready) {
    status.inventory = plan.inventory;
    status.objects = static_cast<std::int32_t>(plan.inventory.size());
    status.faults.clear();
    status.pending_deletions.clear();
    status.unhealthy.assign(unready.begin(),
                            unready.begin() + static_cast<std::ptrdiff_t>(std::min(unready.size(), limits::shown_max)));
    if (!plan.fetched) return;
    if (!plan.fetched->commit.empty()) {
        status.commit = plan.fetched->commit;
        status.signed_by.reset();
        if (!plan.fetched->signer.empty()) status.signed_by = plan.fetched->signer;
    }
    for (const auto& fault : plan.fetched->faults)
        if (status.faults.size() < limits::shown_max) status.faults.push_back(shown(fault));
    status.confirmed_deletions.reset();
    if (!plan.confirmed_as.empty()) status.confirmed_deletions = plan.confirmed_as;
    if (plan.confirmed) return;
    for (const auto& name : pending(plan))
        if (status.pending_deletions.size() < limits::shown_max) status.pending_deletions.push_back(name);
}

Verdict verdict_of(const Object& object, const Plan& plan, const Snapshot& seen,
                   const std::vector<std::string>& unready) {
    switch (plan.standing) {
        case Standing::suspended:
            return stalled("Suspended", "spec.suspend is set: nothing is fetched, applied or pruned. Set it to false.");
        case Standing::unknown: return of_fetch(plan, "Nothing was fetched yet.");
        case Standing::refused: return of_faults(*plan.fetched);
        case Standing::untried:
            return progressing("CannotLook", "Nothing of " + plan.fetched->revision +
                                                 " is applied before all of it could be tried: " +
                                                 joined(plan.untried, 3) + ". They are looked at again.");
        case Standing::unwritten:
            return progressing("Progressing", "What " + plan.fetched->revision + " has is noted, then applied.");
        case Standing::open: return of_objects(object, plan, seen, unready);
    }
    return {};
}

}  // namespace

runtime::Report<Object> Sources::report(const Object& object, const runtime::Inputs&, const Snapshot& seen) {
    runtime::Report<Object> out;
    const auto plan = plan_of(object, seen);
    const auto unready = unhealthy(object, seen);
    out.status = object.status;
    out.status.conditions.clear();
    out.status.observed_generation.reset();
    fill_status(out.status, plan, unready);
    out.verdict = verdict_of(object, plan, seen, unready);
    out.look_again = look_again(object, plan, !unready.empty());
    const bool applied =
        plan.standing == Standing::open && plan.apply.empty() && plan.deferred == 0 && plan.untried.empty();
    if (!applied) return out;
    out.status.applied_commit = plan.fetched->commit;
    if (object.status.applied_commit != out.status.applied_commit)
        out.notes.push_back({false, "CommitApplied",
                             plan.fetched->revision + ": " + std::to_string(plan.inventory.size()) + " objects"});
    return out;
}

}  // namespace ocim::gitops
