#include "openedx/instance.hpp"

#include "crd/appservers.hpp"
#include "crd/clouds.hpp"
#include "crd/databasetenants.hpp"
#include "crd/dnsrecords.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "crd/monitors.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "openedx/names.hpp"
#include "openedx/parts.hpp"
#include "openedx/placement.hpp"
#include "openedx/rollout.hpp"
#include "openedx/site.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using runtime::Children;
using runtime::Composition;
using runtime::Finding;
using runtime::Inputs;
using runtime::Verdict;
using Object = crd::Instance;

constexpr std::size_t label_max = 63;  // RFC 1035 section 2.3.4

/// One group of children that a condition of the Instance tells of.
struct Part {
    const char* condition;
    api::Kind kind;
};
constexpr Part parts[] = {{"DatabasesReady", crd::DatabaseTenant::kind},
                          {"BrokerReady", crd::RabbitMQVhost::kind},
                          {"LoadBalancerReady", crd::LoadBalancerFragment::kind},
                          {"DNSReady", crd::DNSRecord::kind},
                          {"MonitoringReady", crd::Monitor::kind}};

struct Readiness {
    bool ready = false, stalled = false;
    std::string reason = "Progressing", message = "not reported yet";
};

Readiness readiness(const api::Json& object) {
    Readiness out;
    const auto generation = api::find(object, {"metadata", "generation"});
    const auto observed = api::find(object, {"status", "observedGeneration"});
    const bool seen = generation && observed && *generation == *observed;
    const auto* conditions = api::find(object, {"status", "conditions"});
    if (!conditions || !conditions->is_array()) return out;
    for (const auto& item : conditions->get_array()) {
        const auto type = api::find_text(item, {"type"});
        const bool on = api::find_text(item, {"status"}) == "True";
        if (type == "Stalled" && on) out.stalled = true;
        if (type != "Ready") continue;
        out.ready = on && seen;
        out.reason = api::find_text(item, {"reason"});
        out.message = api::find_text(item, {"message"});
    }
    return out;
}

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

/// The names that the Instance keeps for good.
void fill_names(Object::Status& status, const Object& object, const crd::InstanceClass& of_class,
                const SiteSecrets& secrets) {
    auto& names = status.names ? *status.names : status.names.emplace();
    const auto lms = internal_domains(object, of_class).at(Service::lms);
    if (!names.database) names.database = database_prefix(lms, secrets.id);
    if (!names.mysql_user) names.mysql_user = mysql_user_prefix(object.spec.subdomain, secrets.id);
    if (!names.vhost) names.vhost = vhost_name(object.spec.subdomain, secrets.id);
    if (!names.rabbitmq_provider) names.rabbitmq_provider = *names.vhost + "-provider";
    if (!names.rabbitmq_consumer) names.rabbitmq_consumer = *names.vhost + "-consumer";
}

void fill_domains(Object::Status& status, const Object& object, const crd::InstanceClass& of_class) {
    const auto internal = internal_domains(object, of_class);
    const auto external = external_domains(object);
    auto& domains = status.domains.emplace();
    domains.lms = internal.at(Service::lms);
    domains.lms_preview = internal.at(Service::lms_preview);
    domains.studio = internal.at(Service::studio);
    domains.discovery = internal.at(Service::discovery);
    domains.ecommerce = internal.at(Service::ecommerce);
    using Scheme = crd::InstanceClass::Spec::Monitoring::Scheme;
    const std::string scheme = of_class.spec.monitoring.scheme == Scheme::http ? "http://" : "https://";
    const auto url = [&](Service service) {
        const auto own = external.find(service);
        return scheme + (own != external.end() ? own->second : internal.at(service)) + "/";
    };
    auto& urls = status.urls.emplace();
    urls.lms = url(Service::lms);
    urls.studio = url(Service::studio);
    urls.lms_preview = url(Service::lms_preview);
}

std::vector<crd::AppServer> appservers_of(const Object& object, const Inputs& inputs) {
    std::vector<crd::AppServer> out;
    for (auto& appserver : inputs.all<crd::AppServer>())
        if (appserver.metadata.namespace_ == object.metadata.namespace_ &&
            appserver.spec.instance_name == object.metadata.name)
            out.push_back(std::move(appserver));
    return out;
}

