#include "openedx/instance.hpp"

#include "crd/appservers.hpp"
#include "crd/clouds.hpp"
#include "crd/databasetenants.hpp"
#include "crd/dnsrecords.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "crd/monitors.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "crd/storagecontainers.hpp"
#include "openedx/admins.hpp"
#include "openedx/files.hpp"
#include "openedx/identity.hpp"
#include "openedx/lms_users.hpp"
#include "openedx/parts.hpp"
#include "openedx/passwords.hpp"
#include "openedx/placement.hpp"
#include "openedx/readiness.hpp"
#include "openedx/retirement.hpp"
#include "openedx/rollout.hpp"
#include "openedx/run_on.hpp"
#include "openedx/site.hpp"
#include "openedx/traffic.hpp"

#include <boost/algorithm/string/join.hpp>

#include <algorithm>
#include <span>

namespace ocim::openedx {
namespace {

using runtime::Children;
using runtime::Composition;
using runtime::Finding;
using runtime::Inputs;
using runtime::Verdict;
using Object = crd::Instance;

/// One group of children that a condition of the Instance tells of.
struct Part {
    const char* condition;
    api::Kind kind;
};
constexpr Part parts[] = {{"DatabasesReady", crd::DatabaseTenant::kind},
                          {"BrokerReady", crd::RabbitMQVhost::kind},
                          {"StorageReady", crd::StorageContainer::kind},
                          {"LoadBalancerReady", crd::LoadBalancerFragment::kind},
                          {"DNSReady", crd::DNSRecord::kind},
                          {"MonitoringReady", crd::Monitor::kind}};
constexpr std::size_t data_parts = 3;  // the first of them: no AppServer is made before they are ready

/// Whether all children of a part that were asked for are there and Ready; the first that is not, in words.
Finding part_finding(const Part& part, const std::vector<runtime::Child>& wanted, const Children& children) {
    std::size_t count = 0;
    for (const auto& child : wanted) {
        if (api::find_text(child.object, {"kind"}) != part.kind.name) continue;
        ++count;
        const std::string name(api::find_text(child.object, {"metadata", "name"}));
        const auto* found = children.find(part.kind, name);
        const auto state = found ? readiness(*found) : Readiness{};
        if (state.ready) continue;
        return {part.condition, "False", state.reason,
                std::string(part.kind.name) + " " + name + ": " + (found ? state.message : "is being made")};
    }
    if (count == 0) return {part.condition, "True", "NotWanted", "nothing of it is wanted now"};
    return {part.condition, "True", "Ready", std::to_string(count) + " ready"};
}

runtime::Child appserver_child(const Object& object, const PlannedAppServer& planned) {
    crd::AppServer out;
    out.metadata.name = planned.name;
    out.metadata.namespace_ = object.metadata.namespace_;
    out.spec.instance_name = object.metadata.name;
    out.spec.active = planned.active;
    out.spec.configuration_hash = planned.configuration_hash;
    return child(out);
}

void append(std::vector<runtime::Child>& to, std::vector<runtime::Child> more) {
    for (auto& item : more) to.push_back(std::move(item));
}

class Composer {
public:
    Composer(const Object& object, const Children& children, const Inputs& inputs, const crd::InstanceClass& of_class)
        : object_(object), children_(children), inputs_(inputs), class_(of_class) {
        out_.status = object.status;
    }

