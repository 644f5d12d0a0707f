#include "simulation/stack_story.hpp"

#include "crd/appservers.hpp"
#include "crd/instances.hpp"
#include "crd/securitygroups.hpp"
#include "crd/virtualmachines.hpp"
#include "support/memory_client.hpp"

namespace ocim::simulation {

using api::Json;
using test::json;

namespace {

constexpr auto space = "campus", rolled_out = "Rolled out";

std::int64_t servers_made(const Json& site) {
    const auto* made = api::find(site, {"status", "appServersMade"});
    return made && made->is_number() ? made->to_number<std::int64_t>() : 0;
}

}  // namespace

void StackStory::declare_one(Program& program) {
    (void)program.create(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Instance','metadata':{'namespace':'campus','name':"
             "'site0'},'spec':{'className':'demo','displayName':'A site','subdomain':'site0','deletionPolicy':'Delete',"
             "'databases':{'mode':'Persistent'},'rollout':{'keepFallbackFor':'1m'}}}"));
    (void)program.create(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'SecurityGroup','metadata':{'namespace':'campus',"
             "'name':'beside'},'spec':{'cloudRef':{'name':'local'},'name':'beside','rules':[{'direction':'Ingress',"
             "'protocol':'tcp','portMin':22},{'direction':'Ingress','protocol':'tcp','portMin':443}]}}"));
    for (const auto& site : program.list(crd::Instance::kind))
        if (runtime::is_ready(site))
            (void)program.patch(crd::Instance::kind, space, "site0", json("{'spec':{'displayName':'Rolled out'}}"));
}

/// Rolled out, and what was before is gone.
bool StackStory::one_is_ready(Program& program) {
    if (!HouseStory::one_is_ready(program)) return false;
    for (const auto& site : program.list(crd::Instance::kind))
        if (api::find_text(site, {"spec", "displayName"}) != rolled_out || servers_made(site) < 2) return false;
    for (const auto& group : program.list(crd::SecurityGroup::kind))
        if (!runtime::is_ready(group)) return false;
    rolled_out_ = program.list(crd::AppServer::kind).size() == 1 && program.list(crd::VirtualMachine::kind).size() == 1;
    return rolled_out_;
}

/// Launched once and rolled out once: whenever the program died, the cloud was asked for two machines, and for each of
/// them once.
std::vector<std::string> StackStory::broken_laws(Program& program) {
    auto out = HouseStory::broken_laws(program);
    if (!rolled_out_) return out;
    for (const auto& [machine, times] : grounds().made())
        if (times != 1) out.push_back(machine + " was made " + std::to_string(times) + " times");
    if (const auto machines = grounds().made().size(); machines != 2)
        out.push_back("a site that was rolled out once had " + std::to_string(machines) + " machines");
    return out;
}

void StackStory::delete_one(Program& program) {
    HouseStory::delete_one(program);
    (void)program.remove(crd::SecurityGroup::kind, space, "beside");
}

}  // namespace ocim::simulation
