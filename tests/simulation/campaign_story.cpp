#include "simulation/campaign_story.hpp"

#include "crd/appservers.hpp"
#include "crd/instances.hpp"
#include "crd/mailrelays.hpp"
#include "crd/monitors.hpp"
#include "crd/notifications.hpp"
#include "crd/redeployments.hpp"
#include "crd/virtualmachines.hpp"
#include "mail/alerts.hpp"
#include "mail/failures.hpp"
#include "openedx/redeployment.hpp"
#include "runtime/composite.hpp"
#include "support/memory_client.hpp"

#include <algorithm>
#include <stdexcept>

namespace ocim::simulation {

using api::Json;
using test::json;

namespace {

constexpr auto space = "campus";
constexpr auto fails_once = "campus/site1-2-";  // the runs of its first AppServer of the Redeployment
constexpr auto watched = "campus/site0-lms";
constexpr int held_for = 45;  // seconds for which it is looked whether a pause is one

const std::vector<std::string> sites{"site0", "site1", "site2"};

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

Json of_many(const std::string& name) {
    return json(
        "{'spec':{'monitoring':{'emails':['dana@example.org']},'rollout':{'attempts':1,'keepFallbackFor':'1m',"
        "'retainFailedFor':'1m'},'subdomain':'" +
        name + "'}}");
}

Json redeployment() {
    return json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Redeployment','metadata':{'namespace':'campus','name':"
        "'all'},'spec':{'selector':{},'patch':{'displayName':'Redeployed'},'batchSize':2,'interval':'30s'}}");
}

/// Its name, and the state of each of its Instances.
std::map<std::string, std::string> states(const Json& redeployment) {
    std::map<std::string, std::string> out;
    if (const auto* all = api::find(redeployment, {"status", "instances"}); all && all->is_array())
        for (const auto& entry : all->get_array()) out[text(entry, {"name"})] = text(entry, {"state"});
    return out;
}

bool patched(const Json& site) { return text(site, {"spec", "displayName"}) == "Redeployed"; }

/// Of what is declared now, and whoever served before has left.
bool rolled_out(const Json& site) {
    const auto* seen = api::find(site, {"status", "observedGeneration"});
    const auto* said = runtime::condition(site, "RolledOut");
    return seen && *seen == *api::find(site, {"metadata", "generation"}) && said && text(*said, {"status"}) == "True";
}

}  // namespace

void CampaignStory::register_kinds(runtime::Manager& manager) {
    HouseStory::register_kinds(manager);
    runtime::add_composite<openedx::Redeployments>(manager);
    runtime::add_composite<mail::Failures>(manager);
    runtime::add_composite<mail::Alerts>(manager);
    postbox_.register_mail(manager);
}

const std::vector<api::Kind>& CampaignStory::kinds() {
    static const std::vector<api::Kind> all = [this] {
        auto out = HouseStory::kinds();
        out.insert(out.end(), {crd::Redeployment::kind, crd::MailRelay::kind, crd::Notification::kind});
        return out;
    }();
    return all;
}

void CampaignStory::prepare(Program& program) {
    HouseStory::prepare(program);
    if (const auto made = program.create(Postbox::relay_object()); !made)
        throw std::runtime_error(made.error().message);
}

// --- what the world does

bool CampaignStory::run_fails(const openedx::RunAction& action) {
    return action.mark.namespace_name.starts_with(fails_once);
}

monitoring::Outcome CampaignStory::probed(const monitoring::Key& key) {
    if (stage_ == Stage::outage && key.monitor == watched) return {false, 502, "502 Bad Gateway", down_since_, true};
    return HouseStory::probed(key);
}

// --- what people do

void CampaignStory::declare_one(Program& program) {
    if (stage_ == Stage::launching) {
        for (const auto& name : sites) {
            auto made = site(name, "Delete");
            const auto more = of_many(name);
            for (const auto& field : more.at("spec").as_object())
                made.at("spec").as_object()[field.key()] = field.value();
            (void)program.create(std::move(made));
        }
        if (program.list(crd::Instance::kind).size() == sites.size() && HouseStory::one_is_ready(program))
            stage_ = Stage::redeploying;
    }
    if (stage_ == Stage::redeploying) redeploy(program);
    if (stage_ == Stage::outage) outage(program);
}

/// Once it pauses, after a while, a person asks for what failed once more.
void CampaignStory::redeploy(Program& program) {
    (void)program.create(redeployment());
    look(program);
    for (const auto& object : program.list(crd::Redeployment::kind)) {
        const auto phase = text(object, {"status", "phase"});
        if (phase == "Paused" && ++paused_ > held_for)
            (void)program.patch(crd::Redeployment::kind, space, "all",
                                json("{'metadata':{'annotations':{'ocim.opencraft.com/reconcile-at':'again'}}}"));
        if (phase != "Complete" || !runtime::is_ready(object)) continue;
        down_since_ = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 2));
        stage_ = Stage::outage;
        if (const auto found = watch().things(universe().now).find({watched});
            found != watch().things(universe().now).end())
            found->second.last = probed({watched});
    }
}