    Composition<Object> compose() {
        if (!settle()) return std::move(out_);
        fill_urls(out_.status, object_, class_);
        const auto secrets = read_secrets(*generated(), out_.status);
        if (const auto& mine = object_.spec.databases; mine && mine->mode)
            if (declared_persistent(object_, class_) != persistent(object_, class_)) return hold(mode_changed());
        if (const auto changed = storage_changed(object_.spec, out_.status))
            return hold(Error{ErrorClass::invalid, changed->field + ": " + changed->message});
        if (auto why = refused_on_controller(object_, class_); !why.empty())
            return hold(Verdict::State::stalled, refused_reason, std::move(why));
        const auto made = openedx::configuration(object_, class_, *secrets, inputs_);
        if (!made) return hold(made.error());
        out_.status.configuration_hash = made->hash;
        if (ever_provisioned(object_, inputs_)) out_.status.successfully_provisioned = true;

        if (class_.spec.tutor || children_.find(api::secret_kind, ObjectNames(object_.metadata.name).tutor))
            out_.children.push_back(tutor_secret(object_));  // for ever
        const auto all = inputs_.all<crd::AppServer>();
        follow_rotation(all);
        InstanceView view{object_, class_, inputs_, *secrets, serving_of(all, rotation()), {}, !rotation().empty()};
        append(out_.children, data_children(view));
        out_.children.push_back(basic_auth_secret(view));
        out_.children.push_back(configuration_secret(view, *made));
        if (object_.spec.archived) return archived();
        const auto balancer = known_balancer();
        if (!balancer) return hold(balancer.error());
        if (const auto readable = all_readable(); !readable) return hold(readable.error());
        roll_out(all, made->hash);
        view.standby = standby_of(all, view.serving, plan_.standby);
        append(out_.children, traffic_children(view, *balancer));
        append(out_.children, monitor_children(view));
        conclude(view);
        return std::move(out_);
    }

private:
    /// What is chosen once is stored before anything is made from it. False: come back when it is.
    bool settle() {
        recall(out_.status, object_, children_);
        choose_domains(out_.status, object_, class_);
        choose_scheme(out_.status, class_, generated());
        const bool said = generated() || out_.status.name_scheme == object_.status.name_scheme;
        if (out_.status.domains != object_.status.domains || !said)  // from then on they are claimed
            return wait("ReservingNames", "the names of the site are being reserved");
        out_.children.push_back(generated_secrets(object_, *out_.status.name_scheme, adopts(object_, class_)));
        if (!place_all()) return false;
        if (!generated()) return wait("MakingSecrets", "the site's secrets are being made");
        const auto secrets = read_secrets(*generated(), out_.status);
        if (!secrets) {
            out_ = hold(secrets.error());
            return false;
        }
        choose_names(out_.status, object_, *secrets, inputs_);
        if (out_.status.placement != object_.status.placement || out_.status.names != object_.status.names)
            return wait("Placing", "backends and names are chosen");
        return true;
    }
    const api::Json* generated() const {
        return children_.find(api::secret_kind, ObjectNames(object_.metadata.name).secrets);
    }
    bool place_all() {
        const auto before = out_.status.placement.value_or(Placement{});
        const bool chosen = object_.status.placement && object_.status.placement->cloud;
        DataPlaces data;
        data.databases = before.mysql || (!chosen && declared_persistent(object_, class_));
        // not even a status that was lost moves a site to a broker, or away from one
        const bool brokered = class_.spec.broker.mode == crd::InstanceClass::Spec::Broker::Mode::rabbit_mq;
        const bool mongo =
            class_.spec.databases.mongodb == crd::InstanceClass::Spec::Databases::Mongodb::database_server;
        data.mongodb = before.mongodb || (!before.cloud && data.databases && mongo);
        data.broker = before.rabbitmq || (!before.cloud && data.databases && brokered);
        data.storage = before.storage || (!before.cloud && data.databases && declared_stored(object_, class_));
        auto placed = place(object_, class_, before, *out_.status.domains->lms, data, inputs_);
        if (placed) {
            out_.status.placement = *std::move(placed);
            return true;
        }
        const auto& why = placed.error();
        const bool later = why.error_class == ErrorClass::unreachable;
        const bool full = why.error_class == ErrorClass::rate_limited;
        out_ = hold(later || full ? Verdict::State::progressing : Verdict::State::stalled,
                    later  ? "WaitingForBackend"
                    : full ? "BackendsFull"
                           : "NoBackend",
                    why.message);
        out_.look_again = why.retry_after;  // nobody tells of a place that is free again
        return false;
    }
    bool wait(const char* reason, const char* message) {
        out_.complete = false;
        out_.verdict = {Verdict::State::progressing, reason, message};
        return false;
    }

