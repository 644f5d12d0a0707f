#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/insight.hpp"
#include "cli/known_kinds.hpp"
#include "cli/output.hpp"
#include "cli/rehearsal.hpp"
#include "cli/standing.hpp"
#include "cli/targets.hpp"
#include "net/http_client.hpp"
#include "schema/column.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

namespace ocim::cli {

namespace {

using api::Json;

constexpr std::size_t depth_max = 10;  // no chain of ours is longer

constexpr Flag flags[] = {namespace_flag, kubeconfig_flag, context_flag, help_flag};

constexpr Example examples[] = {
    {"Why a site is not there yet", "ocim explain-status instance/demo -n campus"},
    {"Why a record is not served", "ocim explain-status dnsrecord/www"},
};

/// One object of the chain.
struct Link {
    Named named;
    std::string title;  ///< "DNSRecord campus/www"
    bool there = false;
    Standing standing{};
    std::optional<LastCall> last{};
    std::optional<Insight> insight{};  ///< nothing: what the object itself says is all there is
    std::string backend{};
    std::vector<Link> causes{};
};

class Chain {
public:
    explicit Chain(Connection& server) : server_(server), kinds_(server), known_(server.access()), insights_(server) {}

    Answer<Link> explain(const Named& named, std::size_t depth = 0) {
        Link out{named, named.kind->kind + " " + runtime::ObjectKey{named.namespace_, named.name}.text()};
        const auto object = server_.get(named.target());
        if (!object && (object.error().code != 404 || depth == 0)) return object.error();
        out.there = static_cast<bool>(object);
        if (!out.there) return out;
        out.standing = standing_of(*object);
        if (out.standing.ready || !seen_.insert(named.text() + " " + named.namespace_).second) return out;
        auto events = read_events(named);
        if (!events) return std::move(events).error();
        out.last = last_call(*events, api::find_text(*object, {"metadata", "uid"}));
        out.insight = insights_.of(named.kind->kind, named.namespace_, named.name);
        if (out.insight && out.insight->last) out.last = out.insight->last;  // events are an hour old at most
        if (depth < depth_max)
            if (auto added = add_causes(out, *object, depth); !added) return added.error();
        return out;
    }
    ServedKinds& kinds() { return kinds_; }

private:
    Answer<Json> read_events(const Named& named) {
        const auto fields = "involvedObject.name=" + named.name + ",involvedObject.kind=" + named.kind->kind;
        return server_.get("/api/v1/namespaces/" + (named.namespace_.empty() ? "default" : named.namespace_) +
                           "/events?fieldSelector=" + net::percent_encode(fields));
    }

    Answer<> add_causes(Link& link, const Json& object, std::size_t depth) {
        for (const auto& reference : known_.references(object)) {
            const Json like = api::json::object{{"apiVersion", reference.kind.api_version()},
                                                {"kind", std::string(reference.kind.name)}};
            auto kind = kinds_.of(like);
            if (!kind) return std::move(kind).error();
            auto cause = explain({*kind, reference.namespace_, reference.name}, depth + 1);
            if (!cause && cause.error().code == 403) continue;  // tenants do not see into backends
            if (!cause) return std::move(cause).error();
            if (link.backend.empty() && !reference.kind.namespaced && reference.kind != api::namespace_kind)
                link.backend = cause->title;
            if ((!cause->there && !reference.optional) || (cause->there && !cause->standing.ready))
                link.causes.push_back(*std::move(cause));
        }
        return add_children(link, api::find_text(object, {"metadata", "uid"}), depth);
    }

    Answer<> add_children(Link& link, std::string_view uid, std::size_t depth) {
        auto all = objects_in(link.named.namespace_);
        if (!all) return all.error();
        for (const auto& [kind, child] : **all) {
            const auto* owners = api::find(child, {"metadata", "ownerReferences"});
            if (!owners || !owners->is_array() || standing_of(child).ready) continue;
            const bool ours = std::ranges::any_of(
                owners->get_array(), [&](const Json& owner) { return api::find_text(owner, {"uid"}) == uid; });
            if (!ours) continue;
            auto cause = explain({kind, std::string(api::find_text(child, {"metadata", "namespace"})),
                                  std::string(api::find_text(child, {"metadata", "name"}))},
                                 depth + 1);
            if (!cause) return std::move(cause).error();
            if (cause->there && !cause->standing.ready) link.causes.push_back(*std::move(cause));
        }
        return {};
    }

