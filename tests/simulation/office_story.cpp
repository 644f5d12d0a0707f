#include "simulation/office_story.hpp"

#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "crd/mailrelays.hpp"
#include "crd/notifications.hpp"
#include "github/feed.hpp"
#include "github/watch.hpp"
#include "runtime/composite.hpp"
#include "runtime/external.hpp"
#include "support/memory_client.hpp"
#include "support/sim_http.hpp"

#include <algorithm>
#include <stdexcept>

namespace ocim::simulation {

using api::Json;
using test::json;
using namespace std::chrono_literals;

namespace {

constexpr auto space = "campus";

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

net::HttpReply reply(unsigned status, const Json& body) {
    net::HttpReply out;
    out.status = status;
    out.body = api::to_text(body);
    return out;
}

Json watch() {
    return json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'PullRequestWatch','metadata':{'namespace':'campus','name':"
        "'site'},'spec':{'forks':['acme/site'],'organization':'acme','team':'Sandbox','credentialsRef':{'name':"
        "'github'},'apiURL':'https://github.example.org','instanceTemplate':{'className':'sandbox'},"
        "'retainAfterClose':'2m'}}");
}

Json notification(const std::string& name) {
    return json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Notification','metadata':{'namespace':'campus','name':'" +
        name +
        "'},'spec':{'to':['ops@example.org','dana@example.org'],'subject':'s','text':'t','mailRelayRef':{"
        "'name':'default'}}}");
}

}  // namespace

OfficeStory::OfficeStory(Universe& universe) : universe_(universe) {
    auto open = json(
        "{'number':7,'state':'open','title':'A change','body':'','html_url':'https://github.com/acme/site/pull/7',"
        "'user':{'id':7,'login':'ada','type':'User'},'closed_at':null,'head':{'ref':'work','repo':{'full_name':"
        "'ada/site','clone_url':'https://github.com/ada/site.git'}}}");
    open.at("head").as_object()["sha"] = std::string(40, 'a');
    github_.things(universe.now)["pull"] = std::move(open);
}

api::json::object& OfficeStory::pull() { return github_.things(universe_.now).at("pull").as_object(); }

std::string OfficeStory::wall() const {
    // time and the wall's time begin together, see Universe
    return rfc3339(WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)) +
                   std::chrono::duration_cast<WallTime::duration>(universe_.now - Instant(1h)));
}

std::vector<Json> OfficeStory::all(const std::string& sort) {
    std::vector<Json> out;
    for (const auto& [key, thing] : github_.things(universe_.now))
        if (key.starts_with(sort + "/")) out.push_back(thing);
    return out;
}

// --- GitHub

net::HttpReply OfficeStory::answer(GitHub::Map& things, const net::HttpRequest& request) {
    if (request.method != "GET") return change(things, request);
    const auto path = request.target.substr(0, request.target.find('?'));
    const auto listed = [&](const std::string& sort) {
        api::json::array out;
        for (const auto& [key, thing] : things)
            if (key.starts_with(sort + "/") && path.find(text(thing, {"sha"})) != std::string::npos)
                out.push_back(thing);
        if (sort == "statuses") std::ranges::reverse(out);  // the newest first
        return Json(std::move(out));
    };
    Json body;
    if (path == "/user")
        body = json("{'id':1,'login':'ocim-bot','type':'User'}");
    else if (path == "/rate_limit")
        body = json("{'resources':{'core':{}}}");
    else if (path.ends_with("/teams"))
        body = json("[{'name':'Sandbox','slug':'sandbox'}]");
    else if (path.ends_with("/members"))
        body = json("[{'id':7,'login':'ada','type':'User'}]");
    else if (path.ends_with("/pulls"))
        body = text(things.at("pull"), {"state"}) == "open" ? api::json::array{things.at("pull")} : api::json::array();
    else if (path.ends_with("/pulls/7"))
        body = things.at("pull");
    else
        body = listed(path.ends_with("/comments") ? "comments" : "statuses");
    auto out = reply(200, body);
    out.headers["etag"] = std::to_string(std::hash<std::string>()(out.body));
    const auto known = request.headers.find("If-None-Match");
    if (known == request.headers.end() || known->second != out.headers["etag"]) return out;
    out.status = 304;
    out.body.clear();
    return out;
}