    /// Something is not known: what exists stays exactly as it is, and nothing more is made.
    Composition<Object> hold(Verdict::State state, const char* reason, std::string message) {
        for (const auto& item : children_.items()) {
            const auto same = [&](const runtime::Child& child) {
                return api::find_text(child.object, {"kind"}) == api::find_text(item, {"kind"}) &&
                       api::find_text(child.object, {"metadata", "name"}) == api::find_text(item, {"metadata", "name"});
            };
            if (std::ranges::none_of(out_.children, same)) out_.children.push_back(standing(item));
        }
        out_.complete = false;
        if (object_.status.placement) {
            for (const auto& part : parts) out_.findings.push_back(part_finding(part, out_.children, children_));
            out_.findings.push_back(available());
            for (const auto& item : object_.status.conditions)  // as it was
                if (item.type == "RolledOut" || item.type == "PasswordsReplaced")
                    out_.findings.push_back({item.type, item.status, item.reason, item.message});
        }
        out_.verdict = {state, reason, std::move(message)};
        return std::move(out_);
    }
    Composition<Object> hold(const Error& error) {
        if (error.error_class == ErrorClass::not_found)
            return hold(Verdict::State::progressing, "DependencyNotReady", error.message);
        return hold(Verdict::State::stalled, "ConfigurationInvalid", error.message);
    }

    Error mode_changed() const {
        const bool kept = persistent(object_, class_);
        return Error{ErrorClass::invalid,
                     std::string("spec.databases.mode cannot be changed: this site's databases are ") +
                         (kept ? "Persistent" : "Ephemeral") +
                         "; set it back, or make another "
                         "Instance"};
    }
    Result<crd::LoadBalancer> known_balancer() const {
        const auto name = object_.status.placement->load_balancer.value_or("");
        auto found = inputs_.get<crd::LoadBalancer>("", name);
        if (found) return *std::move(found);
        return Error{ErrorClass::not_found, "LoadBalancer " + name +
                                                ", which leads visitors here, does not exist or cannot be read; put it "
                                                "back: until then names and traffic stay as they are"};
    }
    /// An AppServer that cannot be read may be one that serves.
    Result<void> all_readable() const {
        for (const auto* item : inputs_.all(crd::AppServer::kind)) {
            const auto decoded = api::decode_object<crd::AppServer>(*item);
            if (!decoded)
                return Error{ErrorClass::not_found,
                             "AppServer " + std::string(api::find_text(*item, {"metadata", "name"})) +
                                 " cannot be read, so traffic stays as it is: " + decoded.error().message +
                                 "; correct or delete it"};
        }
        return {};
    }

