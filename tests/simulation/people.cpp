#include "simulation/people.hpp"

#include "support/memory_client.hpp"

#include <stdexcept>

namespace ocim::simulation {

using api::Json;
using test::json;

namespace {

constexpr std::string_view domain = "example.org";

std::string number(Universe& universe, std::uint64_t below) { return std::to_string(universe.chance->below(below)); }

Json dns_record(Universe& universe, const std::string& name) {
    // few names for many objects, so that some want the same
    const auto host = "host" + number(universe, 6);
    const auto address = "192.0.2." + number(universe, 250);
    const auto policy = universe.happens(20) ? "Retain" : "Delete";
    return json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':'default',"
        "'name':'" +
        name + "'},'spec':{'zoneRef':{'name':'example-org'},'name':'" + host + "." + std::string(domain) +
        "','type':'A','values':['" + address + "'],'deletionPolicy':'" + policy + "'}}");
}

Json library(Universe& universe, const std::string& name) {
    std::string titles;
    for (int i = 0; i < 4; ++i)
        if (universe.happens(60)) titles += (titles.empty() ? "'" : ",'") + name + std::to_string(i) + "'";
    return json("{'apiVersion':'test.opencraft.com/v1','kind':'Library','metadata':{'namespace':'default','name':'" +
                name + "'},'spec':{'shelf':'oak','titles':[" + titles +
                "],'choose':" + (universe.happens(50) ? "true" : "false") + "}}");
}

void with_a_record(Universe& universe, Program& program) {
    const auto name = "record" + number(universe, 8);
    if (universe.happens(40)) {
        (void)program.create(dns_record(universe, name));
    } else if (universe.happens(50)) {
        (void)program.patch(crd::DNSRecord::kind, "default", name,
                            json("{'spec':{'values':['198.51.100." + number(universe, 250) + "']}}"));
    } else {
        (void)program.remove(crd::DNSRecord::kind, "default", name);
    }
}

void with_a_library(Universe& universe, Program& program) {
    const auto name = "library" + number(universe, 3);
    if (universe.happens(40)) {
        (void)program.create(library(universe, name));
    } else if (universe.happens(60)) {
        auto wanted = library(universe, name);
        api::json::object patch;
        patch["spec"] = wanted.at("spec");
        (void)program.patch(test::Library::kind, "default", name, std::move(patch));
    } else {
        (void)program.remove(test::Library::kind, "default", name);
    }
}

/// Takes a random thing of ours and changes or removes it; sometimes he puts up something of his own.
template <class Map, class Change>
void meddle(Universe& universe, Map& things, const std::string& installation, Change change) {
    std::vector<typename Map::key_type> ours;
    for (const auto& [key, thing] : things)
        if (thing.mark && thing.mark->installation == installation) ours.push_back(key);
    if (ours.empty()) return;
    const auto& key = ours[universe.chance->below(ours.size())];
    if (universe.happens(40))
        things.erase(key);
    else
        change(things.at(key));
}

}  // namespace

void prepare(Program& program) {
    for (const auto* text :
         {"{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'dns'},"
          "'data':{'apiKey':'a2V5'}}",
          "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSZone','metadata':{'name':'example-org'},"
          "'spec':{'domain':'example.org','credentialsRef':{'name':'dns'},"
          "'powerdns':{'url':'https://dns.example.org'}}}",
          "{'apiVersion':'test.opencraft.com/v1','kind':'Shelf','metadata':{'name':'oak'},'spec':{}}"}) {
        const auto made = program.create(json(text));
        if (!made) throw std::runtime_error(made.error().message);
    }
}

void somebody_acts(Universe& universe, Program& program) {
    if (universe.happens(60))
        with_a_record(universe, program);
    else
        with_a_library(universe, program);
}

void stranger_acts(Universe& universe, const std::string& installation) {
    auto& records = universe.zone.things(universe.now);
    auto& books = universe.shelves["oak"].things(universe.now);
    if (universe.happens(70)) {
        meddle(universe, records, installation, [](dns::RecordSet& set) { set.values = {"203.0.113.66"}; });
        meddle(universe, books, installation, [](test::Volume& volume) { volume.text = "scribbled"; });
        return;
    }
    // his own things: only where nothing is, and he leaves them alone afterwards
    const dns::Key key{"host" + number(universe, 6) + "." + std::string(domain), "A"};
    records.emplace(key, dns::RecordSet{{"203.0.113.1"}, 60, std::nullopt});
    books.emplace("library" + number(universe, 3) + number(universe, 4), test::Volume{"foreign", std::nullopt});
}

void set_faults(Universe& universe, test::Faults faults) {
    universe.zone.faults = faults;
    universe.shelves["oak"].faults = faults;
}

void set_down(Universe& universe, bool down) {
    universe.zone.down = down;
    universe.shelves["oak"].down = down;
}

}  // namespace ocim::simulation