net::HttpReply OfficeStory::change(GitHub::Map& things, const net::HttpRequest& request) {
    const auto last = request.target.substr(request.target.rfind('/') + 1);
    if (request.method == "POST") {
        auto made = api::parse_json(request.body)->value;
        const bool comment = last == "comments";
        // as many digits for each: the order of keys is that of time
        const auto id = 1000 + ++last_id_;
        made.as_object()["id"] = id;
        made.as_object()["user"] = json("{'id':1,'login':'ocim-bot','type':'User'}");
        if (!comment) made.as_object()["sha"] = last;
        things[(comment ? "comments/" : "statuses/") + std::to_string(id)] = made;
        return reply(201, made);
    }
    const auto found = things.find("comments/" + last);
    if (found == things.end()) return reply(404, json("{'message':'Not Found'}"));
    if (request.method == "DELETE") {
        things.erase(found);
        return reply(204, Json());
    }
    found->second.as_object()["body"] = text(api::parse_json(request.body)->value, {"body"});
    return reply(200, found->second);
}

// --- the real reconcilers

void OfficeStory::register_kinds(runtime::Manager& manager) {
    runtime::add_composite<github::Watches>(manager);
    register_feeds(manager);
    postbox_.register_mail(manager);
}

void OfficeStory::register_feeds(runtime::Manager& manager) {
    github_.dies = [this] { return universe_.boundary(); };
    runtime::add_external<github::Feeds>(
        manager,
        [this](const crd::PullRequestWatch& watch, const runtime::Inputs& inputs,
               const runtime::Services& services) -> Result<std::unique_ptr<github::Feed>> {
            const auto speaks = [this](GitHub::Map& things, const net::HttpRequest& request) {
                if (request.method != "GET") universe_.trace.add(request.method + " " + request.target);
                return answer(things, request);
            };
            std::unique_ptr<net::HttpClient> wire =
                std::make_unique<test::SimHttp<GitHub>>(github_, speaks, services.clock, services.random);
            return github::Feeds::open_over(std::move(wire), nullptr, watch, inputs, services);
        });
}

const std::vector<api::Kind>& OfficeStory::kinds() {
    static const std::vector<api::Kind> all{
        crd::PullRequestWatch::kind, crd::PullRequestFeed::kind, crd::Instance::kind, crd::InstanceClass::kind,
        crd::MailRelay::kind,        crd::Notification::kind,    api::secret_kind,    api::namespace_kind};
    return all;
}

// --- people

void OfficeStory::prepare(Program& program) {
    for (auto one :
         {json("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'campus'}}"),
          json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'campus','name':'github'},'data':{"
               "'token':'dG9rZW4='}}"),
          json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'InstanceClass','metadata':{'name':"
               "'sandbox'},'spec':{'baseDomain':'example.org','compute':{'keyName':'k','sshKeyRef':{'name':"
               "'k'}}}}"),
          Postbox::relay_object()}) {
        const auto made = program.create(std::move(one));
        if (!made) throw std::runtime_error(made.error().message);
    }
}

void OfficeStory::somebody_acts(Program& program) {
    const auto dice = universe_.chance->below(100);
    if (dice < 20)
        (void)program.create(watch());
    else if (dice < 25)
        (void)program.remove(crd::PullRequestWatch::kind, space, "site");
    else if (dice < 45)
        (void)program.create(notification("told" + universe_.number(4)));
    else if (dice < 55)
        (void)program.remove(crd::Notification::kind, space, "told" + universe_.number(4));
    else if (dice < 80)
        pull()["head"].as_object()["sha"] = std::string(40, static_cast<char>('a' + universe_.chance->below(6)));
    else if (universe_.happens(50))
        pull()["state"] = "open", pull()["closed_at"] = nullptr;
    else
        pull()["state"] = "closed", pull()["closed_at"] = wall();
}