std::vector<crd::AppServer> serving_of(const std::vector<crd::AppServer>& all) {
    std::vector<crd::AppServer> out;
    for (const auto& appserver : all)
        if (appserver.spec.active && can_serve(appserver)) out.push_back(appserver);
    std::ranges::sort(out, [](const auto& a, const auto& b) {
        return std::tie(a.metadata.creation_timestamp, a.metadata.name) >
               std::tie(b.metadata.creation_timestamp, b.metadata.name);
    });
    return out;
}

runtime::Child appserver_child(const Object& object, const PlannedAppServer& planned) {
    crd::AppServer out;
    out.metadata.name = planned.name;
    out.metadata.namespace_ = object.metadata.namespace_;
    out.spec.instance_name = object.metadata.name;
    out.spec.active = planned.active;
    out.spec.configuration_hash = planned.configuration_hash;
    auto made = child(out);
    // the provisioner's defaults are the schema's
    made.object.at("spec").as_object().erase("provisioner");
    return made;
}

bool any_of_kind(const Children& children, const api::Kind& kind) {
    return std::ranges::any_of(children.items(),
                               [&](const auto& item) { return api::find_text(item, {"kind"}) == kind.name; });
}

void append(std::vector<runtime::Child>& to, std::vector<runtime::Child> more) {
    for (auto& item : more) to.push_back(std::move(item));
}

/// Children go in stages: what leads visitors here and watches, then the servers, then the data.
Composition<Object> compose_deletion(const Object& object, const Children& children) {
    Composition<Object> out;
    out.status = object.status;
    const bool visited = any_of_kind(children, crd::LoadBalancerFragment::kind) ||
                         any_of_kind(children, crd::DNSRecord::kind) || any_of_kind(children, crd::Monitor::kind);
    const bool served = any_of_kind(children, crd::AppServer::kind);
    for (const auto& item : children.items()) {
        const auto kind = api::find_text(item, {"kind"});
        const bool is_server = kind == crd::AppServer::kind.name;
        const bool leads_here = kind == crd::LoadBalancerFragment::kind.name || kind == crd::DNSRecord::kind.name ||
                                kind == crd::Monitor::kind.name;
        if (!leads_here && (is_server ? visited : visited || served)) out.children.push_back(standing(item));
    }
    out.verdict = {Verdict::State::progressing, "Deleting",
                   visited  ? "waiting for names, load balancer and monitors to go"
                   : served ? "waiting for AppServers to go"
                            : "waiting for databases and broker"};
    return out;
}

class Composer {
public:
    Composer(const Object& object, const Children& children, const Inputs& inputs, const crd::InstanceClass& of_class)
        : object_(object), children_(children), inputs_(inputs), class_(of_class) {
        out_.status = object.status;
    }

    Composition<Object> compose() {
        fill_domains(out_.status, object_, class_);
        out_.children.push_back(generated_secrets(object_));
        if (!settle()) return std::move(out_);
        const auto* generated = children_.find(api::secret_kind, ObjectNames(object_.metadata.name).secrets);
        const auto secrets = read_secrets(*generated);
        const auto made = openedx::configuration(object_, class_, *secrets, inputs_);
        if (!made) {
            stall("ConfigurationInvalid", made.error().message);
            return std::move(out_);
        }
        out_.status.configuration_hash = made->hash;

        const auto all = appservers_of(object_, inputs_);
        InstanceView view{object_, class_, inputs_, *secrets, serving_of(all)};
        append(out_.children, data_children(view));
        out_.children.push_back(basic_auth_secret(view));
        out_.children.push_back(configuration_secret(view, *made));
        if (object_.spec.archived) return archived();
        append(out_.children, traffic_children(view));
        append(out_.children, monitor_children(view));
        roll_out(all, made->hash);
        out_.status.active_app_servers.clear();
        for (const auto& appserver : view.serving) out_.status.active_app_servers.push_back(appserver.metadata.name);
        conclude();
        return std::move(out_);
    }

private:
    /// What is chosen once is stored before anything is made from it. False: come back when it is.
    bool settle() {
        const auto lms = internal_domains(object_, class_).at(Service::lms);
        const auto before = object_.status.placement.value_or(Placement{});
        auto placed = place(object_, class_, before, lms, persistent(object_, class_), inputs_);
        if (!placed) return stall("NoBackend", placed.error().message);
        out_.status.placement = *placed;
        const auto* generated = children_.find(api::secret_kind, ObjectNames(object_.metadata.name).secrets);
        if (!generated) return wait("MakingSecrets", "the site's secrets are being made");
        const auto secrets = read_secrets(*generated);
        if (!secrets) return stall("SecretsDamaged", secrets.error().message);
        fill_names(out_.status, object_, class_, *secrets);
        if (out_.status.placement != object_.status.placement || out_.status.names != object_.status.names)
            return wait("Placing", "backends and names are chosen");
        return true;
    }
    bool wait(const char* reason, const char* message) {
        out_.complete = false;
        out_.verdict = {Verdict::State::progressing, reason, message};
        return false;
    }
    bool stall(const char* reason, std::string message) {
        out_.complete = false;
        out_.verdict = {Verdict::State::stalled, reason, std::move(message)};
        return false;
    }

