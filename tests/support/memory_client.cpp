#include "support/memory_client.hpp"

#include "api/apply.hpp"
#include "api/patch.hpp"

#include <algorithm>
#include <stdexcept>

namespace ocim::test {

using api::Json;
using client::Event;
using Place = MemoryServer::Place;

namespace {

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

Place place_of(const Json& object) {
    return {text_at(object, {"kind"}), text_at(object, {"metadata", "namespace"}),
            text_at(object, {"metadata", "name"})};
}

bool same(const Json& a, const Json& b, std::string_view field) {
    const auto *x = api::find(a, {field}), *y = api::find(b, {field});
    return x && y ? *x == *y : !x && !y;
}

bool has_finalizers(const Json& object) {
    const auto* held = api::find(object, {"metadata", "finalizers"});
    return held && held->is_array() && !held->get_array().empty();
}

Error not_found(const Place& place) {
    return {ErrorClass::not_found, place.kind + " \"" + place.name + "\" not found"};
}

Json without_server_fields(Json object) {
    for (const auto* field : {"resourceVersion", "generation"}) api::make_object(object, {"metadata"}).erase(field);
    return object;
}

}  // namespace

Json json(std::string text) {
    std::ranges::replace(text, '\'', '"');
    auto parsed = api::parse_json(text);
    if (!parsed) throw std::invalid_argument(text + ": " + parsed.error().message);
    return std::move(parsed->value);
}

Result<Json> MemoryServer::store(const Place& place, Json object, const Json* before) {
    auto& metadata = api::make_object(object, {"metadata"});
    if (before) {
        if (without_server_fields(*before) == without_server_fields(object)) return *before;
        const bool spec = !same(*before, object, "spec") || !same(*before, object, "data");
        const auto generation = api::find(*before, {"metadata", "generation"})->to_number<std::int64_t>();
        const bool goes =
            !api::find(*before, {"metadata", "deletionTimestamp"}) && metadata.contains("deletionTimestamp");
        metadata["generation"] = generation + (spec || goes ? 1 : 0);
    } else {
        metadata["uid"] = "uid-" + std::to_string(++uids_);
        metadata["generation"] = 1;
        metadata["creationTimestamp"] = rfc3339(clock_.wall());
    }
    metadata["resourceVersion"] = std::to_string(++revision_);
    const bool gone = metadata.contains("deletionTimestamp") && !has_finalizers(object);
    log_.push_back({revision_,
                    place.kind,
                    {gone     ? Event::Type::deleted
                     : before ? Event::Type::modified
                              : Event::Type::added,
                     object}});
    if (gone)
        objects_.erase(place);
    else
        objects_.insert_or_assign(place, object);
    news_.notify();
    return object;
}

Result<void> MemoryServer::erase(const Place& place) {
    const auto found = objects_.find(place);
    if (found == objects_.end()) return {};
    auto object = found->second;
    auto& metadata = api::make_object(object, {"metadata"});
    if (!metadata.contains("deletionTimestamp")) metadata["deletionTimestamp"] = rfc3339(clock_.wall());
    const auto before = found->second;
    (void)store(place, std::move(object), &before);
    return {};
}

Json MemoryServer::put(Json object) {
    const auto place = place_of(object);
    const auto found = objects_.find(place);
    if (found == objects_.end()) return *store(place, std::move(object), nullptr);
    const auto before = found->second;
    auto after = before;
    api::merge_patch(after, object);
    return *store(place, std::move(after), &before);
}

const Json* MemoryServer::get(const std::string& kind, const std::string& namespace_, const std::string& name) const {
    const auto found = objects_.find({kind, namespace_, name});
    return found == objects_.end() ? nullptr : &found->second;
}

void MemoryServer::remove(const std::string& kind, const std::string& namespace_, const std::string& name) {
    (void)erase({kind, namespace_, name});
}

void MemoryServer::merge(const std::string& kind, const std::string& namespace_, const std::string& name,
                         std::string_view patch, bool) {
    const Place place{kind, namespace_, name};
    const auto before = objects_.at(place);
    auto after = before;
    api::merge_patch(after, json(std::string(patch)));
    (void)store(place, std::move(after), &before);
}

std::vector<Json> MemoryServer::all(const std::string& kind) const {
    std::vector<Json> out;
    for (const auto& [place, object] : objects_)
        if (place.kind == kind) out.push_back(object);
    return out;
}

class MemoryWatch final : public client::Watch {
public:
    MemoryWatch(MemoryServer& server, std::string kind, std::uint64_t after)
        : server_(server), kind_(std::move(kind)), after_(after) {}

    awaitable<Result<std::vector<Event>>> next(Instant deadline) override {
        for (;;) {
            if (after_ + 1 < server_.oldest_) co_return Error{ErrorClass::conflict, "too old resource version"};
            std::vector<Event> out;
            for (const auto& logged : server_.log_)
                if (logged.revision > after_ && logged.kind == kind_ &&
                    !(server_.leave_out && server_.leave_out(logged.event)))
                    out.push_back(logged.event);
            after_ = std::max(after_, server_.revision_);
            if (!out.empty()) co_return out;
            const bool news = co_await server_.news_.wait_until(server_.clock_, deadline);
            if (!news) co_return out;
        }
    }

private:
    MemoryServer& server_;
    std::string kind_;
    std::uint64_t after_;
};

class MemoryClient final : public client::Client {
public:
    explicit MemoryClient(MemoryServer& server) : server_(server) {}