/// Somebody writes over what we said, takes it away, or says something himself.
void OfficeStory::stranger_acts(const std::string&) {
    auto& things = github_.things(universe_.now);
    const auto first = things.lower_bound("comments/");
    if (first != things.end() && first->first.starts_with("comments/") && universe_.happens(30)) {
        things.erase(first);
        return;
    }
    auto own = json("{'id':1,'body':'well done','user':{'id':9,'login':'eve','type':'User'}}");
    things["comments/0001"] = std::move(own);
}

// --- one watch and one message, from birth to death

void OfficeStory::declare_one(Program& program) {
    (void)program.create(watch());
    (void)program.create(notification("told0"));
}

bool OfficeStory::one_is_ready(Program& program) {
    for (const auto& kind : {crd::PullRequestWatch::kind, crd::Notification::kind}) {
        const auto objects = program.list(kind);
        if (objects.empty() || !std::ranges::all_of(objects, runtime::is_ready)) return false;
    }
    return !program.list(crd::Instance::kind).empty() && !all("comments").empty() && !all("statuses").empty();
}

void OfficeStory::delete_one(Program& program) {
    (void)program.remove(crd::PullRequestWatch::kind, space, "site");
    (void)program.remove(crd::Notification::kind, space, "told0");
}

std::vector<std::string> OfficeStory::remains_of_one(Program& program) {
    std::vector<std::string> out;
    for (const auto& kind :
         {crd::PullRequestWatch::kind, crd::PullRequestFeed::kind, crd::Instance::kind, crd::Notification::kind})
        for (const auto& object : program.list(kind)) out.push_back(called(object));
    for (const auto& comment : all("comments"))
        if (text(comment, {"body"}).find("is not watched any more") == std::string::npos)
            out.push_back("a comment that still speaks of a sandbox");
    return out;
}

// --- what must hold

std::vector<std::string> OfficeStory::broken_laws(Program& program) {
    Judge judge(program);
    for (const auto& kind : {crd::PullRequestWatch::kind, crd::PullRequestFeed::kind, crd::Notification::kind})
        for (const auto& object : program.list(kind)) {
            judge.firm(object);
            judge.expect(runtime::is_ready(object), called(object) + " is not ready: " + reason(object, "Ready"));
        }
    postbox_.judge(judge, program, 2);
    const auto ours = std::ranges::count_if(
        all("comments"), [](const Json& one) { return text(one, {"body"}).starts_with("<!-- ocim:"); });
    judge.expect(ours <= 1, "there are " + std::to_string(ours) + " comments of ours");
    if (program.list(crd::PullRequestWatch::kind).empty()) return judge.take();

    const auto instances = program.list(crd::Instance::kind);
    const bool open = pull()["state"] == "open";
    judge.expect(instances.size() == (open ? 1U : 0U), std::to_string(instances.size()) + " sandboxes");
    if (!open || instances.empty()) return judge.take();
    const auto commit = text(pull(), {"head", "sha"});
    judge.expect(text(instances.front(), {"spec", "platform", "commit"}) == commit, "another commit is deployed");
    judge.expect(ours == 1, "nothing was said");
    for (const auto& comment : all("comments"))
        judge.expect(!text(comment, {"body"}).starts_with("<!-- ocim:") ||
                         text(comment, {"body"}).find(commit) != std::string::npos,
                     "the comment speaks of another commit");
    const auto of_commit = [&](const Json& one) { return text(one, {"sha"}) == commit; };
    judge.expect(std::ranges::any_of(all("statuses"), of_commit), "the commit has no status");
    return judge.take();
}

}  // namespace ocim::simulation
