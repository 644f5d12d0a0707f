#include "simulation/backends.hpp"

#include "crd/schemas.hpp"
#include "runtime/composite.hpp"
#include "runtime/external.hpp"
#include "support/memory_client.hpp"

#include <stdexcept>

namespace ocim::simulation {

using api::Json;

namespace {

Json definition(const api::Kind& kind) {
    const std::string name(kind.name), plural(kind.plural), group(kind.group), version(kind.version);
    std::string singular = name;
    for (auto& c : singular) c = static_cast<char>(c | 0x20);
    return test::json(
        "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{'name':'" + plural +
        "." + group + "'},'spec':{'group':'" + group + "','scope':'" + (kind.namespaced ? "Namespaced" : "Cluster") +
        "','names':{'kind':'" + name + "','listKind':'" + name + "List','plural':'" + plural + "','singular':'" +
        singular + "'},'versions':[{'name':'" + version +
        "','served':true,'storage':true,'subresources':{'status':{}},'schema':{'openAPIV3Schema':{'type':'object',"
        "'properties':{'spec':{'type':'object','x-kubernetes-preserve-unknown-fields':true},'status':{'type':'object',"
        "'x-kubernetes-preserve-unknown-fields':true,'properties':{'conditions':{'type':'array',"
        "'x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['type'],'items':{'type':'object',"
        "'required':['type'],'properties':{'type':{'type':'string'},'status':{'type':'string'},"
        "'reason':{'type':'string'},'message':{'type':'string'},'lastTransitionTime':{'type':'string'},"
        "'observedGeneration':{'type':'integer','format':'int64'}}}}}}}}}}]}}");
}

/// What a zone makes of an action: the same judgement that a service makes right before it writes.
Result<void> change_zone(std::map<dns::Key, dns::RecordSet>& things, const dns::Action& action) {
    const auto found = things.find(action.key);
    const auto wanted = dns::still_wanted(action, found == things.end() ? nullptr : &found->second);
    if (!wanted) return wanted.error();
    if (!*wanted) return {};
    if (action.verb == dns::Action::Verb::delete_)
        things.erase(action.key);
    else
        things.insert_or_assign(action.key, action.set);
    return {};
}

template <class A, class World, class Effect>
std::unique_ptr<runtime::System<typename A::Key, typename A::Thing, typename A::Action>> simulated(
    World& world, Universe& universe, Clock& clock, Random& random, Effect effect) {
    using Sim = test::SimSystem<typename A::Key, typename A::Thing, typename A::Action>;
    // no clock in here: an effect may land after its program is gone
    auto traced = [&universe, effect](std::map<typename A::Key, typename A::Thing>& things,
                                      const typename A::Action& action) {
        const auto key = A::key(action);
        const auto before = things.find(key);
        const bool foreign = before != things.end() && !before->second.mark;
        const auto held = foreign ? std::optional(before->second) : std::nullopt;
        const auto result = effect(things, action);
        if (const auto after = things.find(key); foreign && (after == things.end() || !(after->second == *held)))
            universe.crimes.push_back("a stranger's thing was touched: " + A::describe(action));
        universe.trace.add(A::describe(action) + (result ? "" : " refused"));
        return result;
    };
    return std::make_unique<Sim>(world, typename Sim::Rules{std::move(traced), A::key}, clock, random);
}

}  // namespace

std::vector<Json> definitions() {
    std::vector<Json> out;
    for (const auto& kind : {test::Shelf::kind, test::Book::kind, test::Library::kind}) out.push_back(definition(kind));
    for (const auto text : crd::schemas()) {
        auto parsed = api::parse_json(text);
        if (!parsed) throw std::runtime_error(parsed.error().message);
        const auto name = api::find_text(parsed->value, {"metadata", "name"});
        if (name.starts_with("dns")) out.push_back(std::move(parsed->value));
    }
    return out;
}

const api::Kind* kind_of(const Json& object) {
    static constexpr std::array kinds{test::Shelf::kind,  test::Book::kind, test::Library::kind,  crd::DNSRecord::kind,
                                      crd::DNSZone::kind, api::secret_kind, api::config_map_kind, api::namespace_kind};
    for (const auto& kind : kinds)
        if (kind.name == api::find_text(object, {"kind"})) return &kind;
    throw std::logic_error("an object of an unknown kind");
}

void register_kinds(runtime::Manager& manager, Universe& universe, Clock& clock, Random& random) {
    using Records = dns::Record;
    runtime::add_external<Records>(
        manager,
        [&universe, &clock, &random](const crd::DNSZone&, const runtime::Inputs&,
                                     const runtime::Services&) -> Result<std::unique_ptr<dns::Zone>> {
            return simulated<Records>(universe.zone, universe, clock, random, change_zone);
        });
    using Books = test::BookKind;
    runtime::add_external<Books>(
        manager,
        [&universe, &clock, &random](const test::Shelf& shelf, const runtime::Inputs&, const runtime::Services&)
            -> Result<std::unique_ptr<runtime::System<std::string, test::Volume, test::BookAction>>> {
            return simulated<Books>(universe.shelves[shelf.metadata.name], universe, clock, random, Books::effect);
        });
    runtime::add_composite<test::LibraryKind>(manager);
}

}  // namespace ocim::simulation
