#include "simulation/library_story.hpp"

#include "runtime/composite.hpp"
#include "runtime/external.hpp"
#include "support/memory_client.hpp"

#include <stdexcept>

namespace ocim::simulation {

using api::Json;
using test::json;

namespace {

constexpr std::string_view domain = "example.org";

Json definition(const api::Kind& kind) {
    const std::string name(kind.name), plural(kind.plural), group(kind.group), version(kind.version);
    std::string singular = name;
    for (auto& c : singular) c = static_cast<char>(c | 0x20);
    return json(
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

}  // namespace

std::vector<Json> LibraryStory::definitions() {
    std::vector<Json> out;
    for (const auto& kind : {test::Shelf::kind, test::Book::kind, test::Library::kind}) out.push_back(definition(kind));
    for (auto& real : real_definitions())
        if (api::find_text(real, {"metadata", "name"}).starts_with("dns")) out.push_back(std::move(real));
    return out;
}

const std::vector<api::Kind>& LibraryStory::kinds() {
    static const std::vector<api::Kind> all{test::Shelf::kind,    test::Book::kind,   test::Library::kind,
                                            crd::DNSRecord::kind, crd::DNSZone::kind, api::secret_kind};
    return all;
}

void LibraryStory::register_kinds(runtime::Manager& manager) {
    using Records = dns::Record;
    runtime::add_external<Records>(manager,
                                   [this](const crd::DNSZone&, const runtime::Inputs&,
                                          const runtime::Services& services) -> Result<std::unique_ptr<dns::Zone>> {
                                       const auto keys = [](const dns::Action& action) {
                                           return std::vector<dns::Key>{action.key};
                                       };
                                       return simulated<Records>(zone_, universe_, services, change_zone, keys);
                                   });
    using Books = test::BookKind;
    runtime::add_external<Books>(
        manager,
        [this](const test::Shelf&, const runtime::Inputs&, const runtime::Services& services)
            -> Result<std::unique_ptr<runtime::System<std::string, test::Volume, test::BookAction>>> {
            const auto keys = [](const test::BookAction& action) { return std::vector<std::string>{action.title}; };
            return simulated<Books>(shelf_, universe_, services, Books::effect, keys);
        });
    runtime::add_composite<test::LibraryKind>(manager);
}

// --- people

void LibraryStory::prepare(Program& program) {
    const std::string policy = universe_.sweeps_orphans() ? "Delete" : "Report";
    const std::string shelf =
        universe_.sweeps_orphans() ? "{'deleteOrphans':true,'orphanMinAgeSeconds':120}" : "{'deleteOrphans':false}";
    for (const auto& text :
         {std::string("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'dns'},"
                      "'data':{'apiKey':'a2V5'}}"),
          "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSZone','metadata':{'name':'example-org'},"
          "'spec':{'domain':'example.org','credentialsRef':{'name':'dns'},'orphanPolicy':{'action':'" +
              policy + "','minAge':'2m'},'powerdns':{'url':'https://dns.example.org'}}}",
          "{'apiVersion':'test.opencraft.com/v1','kind':'Shelf','metadata':{'name':'oak'},'spec':" + shelf + "}"}) {
        const auto made = program.create(json(text));
        if (!made) throw std::runtime_error(made.error().message);
    }
}

Json LibraryStory::record(const std::string& name) {
    // few names for many objects, so that some want the same
    const auto host = "host" + universe_.number(6);
    const auto address = "192.0.2." + universe_.number(250);
    const auto* policy = universe_.happens(20) ? "Retain" : "Delete";
    return json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':'default',"
        "'name':'" +
        name + "'},'spec':{'zoneRef':{'name':'example-org'},'name':'" + host + "." + std::string(domain) +
        "','type':'A','values':['" + address + "'],'deletionPolicy':'" + policy + "'}}");
}

Json LibraryStory::library(const std::string& name) {
    std::string titles;
    for (int i = 0; i < 4; ++i)
        if (universe_.happens(60)) titles += (titles.empty() ? "'" : ",'") + name + std::to_string(i) + "'";
    return json("{'apiVersion':'test.opencraft.com/v1','kind':'Library','metadata':{'namespace':'default','name':'" +
                name + "'},'spec':{'shelf':'oak','titles':[" + titles +
                "],'choose':" + (universe_.happens(50) ? "true" : "false") + "}}");
}

void LibraryStory::somebody_acts(Program& program) {
    if (universe_.happens(3))
        abandons_something(program);
    else if (universe_.happens(60))
        with_a_record(program);
    else
        with_a_library(program);
}

// what is refused is refused: that is part of life

void LibraryStory::with_a_record(Program& program) {
    const auto name = "record" + universe_.number(8);
    if (universe_.happens(40)) {
        (void)program.create(record(name));
    } else if (universe_.happens(50)) {
        (void)program.patch(crd::DNSRecord::kind, "default", name,
                            json("{'spec':{'values':['198.51.100." + universe_.number(250) + "']}}"));
    } else {
        (void)program.remove(crd::DNSRecord::kind, "default", name);
    }
}

void LibraryStory::with_a_library(Program& program) {
    const auto name = "library" + universe_.number(3);
    if (universe_.happens(40)) {
        (void)program.create(library(name));
    } else if (universe_.happens(60)) {
        auto wanted = library(name);
        api::json::object patch;
        patch["spec"] = wanted.at("spec");
        (void)program.patch(test::Library::kind, "default", name, std::move(patch));
    } else {
        (void)program.remove(test::Library::kind, "default", name);
    }
}

/// Lets go of a record although the zone may hold it: what is left has no object any more and is swept.
void LibraryStory::abandons_something(Program& program) {
    const auto name = "record" + universe_.number(8);
    if (!universe_.sweeps_orphans() || ghosts_ >= 3) return;  // of more a person would be asked
    ++ghosts_;
    (void)program.patch(crd::DNSRecord::kind, "default", name,
                        json("{'metadata':{'annotations':{'ocim.opencraft.com/abandon':'true'}}}"));
    (void)program.remove(crd::DNSRecord::kind, "default", name);
}

void LibraryStory::stranger_acts(const std::string& installation) {
    if (universe_.happens(70)) {
        meddle(universe_, zone_, installation, [](dns::RecordSet& set) { set.values = {"203.0.113.66"}; });
        meddle(universe_, shelf_, installation, [](test::Volume& volume) { volume.text = "scribbled"; });
        return;
    }
    // his own things: only where nothing is, and he leaves them alone afterwards
    const auto now = universe_.now;
    const dns::Key key{"host" + universe_.number(6) + "." + std::string(domain), "A"};
    zone_.plant(now, key, dns::RecordSet{{"203.0.113.1"}, 60, std::nullopt});
    shelf_.plant(now, "library" + universe_.number(3) + universe_.number(4), test::Volume{"foreign", std::nullopt});
    const test::Mark other{"another", "default/library0", "0000"}, kept{installation, "default/kept", "0001", true};
    shelf_.plant(now, "other" + universe_.number(3), test::Volume{"another's", other});
    shelf_.plant(now, "kept" + universe_.number(3), test::Volume{"retained", kept});
}

// --- one library, from birth to death

void LibraryStory::declare_one(Program& program) {
    (void)program.create(
        json("{'apiVersion':'test.opencraft.com/v1','kind':'Library','metadata':{'namespace':'default',"
             "'name':'one'},'spec':{'shelf':'oak','titles':['a','b','c'],'choose':true}}"));
    (void)program.create(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':"
             "'default','name':'one'},'spec':{'zoneRef':{'name':'example-org'},'name':'one.example.org',"
             "'type':'A','values':['192.0.2.1']}}"));
}

bool LibraryStory::one_is_ready(Program& program) {
    const auto all_ready = [&](const api::Kind& kind) {
        const auto all = program.list(kind);
        return !all.empty() && std::ranges::all_of(all, runtime::is_ready);
    };
    return all_ready(test::Library::kind) && all_ready(crd::DNSRecord::kind);
}

void LibraryStory::delete_one(Program& program) {
    (void)program.remove(test::Library::kind, "default", "one");
    (void)program.remove(crd::DNSRecord::kind, "default", "one");
}

std::vector<std::string> LibraryStory::remains_of_one(Program& program) {
    std::vector<std::string> out;
    for (const auto& kind : {test::Library::kind, test::Book::kind, crd::DNSRecord::kind})
        for (const auto& object : program.list(kind)) out.push_back(called(object));
    const auto now = program.clock().now();
    for (const auto& [title, volume] : shelf_.things(now)) out.push_back("volume " + title);
    for (const auto& [key, set] : zone_.things(now)) out.push_back("record " + key.name);
    return out;
}

void LibraryStory::set_faults(test::Faults faults) { zone_.faults = shelf_.faults = faults; }
void LibraryStory::set_down(bool down) { zone_.down = shelf_.down = down; }

// --- what must hold

std::vector<std::string> LibraryStory::broken_laws(Program& program) {
    Judge judge(program);
    const auto books = program.list(test::Book::kind);
    judge.objects<dns::Record>(program.list(crd::DNSRecord::kind), program.list(crd::DNSZone::kind), zone_);
    judge.objects<test::BookKind>(books, {}, shelf_);
    for (const auto& kind : {crd::DNSZone::kind, test::Shelf::kind})
        for (const auto& object : program.list(kind)) judge.firm(object);
    for (const auto& library : program.list(test::Library::kind)) judge_library(judge, library, books);
    return judge.take();
}

void LibraryStory::judge_library(Judge& judge, const Json& library, const std::vector<Json>& books) {
    const auto decoded = *api::decode_object<test::Library>(library);
    std::set<std::string> wanted, there;
    for (const auto& title : decoded.spec.titles) wanted.insert(decoded.metadata.name + "-" + title);
    bool all_ready = true;  // a book whose place a stranger has keeps its library waiting
    for (const auto& book : books) {
        const auto name = std::string(api::find_text(book, {"metadata", "name"}));
        if (!name.starts_with(decoded.metadata.name + "-")) continue;
        there.insert(name);
        all_ready = all_ready && runtime::is_ready(book);
    }
    if (wanted != there) judge.broken(called(library) + " has other books than it wants");
    if (all_ready || decoded.metadata.deleting()) judge.firm(library);
}

}  // namespace ocim::simulation