/// It lasts until people were told.
void CampaignStory::outage(Program& program) {
    if (!postbox_.mails().contains("dana@example.org: http://site0.demo.example.org/ is down")) return;
    for (const auto& notice : program.list(crd::Notification::kind))
        if (text(notice, {"status", "sentAt"}).empty()) return;
    stage_ = Stage::recovered;
    if (const auto found = watch().things(universe().now).find({watched});
        found != watch().things(universe().now).end())
        found->second.last = probed({watched});
}

/// All is over, and whatever served before is gone.
bool CampaignStory::one_is_ready(Program& program) {
    if (stage_ != Stage::recovered || !HouseStory::one_is_ready(program)) return false;
    const auto sent = [](const Json& notice) { return !text(notice, {"status", "sentAt"}).empty(); };
    const auto notices = program.list(crd::Notification::kind);
    return notices.size() == 3 && std::ranges::all_of(notices, sent) &&
           program.list(crd::AppServer::kind).size() == sites.size() &&
           program.list(crd::VirtualMachine::kind).size() == sites.size();
}

void CampaignStory::delete_one(Program& program) {
    (void)program.remove(crd::Redeployment::kind, space, "all");
    for (const auto& name : sites) (void)program.remove(crd::Instance::kind, space, name);
}

// --- what must hold

void CampaignStory::expect(bool holds, const std::string& law) {
    if (!holds) broken_earlier_.insert(law);
}

void CampaignStory::look(Program& program) {
    std::map<std::string, Json> now;
    for (auto& object : program.list(crd::Instance::kind)) now[text(object, {"metadata", "name"})] = std::move(object);
    for (const auto& object : program.list(crd::Redeployment::kind)) {
        std::set<std::string> pending;
        std::int64_t begun = 0, changing = 0;
        for (const auto& [name, state] : states(object)) {
            const auto& site = now[name];
            if (state == "Pending") {
                pending.insert(name);
                // one that failed and is asked for once more was touched before
                if (paused_ > 0 && name == "site1") continue;
                expect(!patched(site), name + " was changed before its turn");
                expect(!grounds().made().contains("campus/" + name + "-2"), name + " had a machine before its turn");
            } else if (state != "Succeeded" && state != "Failed") {
                ++begun;
            }
            if (state != "Failed" && state != "Pending" && patched(site) && !rolled_out(site)) ++changing;
            expect(state != "Succeeded" || rolled_out(site), name + " succeeded before it was rolled out");
        }
        expect(begun <= batch, std::to_string(begun) + " Instances were redeployed at a time");
        expect(changing <= batch, std::to_string(changing) + " Instances were changing at a time");
        if (text(object, {"status", "phase"}) != "Paused") continue;
        if (paused_ == 0) pending_ = pending;
        expect(pending == pending_, "it went on while it was paused");
    }
}

std::vector<std::string> CampaignStory::broken_laws(Program& program) {
    auto out = HouseStory::broken_laws(program);
    out.insert(out.end(), broken_earlier_.begin(), broken_earlier_.end());
    Judge judge(program);
    postbox_.judge(judge, program, 1);
    for (auto& law : judge.take()) out.push_back(std::move(law));
    if (stage_ != Stage::recovered) return out;

    // each exactly once, and the one that failed once more; and each machine once
    const std::map<std::string, int> made{{"campus/site0-1", 1}, {"campus/site0-2", 1}, {"campus/site1-1", 1},
                                          {"campus/site1-2", 1}, {"campus/site1-3", 1}, {"campus/site2-1", 1},
                                          {"campus/site2-2", 1}};
    if (grounds().made() != made) {
        out.emplace_back("other machines were made than expected");
        for (const auto& [machine, times] : grounds().made())
            out.push_back(machine + " was made " + std::to_string(times) + " times");
    }
    if (paused_ == 0) out.push_back("it did not pause when one had failed");
    const std::multiset<std::string> told{"dana@example.org: AppServer site1-2 of campus/site1 failed",
                                          "dana@example.org: http://site0.demo.example.org/ is down",
                                          "dana@example.org: http://site0.demo.example.org/ is up again"};
    if (postbox_.mails() != told) {
        out.emplace_back("other mails came than expected");
        for (const auto& mail : postbox_.mails()) out.push_back("there came, in all: " + mail);
    }
    return out;
}

}  // namespace ocim::simulation