    void roll_out(const std::vector<crd::AppServer>& all, const std::string& hash) {
        const bool data_ready = std::ranges::all_of(std::span(parts).first(data_parts), [&](const Part& part) {
            return part_finding(part, out_.children, children_).status == "True";
        });
        const Duration patience = std::chrono::seconds(class_.spec.health_check.timeout_seconds);
        plan_ = plan_rollout(object_, all, {hash, data_ready, patience}, inputs_.now);
        // the count is stored before a new one is made, and a failure before what failed is taken away
        const auto remembered = object_.status.rollout.value_or(Attempts{});
        if (plan_.made != object_.status.app_servers_made.value_or(0) || plan_.attempts != remembered)
            out_.complete = false;
        tell_rollout();
        out_.status.app_servers_made = plan_.made;
        if (plan_.attempts != Attempts{}) out_.status.rollout = plan_.attempts;
        out_.status.candidate_app_servers = plan_.candidates;
        out_.status.fallback_app_servers = plan_.fallbacks;
        for (const auto& planned : plan_.appservers) {
            const auto* found = inputs_.find(crd::AppServer::kind, object_.metadata.namespace_, planned.name);
            const bool by_hand = object_.spec.rollout.strategy == Object::Spec::Rollout::Strategy::manual;
            // what a person may be changing this very moment is not written
            out_.children.push_back(by_hand && found ? standing(*found) : appserver_child(object_, planned));
            out_.status.latest_app_server = planned.name;
        }
        for (const auto& appserver : all)
            if (!appserver.spec.configuration_hash && !appserver.metadata.deleting())
                out_.children.push_back(adopted(
                    *inputs_.find(crd::AppServer::kind, appserver.metadata.namespace_, appserver.metadata.name)));
        const auto latest = std::ranges::max_element(
            all, {}, [](const auto& a) { return std::pair(a.metadata.creation_timestamp, a.metadata.name); });
        if (latest != all.end()) out_.status.latest_app_server = latest->metadata.name;
        if (plan_.look_again_at)
            out_.look_again = std::chrono::duration_cast<Duration>(*plan_.look_again_at - inputs_.now) + Duration(1000);
    }
    void tell_rollout() {
        const auto before = object_.status.rollout.value_or(Attempts{});
        for (const auto& name : plan_.fresh)
            out_.notes.push_back(
                {false, "AppServerMade",
                 "AppServer " + name + " is made for configuration " + plan_.appservers.back().configuration_hash});
        if (plan_.attempts.last_failed == before.last_failed || !plan_.attempts.last_failed) return;
        out_.notes.push_back({true, "AppServerFailed", failure()});
        if (plan_.given_up)
            out_.notes.push_back(
                {true, "GaveUp", std::to_string(object_.spec.rollout.attempts) + " attempts failed; " + way_out()});
    }
    std::string failure() const {
        return "AppServer " + plan_.attempts.last_failed.value_or("") + ": " + plan_.attempts.message.value_or("");
    }
    static std::string way_out() {
        return "change the configuration, raise spec.rollout.attempts, or ask once more with kubectl annotate and "
               "ocim.opencraft.com/reconcile-at";
    }

    /// Who the load balancer sends visitors to, as it says itself.
    void follow_rotation(const std::vector<crd::AppServer>& all) {
        std::vector<std::string> listed;
        const auto fragment = children_.get<crd::LoadBalancerFragment>(ObjectNames(object_.metadata.name).fragment);
        if (fragment)
            for (const auto& name : fragment->status.active_servers)
                if (std::ranges::any_of(all, [&](const auto& item) { return item.metadata.name == name; }))
                    listed.push_back(name);
        std::ranges::sort(listed);
        const auto& before = object_.status.active_app_servers;
        for (const auto& name : listed)
            if (std::ranges::find(before, name) == before.end())
                out_.notes.push_back({false, "InRotation", "the load balancer sends visitors to AppServer " + name});
        for (const auto& name : before)
            if (std::ranges::find(listed, name) == listed.end())
                out_.notes.push_back(
                    {false, "OutOfRotation", "the load balancer sends no visitors to AppServer " + name + " any more"});
        out_.status.active_app_servers = std::move(listed);
    }
    const std::vector<std::string>& rotation() const { return out_.status.active_app_servers; }

