#include "simulation/rotation_story.hpp"

#include "crd/appservers.hpp"
#include "crd/instances.hpp"
#include "support/memory_client.hpp"

namespace ocim::simulation {

using api::Json;
using test::json;

namespace {

constexpr auto space = "campus";

std::string said(const Json& site) {
    const auto* found = runtime::condition(site, "PasswordsReplaced");
    return found ? std::string(api::find_text(*found, {"status"})) : "";
}

}  // namespace

void RotationStory::declare_one(Program& program) {
    auto one = site("site0", "Delete");
    one.at("spec").as_object()["rollout"] = json("{'keepFallbackFor':'20s','drainFor':'2s','verifyFor':'2s'}");
    (void)program.create(std::move(one));
    for (const auto& object : program.list(crd::Instance::kind))
        if (runtime::is_ready(object) && said(object).empty())
            (void)program.patch(crd::Instance::kind, space, "site0",
                                json("{'metadata':{'annotations':{'ocim.opencraft.com/rotate-at':'" +
                                     rfc3339(program.clock().wall()) + "'}}}"));
}

/// Those that it was made with are gone, and so is whoever had them.
bool RotationStory::one_is_ready(Program& program) {
    if (!HouseStory::one_is_ready(program)) return false;
    for (const auto& object : program.list(crd::Instance::kind))
        replaced_ = said(object) == "True" && program.list(crd::AppServer::kind).size() == 1;
    return replaced_;
}

std::vector<std::string> RotationStory::broken_laws(Program& program) {
    auto out = HouseStory::broken_laws(program);
    if (!replaced_) return out;
    if (const auto machines = grounds().made().size(); machines != 2)
        out.push_back("one rotation made " + std::to_string(machines) + " machines of the site");
    return out;
}

}  // namespace ocim::simulation