    awaitable<Result<Json>> get(api::Kind kind, std::string namespace_, std::string name) override {
        const Place place{std::string(kind.name), namespace_, name};
        if (server_.refuse_reading)
            if (auto error = server_.refuse_reading("get", kind)) co_return *error;
        const auto* found = server_.get(place.kind, namespace_, name);
        if (!found) co_return not_found(place);
        co_return *found;
    }
    awaitable<Result<client::List>> list(api::Kind kind, std::string, client::Wanted wanted) override {
        if (server_.refuse_reading)
            if (auto error = server_.refuse_reading("list", kind)) co_return *error;
        client::List out;
        out.items = server_.all(std::string(kind.name));
        if (wanted) std::erase_if(out.items, [&](const Json& item) { return !wanted(item); });
        out.resource_version = std::to_string(server_.revision_);
        co_return out;
    }
    awaitable<Result<std::unique_ptr<client::Watch>>> watch(api::Kind kind, std::string,
                                                            std::string resource_version) override {
        co_return std::make_unique<MemoryWatch>(server_, std::string(kind.name), std::stoull(resource_version));
    }
    awaitable<Result<Json>> create(api::Kind, Json object) override {
        const auto place = place_of(object);
        if (auto error = refused("create", object)) co_return *error;
        co_await pause();
        if (server_.objects_.contains(place)) co_return Error{ErrorClass::conflict, "it exists already"};
        co_return written(place, std::move(object), nullptr);
    }
    awaitable<Result<Json>> update(api::Kind, Json object) override {
        const auto place = place_of(object);
        if (auto error = refused("update", object)) co_return *error;
        co_await pause();
        const auto found = server_.objects_.find(place);
        if (found == server_.objects_.end()) co_return not_found(place);
        const auto before = found->second;
        const auto wanted = text_at(object, {"metadata", "resourceVersion"});
        if (!wanted.empty() && wanted != text_at(before, {"metadata", "resourceVersion"}))
            co_return Error{ErrorClass::conflict, "the object has been modified"};
        co_return written(place, std::move(object), &before);
    }
    awaitable<Result<Json>> apply(api::Kind, Json object, std::string field_manager, std::string subresource) override {
        const auto place = place_of(object);
        if (auto error = refused("apply", object)) co_return *error;
        co_await pause();
        const auto found = server_.objects_.find(place);
        if (found == server_.objects_.end() && !subresource.empty()) co_return not_found(place);
        const auto before = found == server_.objects_.end() ? Json() : found->second;
        if (const auto uid = text_at(object, {"metadata", "uid"}); !before.is_null() && !uid.empty())
            if (uid != text_at(before, {"metadata", "uid"}))
                co_return Error{ErrorClass::conflict, "the UID does not match"};
        api::make_object(object, {"metadata"}).erase("uid");
        const api::Manager manager{field_manager, true, text_at(object, {"apiVersion"}), subresource,
                                   rfc3339(server_.clock_.wall())};
        auto applied = api::apply(before, object, api::deduced_type(), manager, true);
        if (!applied) co_return api::to_error(applied.error());
        co_return written(place, *std::move(applied), before.is_null() ? nullptr : &before);
    }
    awaitable<Result<Json>> merge_patch(api::Kind kind, std::string namespace_, std::string name, Json patch,
                                        std::string) override {
        const Place place{std::string(kind.name), namespace_, name};
        if (auto error = refused("merge_patch", patch)) co_return *error;
        co_await pause();
        const auto found = server_.objects_.find(place);
        if (found == server_.objects_.end()) co_return not_found(place);
        const auto before = found->second;
        for (const auto* field : {"resourceVersion", "uid"})
            if (const auto wanted = text_at(patch, {"metadata", field}); !wanted.empty())
                if (wanted != text_at(before, {"metadata", field}))
                    co_return Error{ErrorClass::conflict, "the object has been modified"};
        auto after = before;
        api::merge_patch(after, patch);
        co_return written(place, std::move(after), &before);
    }
    awaitable<Result<void>> remove(api::Kind kind, std::string namespace_, std::string name, std::string uid) override {
        const Place place{std::string(kind.name), namespace_, name};
        if (auto error = refused("delete", Json(name))) co_return *error;
        co_await pause();
        const auto* found = server_.get(place.kind, namespace_, name);
        if (found && !uid.empty() && text_at(*found, {"metadata", "uid"}) != uid)
            co_return Error{ErrorClass::conflict, "the UID does not match"};
        if (found && text_at(*found, {"metadata", "deletionTimestamp"}).empty()) ++server_.writes_;
        co_return server_.erase(place);
    }

private:
    std::optional<Error> refused(const std::string& verb, const Json& body) {
        return server_.refuse ? server_.refuse(verb, body) : std::nullopt;
    }
    /// A write takes a moment, as a commit does.
    awaitable<void> pause() { co_await server_.clock_.sleep(Duration(1)); }
    Result<Json> written(const Place& place, Json object, const Json* before) {
        const auto at = server_.revision_;
        auto out = server_.store(place, std::move(object), before);
        if (server_.revision_ != at && place.kind != "Event") ++server_.writes_;
        return out;
    }

    MemoryServer& server_;
};

std::unique_ptr<client::Client> MemoryServer::client() { return std::make_unique<MemoryClient>(*this); }

}  // namespace ocim::test