    Composition<Object> archived() {
        auto remains = remains_of(children_, inputs_);
        append(out_.children, std::move(remains.standing));
        if (remains.unsettled) out_.look_again = Duration(1000);
        for (const auto& part : parts) out_.findings.push_back(part_finding(part, out_.children, children_));
        out_.findings.push_back({"Available", "False", "Archived", "the site is archived"});
        const bool gone = !remains.visited && !remains.served;
        const std::string left = remains.visited  ? "names, load balancer and monitors are being taken off"
                                 : remains.served ? "AppServers are being deleted"
                                                  : "servers, names and monitors are off; the data is kept";
        out_.findings.push_back({"Archived", gone ? "True" : "False", gone ? "Archived" : "Archiving", left});
        if (gone && !was_archived()) out_.notes.push_back({false, "Archived", left});
        out_.verdict = {gone ? Verdict::State::ready : Verdict::State::progressing, gone ? "Archived" : "Archiving",
                        left};
        tell_passwords();
        return std::move(out_);
    }
    bool was_archived() const {
        return std::ranges::any_of(object_.status.conditions,
                                   [](const auto& item) { return item.type == "Archived" && item.status == "True"; });
    }

    Finding available() const {
        const auto& fragment = ObjectNames(object_.metadata.name).fragment;
        const auto* found = children_.find(crd::LoadBalancerFragment::kind, fragment);
        const auto state = found ? readiness(*found) : Readiness{};
        if (rotation().empty()) return {"Available", "False", "NoActiveAppServer", why_not_serving()};
        if (!state.ready && state.reason.starts_with("Backend"))
            return {"Available", "Unknown", state.reason, "LoadBalancerFragment " + fragment + ": " + state.message};
        return {"Available", "True", "Serving",
                std::to_string(rotation().size()) + " active: " + boost::algorithm::join(rotation(), ", ")};
    }
    void conclude(const InstanceView& view) {
        runs_ = view.serving.empty() ? "" : view.serving.front().metadata.name;
        Verdict verdict{Verdict::State::ready, "Serving", out_.status.urls->lms.value_or("") + " is served"};
        const auto lower = [&](std::string reason, const std::string& message) {
            if (verdict.state == Verdict::State::ready)
                verdict = {Verdict::State::progressing, std::move(reason), message};
        };
        for (const auto& part : parts) {
            auto finding = part_finding(part, out_.children, children_);
            if (finding.status != "True")
                lower(
                    std::string(part.condition).replace(std::string_view(part.condition).find("Ready"), 5, "NotReady"),
                    finding.message);
            out_.findings.push_back(std::move(finding));
        }
        auto serving = available();
        if (serving.status != "True") lower(serving.reason, serving.message);
        out_.findings.push_back(std::move(serving));
        out_.findings.push_back(
            {"RolledOut", plan_.stage.done ? "True" : "False", plan_.stage.reason, plan_.stage.message});
        tell_passwords();
        if (plan_.given_up && rotation().empty())
            verdict = {Verdict::State::stalled, "ConfigurationFailed",
                       std::to_string(object_.spec.rollout.attempts) + " attempts failed, the last one: " + failure() +
                           "; " + way_out()};
        out_.verdict = std::move(verdict);
    }
    /// How far the replacement of passwords is, whose steps edits() makes.
    void tell_passwords() {
        auto replacement = replacement_of(object_, children_, inputs_, plan_.stage);
        if (replacement.finding) out_.findings.push_back(*std::move(replacement.finding));
        if (!replacement.due_at) return;
        const auto wait = std::chrono::duration_cast<Duration>(*replacement.due_at - inputs_.now) + Duration(1000);
        out_.look_again = std::min(wait, out_.look_again.value_or(wait));
    }
    std::string why_not_serving() const {
        if (!runs_.empty())
            return "AppServer " + runs_ +
                   " runs, but the load balancer does not send visitors there yet; see kubectl "
                   "describe loadbalancerfragment " +
                   ObjectNames(object_.metadata.name).fragment;
        if (plan_.next_attempt_at)
            return failure() + "; the next attempt is made at " + rfc3339(*plan_.next_attempt_at);
        if (object_.spec.rollout.strategy == Object::Spec::Rollout::Strategy::manual)
            return "no AppServer is active and running; make one and set its spec.active";
        const auto& latest = out_.status.latest_app_server;
        if (!latest) return waits_for_data();
        return "AppServer " + *latest + " is not serving yet; see kubectl describe appserver " + *latest;
    }