    using Objects = std::vector<std::pair<const ServedKind*, Json>>;
    /// All of ours in a namespace, read once.
    Answer<const Objects*> objects_in(const std::string& namespace_) {
        if (const auto known = objects_.find(namespace_); known != objects_.end()) return &known->second;
        const auto ours = kinds_.of_group("ocim.opencraft.com");
        if (!ours) return ours.error();
        auto& out = objects_[namespace_];
        for (const auto* kind : *ours) {
            if (!kind->namespaced) continue;
            auto found = list(server_, *kind, namespace_);
            if (!found && found.error().code == 403) continue;
            if (!found) return std::move(found).error();
            for (auto& object : *found) out.emplace_back(kind, std::move(object));
        }
        return &out;
    }

    Connection& server_;
    ServedKinds kinds_;
    KnownKinds known_;
    Insights insights_;
    std::set<std::string> seen_;
    std::map<std::string, Objects> objects_;
};

class Telling {
public:
    explicit Telling(WallTime now) : now_(now) {}

    void tell(const Link& link, const std::string& indent = "") {
        std::cout << indent << paint_.bold(link.title) << ": " << headline(link) << "\n";
        if (!link.there) {
            line(indent, "must act", "whoever makes it");
            return;
        }
        if (link.standing.ready) return;
        line(indent, "says", link.standing.message);
        if (link.standing.since)
            line(indent, "since", schema::age(*link.standing.since, now_) + " (" + rfc3339(*link.standing.since) + ")");
        if (link.last) line(indent, "last call", call(*link.last));
        const bool waits = !link.causes.empty();
        line(indent, "next try", when(link, waits));
        const auto name = link.named.kind->singular + "/" + link.named.name +
                          (link.named.namespace_.empty() ? "" : " -n " + link.named.namespace_);
        line(indent, "must act", who_must_act(link.standing, waits, link.backend, name, now_));
        if (!waits) return;
        std::cout << indent << "  waits on:\n";
        for (const auto& cause : link.causes) tell(cause, indent + "    ");
    }

private:
    std::string headline(const Link& link) const {
        if (!link.there) return paint_.red("it is not there");
        if (link.standing.ready) return paint_.green("Ready");
        const auto state = link.standing.paused ? "Paused" : link.standing.stalled ? "Stalled" : "not Ready";
        const auto text = std::string(state) + (link.standing.reason.empty() ? "" : ", " + link.standing.reason);
        return link.standing.stalled ? paint_.red(text) : paint_.yellow(text);
    }
    std::string when(const Link& link, bool waits) const {
        const auto exact = link.insight ? next_try(link.standing, *link.insight, waits, now_) : std::nullopt;
        return exact ? *exact : next_try(link.standing, link.last, waits, now_);
    }
    std::string call(const LastCall& last) const {
        return schema::age(last.at, now_) + " ago" +
               (last.times > 1 ? ", " + std::to_string(last.times) + " times" : "") +
               (last.failed ? ", failed: " : ", done: ") + last.what;
    }
    static void line(const std::string& indent, std::string_view what, const std::string& text) {
        if (text.empty()) return;
        std::cout << indent << "  " << what << ":" << std::string(11 - what.size(), ' ') << text << "\n";
    }

    WallTime now_;
    Paint paint_{Paint::Stream::out};
};

int explain_status(const Arguments& arguments) {
    const auto server = Connection::open(arguments);
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    Chain chain(**server);
    const auto chosen = select(**server, chain.kinds(), arguments);
    if (!chosen) {
        complain(chosen.error());
        return exit_failed;
    }
    Telling telling((*server)->wall());
    for (const auto& one : *chosen) {
        const auto link = chain.explain(one);
        if (!link) {
            complain(link.error());
            return exit_failed;
        }
        telling.tell(*link);
    }
    std::cout << std::flush;
    return exit_ok;
}

}  // namespace

constinit const Command explain_status_command{
    .name = "explain-status",
    .summary = "Say why an object is not Ready: what it waits on, and who must act.",
    .synopsis = "KIND/NAME... [FLAGS]",
    .description =
        "Follows what the object refers to and what it is made of, down to what nothing else explains: since when, "
        "the\n"
        "last call to the outside and its answer, when it is tried again, and who must do something. Whoever may read\n"
        "/debug is told these exactly, by the controllers themselves; others by what events tell.",
    .flags = flags,
    .examples = examples,
    .run = explain_status,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

}  // namespace ocim::cli
