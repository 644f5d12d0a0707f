#include "client/client.hpp"
#include "client/delegate.hpp"
#include "registry/registry.hpp"

namespace ocim::client {

namespace {

Error not_served(const Kind& kind) {
    return Error{ErrorClass::transient,
                 "the kind " + std::string(kind.name) + " of " + kind.api_version() + " is not served"};
}

/// What our code should do; a history that is gone means: list again.
Error error_of(const api::Status& status) {
    if (status.code == 410) return Error{ErrorClass::conflict, status.message};
    return api::to_error(status);
}

std::string text(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

class LocalWatch final : public Watch {
public:
    explicit LocalWatch(std::unique_ptr<registry::Watch> watch) : watch_(std::move(watch)) {}

    awaitable<Result<std::vector<Event>>> next(Instant deadline) override {
        auto events = co_await watch_->next(deadline);
        if (!events) co_return error_of(events.error());
        std::vector<Event> out;
        out.reserve(events->size());
        for (const auto& event : *events) out.push_back(decoded(event));
        co_return out;
    }

private:
    static Event decoded(const registry::Event& event) {
        Event out;
        switch (event.type) {
            case registry::Event::Type::added: out.type = Event::Type::added; break;
            case registry::Event::Type::modified: out.type = Event::Type::modified; break;
            case registry::Event::Type::deleted: out.type = Event::Type::deleted; break;
            case registry::Event::Type::bookmark: {
                out.type = Event::Type::bookmark;
                out.object = api::json::object();
                api::make_object(out.object, {"metadata"})["resourceVersion"] = std::to_string(event.object.revision);
                return out;
            }
        }
        out.object = event.object.parsed();
        return out;
    }

    std::unique_ptr<registry::Watch> watch_;
};

class LocalClient final : public Client {
public:
    LocalClient(registry::Registry& registry, Clock& clock, std::string user_agent)
        : registry_(registry), clock_(clock) {
        caller_.user = "system:ocim";
        caller_.groups = {"system:masters"};
        caller_.user_agent = std::move(user_agent);
    }

    awaitable<Result<Json>> get(Kind kind, std::string namespace_, std::string name) override {
        CO_CHECK(co_await registry_.catch_up());
        const auto* resource = resource_of(kind);
        if (!resource) co_return not_served(kind);
        const auto found = registry_.get(*resource, namespace_, name);
        if (!found) co_return error_of(found.error());
        co_return found->parsed();
    }

    awaitable<Result<List>> list(Kind kind, std::string namespace_, Wanted wanted) override {
        CO_CHECK(co_await registry_.catch_up());
        List out;
        registry::ListOptions options;
        options.namespace_ = std::move(namespace_);
        options.limit = page_max;
        // a page at a time, so that others may run while we decode
        for (bool more = true; more;) {
            const auto* resource = resource_of(kind);
            if (!resource) co_return not_served(kind);
            const auto page = registry_.list(*resource, options);
            if (!page) co_return error_of(page.error());
            for (const auto& item : page->items) {
                auto object = item.parsed();
                if (!wanted || wanted(object)) out.items.push_back(std::move(object));
            }
            out.resource_version = std::to_string(page->revision);
            options.continue_token = page->continue_token;
            more = !options.continue_token.empty();
            if (more) co_await clock_.sleep(Duration(0));
        }
        co_return out;
    }

    awaitable<Result<std::unique_ptr<Watch>>> watch(Kind kind, std::string namespace_,
                                                    std::string resource_version) override {
        CO_CHECK(co_await registry_.catch_up());
        const auto* resource = resource_of(kind);
        if (!resource) co_return not_served(kind);
        registry::WatchOptions options;
        options.namespace_ = std::move(namespace_);
        options.resource_version = std::move(resource_version);
        options.bookmarks = true;
        auto opened = registry_.watch(*resource, options);
        if (!opened) co_return error_of(opened.error());
        co_return std::unique_ptr<Watch>(std::make_unique<LocalWatch>(*std::move(opened)));
    }

    awaitable<Result<Json>> create(Kind kind, Json object) override {
        CO_CHECK(co_await registry_.catch_up());
        const auto* resource = resource_of(kind);
        if (!resource) co_return not_served(kind);
        auto namespace_ = text(object, {"metadata", "namespace"});
        api::Parsed body;
        body.value = std::move(object);
        auto options = write_options("");
        auto written =
            co_await registry_.create(*resource, std::move(namespace_), "", std::move(body), std::move(options));
        co_return result_of(std::move(written));
    }

    awaitable<Result<Json>> update(Kind kind, Json object) override {
        CO_CHECK(co_await registry_.catch_up());
        const auto* resource = resource_of(kind);
        if (!resource) co_return not_served(kind);
        auto namespace_ = text(object, {"metadata", "namespace"});
        auto name = text(object, {"metadata", "name"});
        api::Parsed body;
        body.value = std::move(object);
        auto options = write_options("");
        auto written = co_await registry_.update(*resource, std::move(namespace_), std::move(name), std::move(body),
                                                 std::move(options));
        co_return result_of(std::move(written));
    }

    awaitable<Result<Json>> apply(Kind kind, Json object, std::string field_manager, std::string subresource) override {
        CO_CHECK(co_await registry_.catch_up());
        const auto* resource = resource_of(kind);
        if (!resource) co_return not_served(kind);
        auto namespace_ = text(object, {"metadata", "namespace"});
        auto name = text(object, {"metadata", "name"});
        api::Parsed body;
        body.value = std::move(object);
        auto options = write_options(std::move(subresource));
        options.field_manager = std::move(field_manager);
        auto written = co_await registry_.apply(*resource, std::move(namespace_), std::move(name), std::move(body),
                                                true, std::move(options));
        co_return result_of(std::move(written));
    }

    awaitable<Result<Json>> merge_patch(Kind kind, std::string namespace_, std::string name, Json patch,
                                        std::string subresource) override {
        CO_CHECK(co_await registry_.catch_up());
        const auto* resource = resource_of(kind);
        if (!resource) co_return not_served(kind);
        api::Parsed body;
        body.value = std::move(patch);
        auto options = write_options(std::move(subresource));
        auto written = co_await registry_.patch(*resource, std::move(namespace_), std::move(name),
                                                registry::PatchType::merge, std::move(body), std::move(options));
        co_return result_of(std::move(written));
    }

    awaitable<Result<void>> remove(Kind kind, std::string namespace_, std::string name, std::string uid) override {
        CO_CHECK(co_await registry_.catch_up());
        const auto* resource = resource_of(kind);
        if (!resource) co_return not_served(kind);
        registry::DeleteOptions options;
        options.write = write_options("");
        if (!uid.empty()) options.uid = std::move(uid);
        auto removed = co_await registry_.remove(*resource, std::move(namespace_), std::move(name), std::move(options));
        // gone already, or another object of that name stands there now: what was asked for is so
        const bool gone = !removed && (removed.error().code == 404 || (options.uid && removed.error().code == 409));
        if (!removed && !gone) co_return error_of(removed.error());
        co_return Result<void>();
    }

private:
    static constexpr std::size_t page_max = 500;

    const registry::Resource* resource_of(const Kind& kind) const {
        return registry_.resource(kind.group, kind.version, kind.plural);
    }
    registry::WriteOptions write_options(std::string subresource) const {
        registry::WriteOptions out;
        out.caller = caller_;
        out.subresource = std::move(subresource);
        // what we send is made from the same schemas: an unknown field is a bug of ours and must not pass
        out.field_validation = registry::FieldValidation::strict;
        return out;
    }
    static Result<Json> result_of(registry::Outcome<registry::Written> written) {
        if (!written) return error_of(written.error());
        return written->object.parsed();
    }

    registry::Registry& registry_;
    Clock& clock_;
    registry::Caller caller_;
};

// --- as somebody else

class LocalDelegate final : public Delegate {
public:
    LocalDelegate(registry::Registry& registry, Judge judge, registry::Caller caller)
        : registry_(registry), judge_(std::move(judge)), caller_(std::move(caller)) {}

    awaitable<Result<std::optional<ServedKind>>> served(std::string api_version, std::string kind) override {
        const auto slash = api_version.find('/');
        const auto group = slash == std::string::npos ? std::string() : api_version.substr(0, slash);
        const auto version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
        const auto* found = registry_.resource_of_kind(group, version, kind);
        if (!found) co_return std::optional<ServedKind>();
        co_return std::optional(
            ServedKind{found->group, found->version, found->kind, found->plural, found->namespaced});
    }

    awaitable<Result<Json>> get(ServedKind kind, std::string namespace_, std::string name) override {
        const auto resource = admitted(kind, "get", namespace_, name);
        if (!resource) co_return resource.error();
        const auto found = registry_.get(**resource, namespace_, name);
        if (!found) co_return error_of(found.error());
        co_return found->parsed();
    }

    awaitable<Result<Json>> apply(ServedKind kind, Json object, std::string field_manager, bool dry_run) override {
        auto namespace_ = text(object, {"metadata", "namespace"});
        auto name = text(object, {"metadata", "name"});
        const auto resource = admitted(kind, "patch", namespace_, name);
        if (!resource) co_return resource.error();
        auto options = write_options();
        options.field_manager = std::move(field_manager);
        options.dry_run = dry_run;
        api::Parsed body;
        body.value = std::move(object);
        auto written = co_await registry_.apply(**resource, std::move(namespace_), std::move(name), std::move(body),
                                                true, std::move(options));
        if (!written) co_return error_of(written.error());
        co_return written->object.parsed();
    }

    awaitable<Result<void>> remove(ServedKind kind, std::string namespace_, std::string name,
                                   std::string uid) override {
        const auto resource = admitted(kind, "delete", namespace_, name);
        if (!resource) co_return resource.error();
        registry::DeleteOptions options;
        options.write = write_options();
        if (!uid.empty()) options.uid = std::move(uid);
        auto removed =
            co_await registry_.remove(**resource, std::move(namespace_), std::move(name), std::move(options));
        const bool gone = !removed && (removed.error().code == 404 || (options.uid && removed.error().code == 409));
        if (!removed && !gone) co_return error_of(removed.error());
        co_return Result<void>();
    }

private:
    /// What the kind is called here, if he may do that with it.
    Result<const registry::Resource*> admitted(const ServedKind& kind, std::string verb, const std::string& namespace_,
                                               const std::string& name) const {
        const Question question{caller_.user, caller_.groups, std::move(verb), kind.group,
                                kind.version, kind.plural,    namespace_,      name};
        if (const auto refused = judge_(question)) return error_of(*refused);
        const auto* found = registry_.resource(kind.group, kind.version, kind.plural);
        if (found) return found;
        return Error{ErrorClass::not_found, "the kind " + kind.kind + " is not served any more"};
    }
    registry::WriteOptions write_options() const {
        registry::WriteOptions out;
        out.caller = caller_;
        out.field_validation = registry::FieldValidation::strict;
        return out;
    }

    registry::Registry& registry_;
    Judge judge_;
    registry::Caller caller_;
};

}  // namespace

std::unique_ptr<Client> make_local_client(registry::Registry& registry, Clock& clock, std::string user_agent) {
    return std::make_unique<LocalClient>(registry, clock, std::move(user_agent));
}

Delegates make_local_delegates(registry::Registry& registry, Judge judge, std::string user_agent) {
    return [&registry, judge = std::move(judge), user_agent = std::move(user_agent)](
               const std::string& namespace_, const std::string& account) -> std::unique_ptr<Delegate> {
        registry::Caller caller;
        caller.user = "system:serviceaccount:" + namespace_ + ":" + account;
        caller.groups = {"system:serviceaccounts", "system:serviceaccounts:" + namespace_, "system:authenticated"};
        caller.user_agent = user_agent;
        return std::make_unique<LocalDelegate>(registry, judge, std::move(caller));
    };
}

}  // namespace ocim::client