    std::string waits_for_data() const {
        const auto& placement = *out_.status.placement;
        return std::string("the first AppServer waits for databases") + (placement.rabbitmq ? " and broker" : "") +
               (placement.storage ? " and files" : "");
    }

    const Object& object_;
    const Children& children_;
    const Inputs& inputs_;
    const crd::InstanceClass& class_;
    Composition<Object> out_;
    Plan plan_;
    std::string runs_;  // the newest AppServer that is to serve and runs
};

}  // namespace

std::vector<api::Kind> Instances::child_kinds() {
    return {api::secret_kind,         crd::AppServer::kind,       crd::LoadBalancerFragment::kind,
            crd::DNSRecord::kind,     crd::Monitor::kind,         crd::DatabaseTenant::kind,
            crd::RabbitMQVhost::kind, crd::StorageContainer::kind};
}

std::vector<runtime::Reference> Instances::needs(const Object& object) {
    auto out = placement_needs(object);
    // all of them, because no external name may lie in the domain of any
    out.push_back({crd::InstanceClass::kind, "", "", true});
    out.push_back(
        {crd::AppServer::kind, object.metadata.namespace_, "", true, "spec.instanceName", object.metadata.name});
    if (object.spec.configuration)
        for (const auto& from : object.spec.configuration->extra_vars_from)
            out.push_back({api::secret_kind, object.metadata.namespace_, from.secret_ref.name, true});
    for (auto& organization : admin_needs(object)) out.push_back(std::move(organization));
    for (auto& secret : lms_user_needs(object)) out.push_back(std::move(secret));
    for (auto& secret : file_needs(object)) out.push_back(std::move(secret));
    return out;
}

std::vector<runtime::Reference> Instances::further_needs(const Object& object, const Inputs& inputs) {
    const auto of_class = inputs.get<crd::InstanceClass>("", object.spec.class_name);
    if (!of_class) return {};
    auto out = secrets_of_class(*of_class);
    for (auto& organization : admin_needs(*of_class)) out.push_back(std::move(organization));
    for (auto& secret : further_file_needs(object, inputs)) out.push_back(std::move(secret));
    return out;
}

std::vector<runtime::Claim> Instances::claims(const Object& object) {
    std::vector<runtime::Claim> out{
        {"subdomain/" + object.spec.class_name + "/" + object.spec.subdomain, "spec.subdomain"}};
    for (const auto& [service, domain] : internal_domains(object))
        if (!domain.empty()) out.push_back({"domain/" + domain, "spec.subdomain", domain});
    for (const auto& [service, domain] : external_domains(object))
        out.push_back({"domain/" + domain, field_of(service), domain});
    return out;
}

std::set<std::string> Instances::tallies(const api::Json& status) { return placed_at(status); }

Composition<Object> Instances::compose(const Object& object, const Children& children, const Inputs& inputs) {
    if (object.metadata.deleting()) return compose_deletion(object, children, inputs);
    const auto of_class = inputs.get<crd::InstanceClass>("", object.spec.class_name);
    if (!of_class) {
        Composition<Object> out;
        out.status = object.status;
        out.complete = false;
        out.verdict = {Verdict::State::progressing, "DependencyNotReady",
                       "spec.className: InstanceClass " + object.spec.class_name +
                           " does not exist or cannot be read; make it, or correct it"};
        return out;
    }
    auto out = Composer(object, children, inputs, *of_class).compose();
    leave_former_life(object, children, out.children);
    return out;
}

std::vector<runtime::Edit> Instances::edits(const Object& object, const Children& children, const Inputs& inputs) {
    if (object.metadata.deleting()) return {};  // nobody would use new passwords
    auto step = replacement_of(object, children, inputs).step;
    if (!step) return {};
    std::vector<runtime::Edit> out;
    out.push_back(*std::move(step));
    return out;
}

}  // namespace ocim::openedx