    void roll_out(const std::vector<crd::AppServer>& all, const std::string& hash) {
        const bool data_ready = part_finding(parts[0], out_.children, children_).status == "True" &&
                                part_finding(parts[1], out_.children, children_).status == "True";
        plan_ = plan_rollout(object_, all, hash, data_ready, inputs_.now);
        const bool counted = plan_.made == object_.status.app_servers_made.value_or(0);
        out_.status.app_servers_made = plan_.made;
        for (const auto& planned : plan_.appservers) {
            out_.children.push_back(appserver_child(object_, planned));
            out_.status.latest_app_server = planned.name;
        }
        if (!plan_.appservers.empty()) {
            const auto latest = std::ranges::max_element(
                all, {}, [](const auto& a) { return std::pair(a.metadata.creation_timestamp, a.metadata.name); });
            if (latest != all.end()) out_.status.latest_app_server = latest->metadata.name;
        }
        if (!counted) out_.complete = false;  // the count is stored before the new one is made
        if (plan_.look_again_at)
            out_.look_again = std::chrono::duration_cast<Duration>(*plan_.look_again_at - inputs_.now) + Duration(1000);
    }

    Composition<Object> archived() {
        out_.status.active_app_servers.clear();
        for (const auto& part : parts) out_.findings.push_back(part_finding(part, out_.children, children_));
        const bool gone = !any_of_kind(children_, crd::AppServer::kind) &&
                          !any_of_kind(children_, crd::LoadBalancerFragment::kind) &&
                          !any_of_kind(children_, crd::DNSRecord::kind);
        out_.findings.push_back(
            {"Archived", gone ? "True" : "False", "Archived", "servers, names and monitors are off"});
        out_.verdict = gone
                           ? Verdict{Verdict::State::ready, "Archived", "the site is off; its data is kept"}
                           : Verdict{Verdict::State::progressing, "Archiving", "servers and names are being taken off"};
        return std::move(out_);
    }

    void conclude() {
        Verdict verdict{Verdict::State::ready, "Serving", ""};
        for (const auto& part : parts) {
            auto finding = part_finding(part, out_.children, children_);
            if (finding.status != "True" && verdict.state == Verdict::State::ready)
                verdict = {
                    Verdict::State::progressing,
                    std::string(part.condition).replace(std::string_view(part.condition).find("Ready"), 5, "NotReady"),
                    finding.message};
            out_.findings.push_back(std::move(finding));
        }
        const auto& active = out_.status.active_app_servers;
        Finding serving{"Available", "True", "Serving", ""};
        if (active.empty()) {
            serving = {"Available", "False", "NoActiveAppServer", why_not_serving()};
            if (verdict.state == Verdict::State::ready)
                verdict = {Verdict::State::progressing, "NoActiveAppServer", serving.message};
        } else {
            serving.message = std::to_string(active.size()) + " active: " + active.front();
            if (verdict.state == Verdict::State::ready)
                verdict.message = out_.status.urls->lms.value_or("") + " is served";
        }
        if (plan_.given_up && active.empty())
            verdict = {Verdict::State::stalled, "ConfigurationFailed",
                       std::to_string(object_.spec.rollout.attempts) + " AppServers failed, the last one with: " +
                           *plan_.given_up + "; change the configuration, or raise spec.rollout.attempts"};
        out_.findings.push_back(std::move(serving));
        out_.verdict = std::move(verdict);
    }
    std::string why_not_serving() const {
        const auto& latest = out_.status.latest_app_server;
        if (object_.spec.rollout.strategy == Object::Spec::Rollout::Strategy::manual)
            return "no AppServer is active and running; make one and set its spec.active";
        if (!latest) return "the first AppServer waits for databases and broker";
        return "AppServer " + *latest + " is not serving yet; see kubectl describe appserver " + *latest;
    }

