#include "client/remote.hpp"

#include "base/async.hpp"
#include "client/session.hpp"
#include "client/watch_lines.hpp"

#include <map>
#include <utility>

namespace ocim::client {

namespace {

using namespace std::chrono_literals;

constexpr auto page_limit = "500";
/// One that ends sooner, with nothing in it, is a server in trouble and no end in order.
constexpr auto watch_least = 1s;

using Query = std::vector<std::pair<std::string_view, std::string>>;

/// "/apis/ocim.opencraft.com/v1alpha1/namespaces/campus/instances/demo/status?…"
std::string target(const Kind& kind, const std::string& namespace_, const std::string& name = {},
                   const std::string& subresource = {}, const Query& query = {}) {
    auto out = (kind.group.empty() ? "/api/" : "/apis/") + kind.api_version();
    if (!namespace_.empty()) out += "/namespaces/" + net::percent_encode(namespace_);
    out += "/" + std::string(kind.plural);
    if (!name.empty()) out += "/" + net::percent_encode(name);
    if (!subresource.empty()) out += "/" + subresource;
    char separator = '?';
    for (const auto& [key, value] : query) {
        if (value.empty()) continue;
        out += std::exchange(separator, '&') + std::string(key) + "=" + net::percent_encode(value);
    }
    return out;
}

Result<Json> json_of(const net::HttpReply& reply) {
    auto parsed = api::parse_json(reply.body);
    if (parsed) return std::move(parsed->value);
    return Error{ErrorClass::transient, "the API server's answer is no JSON: " + parsed.error().message};
}

std::string text(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

/// Whether a text from outside may stand in a path: "v1", "apps/v1".
bool names_a_version(std::string_view api_version) {
    const auto slash = api_version.find('/');
    const auto is_name = [](std::string_view part) {
        const auto fits = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        };
        return !part.empty() && part.front() != '.' && std::ranges::all_of(part, fits);
    };
    if (slash == std::string_view::npos) return is_name(api_version);
    return is_name(api_version.substr(0, slash)) && is_name(api_version.substr(slash + 1));
}

/// A collection that is not there: the kind is not installed, or not any more.
Error not_served(const Kind& kind) {
    return Error{ErrorClass::transient, "the server does not serve " + std::string(kind.plural) + " of " +
                                            kind.api_version() + ": install its CustomResourceDefinition"};
}

class RemoteWatch final : public Watch {
public:
    RemoteWatch(std::shared_ptr<Session> session, Kind kind, std::string namespace_, std::string resource_version,
                Duration silence_max)
        : silence_max_(silence_max),
          session_(std::move(session)),
          kind_(kind),
          namespace_(std::move(namespace_)),
          lines_(kind, std::move(resource_version)) {}

    awaitable<Result<void>> open() {
        net::HttpsRequest request;
        request.target = target(
            kind_, namespace_, "", "",
            {{"watch", "true"}, {"allowWatchBookmarks", "true"}, {"resourceVersion", lines_.resource_version()}});
        CO_TRY(stream_, co_await session_->open(std::move(request)));
        heard_ = opened_ = session_->clock().now();
        lines_.restart();
        co_return Result<void>{};
    }

    awaitable<Result<std::vector<Event>>> next(Instant deadline) override {
        auto& clock = session_->clock();
        for (;;) {
            if (!stream_) CO_CHECK(co_await open());
            auto events = lines_.take();
            if (!events || !events->empty()) co_return settled(std::move(events));
            const Instant until = std::min<Instant>(deadline, heard_ + silence_max_);
            const auto limit = std::max(std::chrono::ceil<Duration>(until - clock.now()), Duration(0));
            auto reading = stream_->next();
            auto part = co_await with_deadline(clock, limit, "a word of the watch", std::move(reading));
            const auto now = clock.now();
            if (part && !part->empty()) {
                heard_ = now;
                lines_.add(*part);
                continue;
            }
            stream_.reset();  // the next turn goes on behind what was heard last
            if (!part && now < until) co_return std::move(part).error();
            if (now >= deadline) co_return std::vector<Event>{};
            if (part && now - opened_ < watch_least)
                co_return Error(Error{ErrorClass::transient, "the watch ended at once"});
        }
    }

private:
    Result<std::vector<Event>> settled(Result<std::vector<Event>> events) {
        if (!events) stream_.reset();
        return events;
    }

    Duration silence_max_;
    std::shared_ptr<Session> session_;
    Kind kind_;
    std::string namespace_;
    WatchLines lines_;
    std::unique_ptr<net::HttpsStream> stream_;  // null: it ended, or nothing was heard until a deadline
    Instant heard_{}, opened_{};
};

class RemoteClient final : public Client {
public:
    explicit RemoteClient(std::shared_ptr<Session> session) : session_(std::move(session)) {}

    awaitable<Result<Json>> get(Kind kind, std::string namespace_, std::string name) override {
        net::HttpsRequest request;
        request.target = target(kind, namespace_, name);
        CO_TRY(const auto reply, co_await session_->send(std::move(request)));
        co_return json_of(reply);
    }

