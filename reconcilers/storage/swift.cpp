#include "storage/swift.hpp"

#include "api/json.hpp"
#include "base/async.hpp"
#include "base/utf8.hpp"
#include "storage/swift_text.hpp"

#include <algorithm>
#include <utility>

namespace ocim::storage {

namespace {

using api::Json;

constexpr int pages_max = 1000;  // of 10,000 each: more than an account can have
constexpr auto page_containers = "10000";

struct Stored {
    std::string name, version;
};

class Swift final : public Provider {
public:
    Swift(std::unique_ptr<SwiftSession> session, const runtime::Services& services)
        : session_(std::move(session)), clock_(services.clock) {}

    awaitable<Result<std::map<std::string, std::string>>> list() override {
        std::map<std::string, std::string> out;
        std::string marker;
        for (int page = 0; page < pages_max; ++page) {
            const auto query = std::string("?format=json&limit=") + page_containers +
                               (marker.empty() ? "" : "&marker=" + net::percent_encode(marker));
            CO_TRY(const auto items, co_await list_of(query, "the account"));
            if (items.empty()) co_return out;
            for (const auto& item : items) {
                const std::string name(api::find_text(item, {"name"}));
                if (name.empty()) co_return strange("a container without a name");
                // its last_modified is when it was made
                out[name] = api::find_text(item, {"last_modified"});
                if (!(marker < name)) co_return strange("its list is not in order");
                marker = name;
            }
        }
        co_return strange("its pages have no end");
    }

    awaitable<Result<std::optional<Thing>>> look(std::string name) override {
        CO_TRY(const auto reply, co_await call("HEAD", path_of(name)));
        if (reply.status == 404) co_return std::optional<Thing>();
        CO_CHECK(expect(reply, "container " + name));
        // a page with status 200 is not what answers to this
        if (!reply.headers.contains("x-container-object-count")) co_return strange("no container's headers");
        co_return std::optional(read_headers(reply.headers));
    }

    /// A container is born with its mark and all else; what one ACL cannot say is refused before. PUT takes what
    /// somebody made in the same instant over.
    awaitable<Result<void>> create(std::string name, Thing wanted) override {
        CO_CHECK(check_access(wanted.access));
        auto request = make("PUT", path_of(name));
        request.headers = write_headers(wanted, Thing());
        CO_TRY(const auto reply, co_await session_->call(std::move(request)));
        CO_CHECK(expect(reply, "container " + name));
        co_return co_await check_versioning(name, wanted.versioning);
    }

    awaitable<Result<void>> change(std::string name, Thing found, Thing wanted) override {
        CO_CHECK(check_access(wanted.access));
        auto request = make("POST", path_of(name));
        request.headers = write_headers(wanted, found);
        CO_TRY(const auto reply, co_await session_->call(std::move(request)));
        CO_CHECK(expect(reply, "container " + name));
        co_return co_await check_versioning(name, wanted.versioning && !found.versioning);
    }