    const Object& object_;
    const Children& children_;
    const Inputs& inputs_;
    const crd::InstanceClass& class_;
    Composition<Object> out_;
    Plan plan_;
};

}  // namespace

std::vector<api::Kind> Instances::child_kinds() {
    return {api::secret_kind,   crd::AppServer::kind,      crd::LoadBalancerFragment::kind, crd::DNSRecord::kind,
            crd::Monitor::kind, crd::DatabaseTenant::kind, crd::RabbitMQVhost::kind};
}

std::vector<runtime::Reference> Instances::needs(const Object& object) {
    auto out = placement_needs();
    // optional, because an Instance must be able to go when its class is gone
    out.push_back({crd::InstanceClass::kind, "", object.spec.class_name, true});
    out.push_back({crd::AppServer::kind, object.metadata.namespace_, "", true});
    // the class's mail relay has its credentials there; which Secret that is only the class says
    out.push_back({api::secret_kind, "ocim-system", "", true});
    if (object.spec.configuration)
        for (const auto& from : object.spec.configuration->extra_vars_from)
            out.push_back({api::secret_kind, object.metadata.namespace_, from.secret_ref.name, true});
    return out;
}

std::vector<runtime::Claim> Instances::claims(const Object& object) {
    std::vector<runtime::Claim> out{
        {"subdomain/" + object.spec.class_name + "/" + object.spec.subdomain, "spec.subdomain"}};
    for (const auto& [service, domain] : external_domains(object)) out.push_back({"domain/" + domain, "spec.domains"});
    return out;
}

std::vector<api::Cause> Instances::admit(const Object& object, const Object* old, const Inputs& inputs) {
    std::vector<api::Cause> out;
    if (old) return out;  // both fields are immutable
    const auto of_class = inputs.get<crd::InstanceClass>("", object.spec.class_name);
    if (!of_class) return out;  // may be applied later; the object says so in its conditions
    const auto& subdomain = object.spec.subdomain;
    const auto refuse = [&](const std::string& why) {
        out.push_back({"FieldValueInvalid", "Invalid value: \"" + subdomain + "\": " + why, "spec.subdomain"});
    };
    const auto& reserved = of_class->spec.reserved_subdomains;
    if (std::ranges::find(reserved, subdomain) != reserved.end())
        refuse("is reserved by InstanceClass " + object.spec.class_name + "; choose another");
    for (const auto& [service, domain] : internal_domains(object, *of_class)) {
        const auto label = domain.substr(0, domain.find('.'));
        if (label.size() <= label_max) continue;
        refuse("makes the name \"" + label + "\", which has " + std::to_string(label.size()) +
               " characters; a DNS label has 63 at most");
        break;
    }
    return out;
}

Composition<Object> Instances::compose(const Object& object, const Children& children, const Inputs& inputs) {
    if (object.metadata.deleting()) return compose_deletion(object, children);
    const auto of_class = inputs.get<crd::InstanceClass>("", object.spec.class_name);
    if (!of_class) {
        Composition<Object> out;
        out.status = object.status;
        out.complete = false;
        out.verdict = {Verdict::State::progressing, "DependencyNotReady",
                       "InstanceClass " + object.spec.class_name + " does not exist or cannot be read"};
        return out;
    }
    return Composer(object, children, inputs, *of_class).compose();
}

}  // namespace ocim::openedx