    awaitable<Result<List>> list(Kind kind, std::string namespace_, Wanted wanted) override {
        auto paged = co_await list_by(kind, namespace_, page_limit, wanted);
        if (!paged && paged.error().error_class == ErrorClass::not_found) co_return not_served(kind);
        if (paged || paged.error().error_class != ErrorClass::conflict) co_return paged;
        // the pages were too slow for the server's history: all of it at once
        co_return co_await list_by(kind, std::move(namespace_), "", std::move(wanted));
    }

    awaitable<Result<std::unique_ptr<Watch>>> watch(Kind kind, std::string namespace_,
                                                    std::string resource_version) override {
        auto out = std::make_unique<RemoteWatch>(session_, kind, std::move(namespace_), std::move(resource_version),
                                                 session_->watch_silence());
        CO_CHECK(co_await out->open());
        co_return std::unique_ptr<Watch>(std::move(out));
    }

    awaitable<Result<Json>> create(Kind kind, Json object) override {
        name_kind(object, kind);
        net::HttpsRequest request;
        request.method = "POST";
        request.target = target(kind, text(object, {"metadata", "namespace"}), "", "", {{"fieldValidation", "Strict"}});
        co_return co_await write(std::move(request), std::move(object));
    }

    awaitable<Result<Json>> update(Kind kind, Json object) override {
        name_kind(object, kind);
        net::HttpsRequest request;
        request.method = "PUT";
        request.target = target(kind, text(object, {"metadata", "namespace"}), text(object, {"metadata", "name"}), "",
                                {{"fieldValidation", "Strict"}});
        co_return co_await write(std::move(request), std::move(object));
    }

    awaitable<Result<Json>> apply(Kind kind, Json object, std::string field_manager, std::string subresource) override {
        name_kind(object, kind);
        net::HttpsRequest request;
        request.method = "PATCH";
        request.content_type = "application/apply-patch+yaml";
        request.target =
            target(kind, text(object, {"metadata", "namespace"}), text(object, {"metadata", "name"}), subresource,
                   {{"fieldManager", field_manager}, {"force", "true"}, {"fieldValidation", "Strict"}});
        co_return co_await write(std::move(request), std::move(object));
    }

    awaitable<Result<Json>> merge_patch(Kind kind, std::string namespace_, std::string name, Json patch,
                                        std::string subresource) override {
        net::HttpsRequest request;
        request.method = "PATCH";
        request.content_type = "application/merge-patch+json";
        request.target = target(kind, namespace_, name, subresource, {{"fieldValidation", "Strict"}});
        co_return co_await write(std::move(request), std::move(patch));
    }

    awaitable<Result<void>> remove(Kind kind, std::string namespace_, std::string name, std::string uid) override {
        Json options = api::json::object{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
        if (!uid.empty()) api::make_object(options, {"preconditions"})["uid"] = uid;
        net::HttpsRequest request;
        request.method = "DELETE";
        request.target = target(kind, namespace_, name);
        const auto removed = co_await write(std::move(request), std::move(options));
        if (removed) co_return Result<void>{};
        // gone already, or another object of that name stands there now: what was asked for is so
        const auto why = removed.error().error_class;
        if (why == ErrorClass::not_found || (!uid.empty() && why == ErrorClass::conflict)) co_return Result<void>{};
        co_return removed.error();
    }

private:
    awaitable<Result<List>> list_by(Kind kind, std::string namespace_, std::string limit, Wanted wanted) {
        List out;
        std::string token;
        do {
            net::HttpsRequest request;
            request.target = target(kind, namespace_, "", "", {{"limit", limit}, {"continue", token}});
            CO_TRY(const auto reply, co_await session_->send(std::move(request)));
            CO_TRY(auto page, json_of(reply));
            const auto* items = api::find(page, {"items"});
            if (!items || !(items->is_array() || items->is_null()))
                co_return Error(Error{ErrorClass::transient, "the API server's answer is no list"});
            if (items->is_array())
                for (const auto& item : items->get_array()) {
                    if (wanted && !wanted(item)) continue;
                    out.items.push_back(item);
                    name_kind(out.items.back(), kind);
                }
            out.resource_version = text(page, {"metadata", "resourceVersion"});
            token = text(page, {"metadata", "continue"});
        } while (!token.empty());
        co_return out;
    }

    awaitable<Result<Json>> write(net::HttpsRequest request, Json body) {
        CO_CHECK(session_->may_write());
        request.body = api::to_text(body);
        CO_TRY(const auto reply, co_await session_->send(std::move(request)));
        co_return json_of(reply);
    }

    std::shared_ptr<Session> session_;  // shared with the watches
};

// --- as somebody else

/// The server itself authorizes each call: we only say in whose place we are.
class RemoteDelegate final : public Delegate {
public:
    RemoteDelegate(std::shared_ptr<Session> session, std::string user)
        : session_(std::move(session)), user_(std::move(user)) {}