    awaitable<Result<void>> empty(std::string name, Instant until) override {
        CO_TRY(const auto head, co_await call("HEAD", path_of(name)));
        if (head.status == 404) co_return Result<void>();
        // also of one whose versioning has ended
        const bool versions = head.headers.contains("x-versions-enabled");
        for (int page = 0; page < pages_max && clock_.now() < until; ++page) {
            const auto query = std::string("?format=json&limit=1000") + (versions ? "&versions" : "");
            CO_TRY(const auto items, co_await list_of(path_of(name) + query, "container " + name));
            if (items.empty()) co_return Result<void>();
            std::vector<Stored> stored;
            for (const auto& item : items)
                stored.push_back(
                    {std::string(api::find_text(item, {"name"})), std::string(api::find_text(item, {"version_id"}))});
            CO_CHECK(co_await erase(name, std::move(stored), until));
        }
        co_return Error(Error{ErrorClass::rate_limited, "container " + name + " is being emptied", Duration(1'000)});
    }

    awaitable<Result<void>> remove(std::string name) override {
        CO_TRY(const auto reply, co_await call("DELETE", path_of(name)));
        if (reply.status == 404) co_return Result<void>();
        auto done = expect(reply, "container " + name);
        if (!done && reply.status == 409)
            co_return Error(Error{ErrorClass::conflict,
                                  "container " + name + " is not empty: empty it, or set spec.emptyOnDelete: true"});
        co_return done;
    }

    awaitable<Result<void>> probe() override {
        CO_TRY(const auto items, co_await list_of("?format=json&limit=1", "the account"));
        (void)items;
        co_return Result<void>();
    }

private:
    static Error strange(const std::string& what) {
        return {ErrorClass::unreachable, "what answers is not Swift: " + what};
    }
    /// An operator who does not offer versions lets the header pass and does nothing.
    awaitable<Result<void>> check_versioning(std::string name, bool begun) {
        if (!begun || keeps_versions_) co_return Result<void>();
        CO_TRY(const auto now, co_await look(name));
        keeps_versions_ = now && now->versioning;
        if (!now || keeps_versions_) co_return Result<void>();
        co_return Error(Error{ErrorClass::invalid, "container " + name +
                                                       ": this Swift keeps no older versions (allow_object_versioning "
                                                       "is off there); set spec.versioning: false"});
    }

    static Result<void> check_access(const Access& access) {
        for (const auto* names : {&access.readers, &access.writers})
            for (const auto& name : *names)
                if (name.find(',') != std::string::npos)
                    return Error{ErrorClass::invalid, "\"" + name + "\" is no user of Swift: \"project:user\" is"};
        return {};
    }

    static std::string path_of(const std::string& name) { return "/" + net::percent_encode(name); }

    static net::HttpRequest make(std::string method, std::string target) {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.headers["Accept"] = "application/json";
        return request;
    }
    awaitable<Result<net::HttpReply>> call(std::string method, std::string target) {
        auto request = make(std::move(method), std::move(target));
        co_return co_await session_->call(std::move(request));
    }

    awaitable<Result<api::json::array>> list_of(std::string target, std::string what) {
        CO_TRY(const auto reply, co_await call("GET", std::move(target)));
        CO_CHECK(expect(reply, what));
        auto parsed = api::parse_json(reply.body);
        if (!parsed || !parsed->value.is_array()) co_return strange("a list that is none");
        co_return std::move(parsed->value.get_array());
    }

    /// Versions one by one, whatever has none in one call.
    awaitable<Result<void>> erase(std::string container, std::vector<Stored> stored, Instant until) {
        std::string lines;
        for (const auto& [name, version] : stored) {
            const auto path = path_of(container) + path_of(name);
            if (version.empty()) {
                lines += path + "\n";
                continue;
            }
            if (clock_.now() > until) co_return Result<void>();
            CO_TRY(const auto reply, co_await call("DELETE", path + "?version-id=" + net::percent_encode(version)));
            if (reply.status != 404) CO_CHECK(expect(reply, "an object of container " + container));
        }
        if (lines.empty()) co_return Result<void>();
        auto request = make("POST", "?bulk-delete");
        request.body = std::move(lines);
        request.content_type = "text/plain";
        CO_TRY(const auto reply, co_await session_->call(std::move(request)));
        CO_CHECK(expect(reply, "the bulk deletion in container " + container));
        // its status is always 200: what came of it is in its body
        const auto parsed = api::parse_json(reply.body);
        if (!parsed) co_return strange("its answer to a bulk deletion is no JSON");
        const auto status = api::find_text(parsed->value, {"Response Status"});
        if (status.starts_with("200")) co_return Result<void>();
        co_return Error(
            Error{ErrorClass::transient, "the bulk deletion in container " + container + ": " + one_line(status, 100)});
    }

    Result<void> expect(const net::HttpReply& reply, const std::string& what) const {
        if (reply.status >= 200 && reply.status < 300) return {};
        Error error{net::class_of(reply.status), what + ": Swift answers " + std::to_string(reply.status)};
        // its words are a line of text, or a page
        if (!reply.body.starts_with('<')) error.message += " " + one_line(reply.body, 200);
        error.retry_after = net::retry_after(reply, clock_.wall());
        // 503 is also what is said of one container whose servers cannot be reached
        if (reply.status == 498 || (reply.status == 503 && error.retry_after))
            error.error_class = ErrorClass::rate_limited;
        else if (reply.status == 503)
            error.error_class = ErrorClass::transient;
        if (reply.status == 403) error.message += " (we are known there, and not allowed this)";
        const bool before = error.error_class == ErrorClass::rate_limited;
        error.outcome_unknown = reply.status == 408 || (reply.status >= 500 && !before);
        return error;
    }

    std::unique_ptr<SwiftSession> session_;
    Clock& clock_;
    bool keeps_versions_ = false;  // it has been seen to
};

}  // namespace

std::unique_ptr<Provider> open_swift(std::unique_ptr<SwiftSession> session, const runtime::Services& services) {
    return std::make_unique<Swift>(std::move(session), services);
}

}  // namespace ocim::storage