    awaitable<Result<std::optional<ServedKind>>> served(std::string api_version, std::string kind) override {
        const auto found = co_await resources(api_version);
        if (!found && found.error().error_class == ErrorClass::not_found) co_return std::optional<ServedKind>();
        if (!found) co_return found.error();
        const auto slash = api_version.find('/');
        const auto* items = api::find(*found, {"resources"});
        if (!items || !items->is_array()) co_return std::optional<ServedKind>();
        for (const auto& item : items->get_array()) {
            const auto plural = text(item, {"name"});
            if (api::find_text(item, {"kind"}) != kind || plural.find('/') != std::string::npos) continue;
            const auto* namespaced = api::find(item, {"namespaced"});
            ServedKind out;
            out.group = slash == std::string::npos ? std::string() : api_version.substr(0, slash);
            out.version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
            out.kind = kind;
            out.plural = plural;
            out.namespaced = namespaced && namespaced->is_bool() && namespaced->get_bool();
            co_return std::optional(std::move(out));
        }
        co_return std::optional<ServedKind>();
    }

    awaitable<Result<Json>> get(ServedKind kind, std::string namespace_, std::string name) override {
        auto request = about(kind, namespace_, name);
        CO_TRY(const auto reply, co_await session_->send(std::move(request)));
        co_return json_of(reply);
    }

    awaitable<Result<Json>> apply(ServedKind kind, Json object, std::string field_manager, bool dry_run) override {
        CO_CHECK(session_->may_write());
        const Query query{{"fieldManager", std::move(field_manager)},
                          {"force", "true"},
                          {"fieldValidation", "Strict"},
                          {"dryRun", dry_run ? "All" : ""}};
        auto request = about(kind, text(object, {"metadata", "namespace"}), text(object, {"metadata", "name"}), query);
        request.method = "PATCH";
        request.content_type = "application/apply-patch+yaml";
        request.body = api::to_text(object);
        CO_TRY(const auto reply, co_await session_->send(std::move(request)));
        co_return json_of(reply);
    }

    awaitable<Result<void>> remove(ServedKind kind, std::string namespace_, std::string name,
                                   std::string uid) override {
        CO_CHECK(session_->may_write());
        Json options = api::json::object{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
        if (!uid.empty()) api::make_object(options, {"preconditions"})["uid"] = uid;
        auto request = about(kind, namespace_, name);
        request.method = "DELETE";
        request.body = api::to_text(options);
        const auto removed = co_await session_->send(std::move(request));
        if (removed) co_return Result<void>{};
        const auto why = removed.error().error_class;
        if (why == ErrorClass::not_found || (!uid.empty() && why == ErrorClass::conflict)) co_return Result<void>{};
        co_return removed.error();
    }

private:
    net::HttpsRequest about(const ServedKind& kind, const std::string& namespace_, const std::string& name,
                            const Query& query = {}) const {
        const Kind named{kind.group, kind.version, kind.kind, kind.plural, kind.namespaced};
        net::HttpsRequest out;
        out.target = target(named, namespace_, name, "", query);
        // the groups of a ServiceAccount follow from its name
        out.headers["Impersonate-User"] = user_;
        return out;
    }
    /// What is served of a group and version; everybody may know it, so it is asked as ourselves.
    awaitable<Result<Json>> resources(std::string api_version) {
        if (!names_a_version(api_version)) co_return Error{ErrorClass::not_found, "no group and version is called so"};
        const auto now = session_->clock().now();
        const auto known = known_.find(api_version);
        if (known != known_.end() && now - known->second.first < resources_max_age) co_return known->second.second;
        net::HttpsRequest request;
        request.target = (api_version.find('/') == std::string::npos ? "/api/" : "/apis/") + api_version;
        CO_TRY(const auto reply, co_await session_->send(std::move(request)));
        CO_TRY(auto list, json_of(reply));
        known_.insert_or_assign(std::move(api_version), std::pair(now, list));
        co_return list;
    }

    static constexpr auto resources_max_age = 5s;  // a definition that was just applied is soon seen
    std::shared_ptr<Session> session_;             // shared by the delegates of one process
    std::string user_;
    std::map<std::string, std::pair<Instant, Json>> known_;
};

}  // namespace

std::unique_ptr<Client> make_remote_client(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                           BlockingPool& blocking, RemoteSettings settings) {
    return std::make_unique<RemoteClient>(
        std::make_shared<Session>(std::move(loop), clock, metrics, blocking, std::move(settings)));
}

Delegates make_remote_delegates(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                BlockingPool& blocking, RemoteSettings settings) {
    auto session = std::make_shared<Session>(std::move(loop), clock, metrics, blocking, std::move(settings));
    return [session](const std::string& namespace_, const std::string& account) -> std::unique_ptr<Delegate> {
        return std::make_unique<RemoteDelegate>(session, "system:serviceaccount:" + namespace_ + ":" + account);
    };
}

}  // namespace ocim::client
