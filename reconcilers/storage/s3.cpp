#include "storage/s3.hpp"

#include "base/async.hpp"
#include "base/utf8.hpp"
#include "storage/s3_text.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace ocim::storage {

namespace {

constexpr int pages_max = 1000;
constexpr auto first_region = "us-east-1";  // whose buckets are made without naming it

class S3 final : public Provider {
public:
    S3(std::unique_ptr<net::HttpClient> http, const runtime::Services& services, S3Settings settings)
        : http_(std::move(http)), clock_(services.clock), settings_(std::move(settings)) {}

    awaitable<Result<std::map<std::string, std::string>>> list() override {
        std::map<std::string, std::string> out;
        std::string from;
        for (int page = 0; page < pages_max; ++page) {
            const auto query = from.empty() ? "" : "?continuation-token=" + net::percent_encode(from);
            CO_TRY(const auto reply, co_await call("GET", "/" + query));
            CO_CHECK(expect(reply, "the list of buckets"));
            const auto root = parse_xml(reply.body);
            if (!root) co_return root.error();
            const auto* buckets = root->child("Buckets");
            if (root->name != "ListAllMyBucketsResult" || !buckets) co_return strange("no list of buckets");
            for (const auto& bucket : buckets->children) {
                const auto name = bucket.of("Name");
                if (name.empty()) co_return strange("a bucket without a name");
                out[name] = bucket.of("CreationDate");
            }
            from = root->of("ContinuationToken");
            if (from.empty()) co_return out;
        }
        co_return strange("its pages have no end");
    }

    awaitable<Result<std::optional<Thing>>> look(std::string name) override {
        CO_TRY(const auto found, co_await look_whole(name));
        if (!found) co_return std::optional<Thing>();
        auto thing = found->thing;
        // made by us, and not yet marked there: it is ours all the same, and not as it should be
        const auto begun = begun_.find(name);
        if (begun != begun_.end() && found->tags.empty() && !thing.locked) {
            thing.mark = begun->second;
            thing.strange = true;
        } else if (!found->tags.empty()) {
            begun_.erase(name);  // marked, by us or another: from now on the tags alone say whose it is
        }
        co_return std::optional(std::move(thing));
    }

    /// A bucket cannot be born with tags: until it has them only begun_ knows that it is ours.
    awaitable<Result<void>> create(std::string name, Thing wanted) override {
        std::string body;
        if (settings_.key.region != first_region)
            body = "<CreateBucketConfiguration><LocationConstraint>" + xml_text(settings_.key.region) +
                   "</LocationConstraint></CreateBucketConfiguration>";
        const bool before = begun_.contains(name);
        begun_[name] = *wanted.mark;  // now: we may be cut off while it is made
        // repeated unseen, by who holds the connections, it would look as if it had been there before
        auto made = co_await call("PUT", path_of(name), std::move(body), true);
        auto checked = made ? expect(*made, "bucket " + name) : Result<void>(made.error());
        const auto code = made ? error_code(made->body) : "";
        if (before && code == "BucketAlreadyOwnedByYou") checked = Result<void>();
        if (!checked) {
            // made before, perhaps, and not now: it may still be there, unless it is another customer's
            const bool perhaps = checked.error().outcome_unknown || (before && code != "BucketAlreadyExists");
            if (!perhaps) begun_.erase(name);
            co_return checked;
        }
        CO_CHECK(co_await put_tags(name, mark_words(*wanted.mark)));
        begun_.erase(name);
        co_return co_await put_settings(name, Thing(), std::move(wanted));
    }

    awaitable<Result<void>> change(std::string name, Thing found, Thing wanted) override {
        if (found.mark != wanted.mark || begun_.contains(name)) {
            CO_TRY(const auto now, co_await look_whole(name));
            if (!now) co_return Error(Error{ErrorClass::conflict, "bucket " + name + " is gone"});
            if (now->thing.locked)  // its tags are not known, and would be lost
                co_return Error(Error{ErrorClass::conflict, "bucket " + name + " may not be looked at any more"});
            auto tags = now->tags;
            for (const auto& [key, value] : mark_words(Mark{"x", "x/x", "x", true})) tags.erase(key);
            for (const auto& [key, value] : mark_words(*wanted.mark)) tags[key] = value;
            CO_CHECK(co_await put_tags(name, std::move(tags)));
            begun_.erase(name);
        }
        co_return co_await put_settings(name, std::move(found), std::move(wanted));
    }

    awaitable<Result<void>> empty(std::string name, Instant until) override {
        for (int page = 0; page < pages_max && clock_.now() < until; ++page) {
            CO_TRY(const auto reply, co_await call("GET", path_of(name) + "?max-keys=1000&versions"));
            if (error_code(reply.body) == "NoSuchBucket") co_return Result<void>();
            CO_CHECK(expect(reply, "bucket " + name));
            CO_TRY(const auto versions, read_versions(reply.body));
            if (versions.empty()) co_return Result<void>();
            CO_TRY(const auto deleted, co_await call("POST", path_of(name) + "?delete", write_deletion(versions)));
            CO_CHECK(expect(deleted, "bucket " + name));
            CO_CHECK(check_deletion(deleted.body));
        }
        co_return Error(Error{ErrorClass::rate_limited, "bucket " + name + " is being emptied", Duration(1'000)});
    }

    awaitable<Result<void>> remove(std::string name) override {
        CO_TRY(const auto reply, co_await call("DELETE", path_of(name)));
        if (error_code(reply.body) != "NoSuchBucket") { CO_CHECK(expect(reply, "bucket " + name)); }
        begun_.erase(name);  // what somebody makes there later is his
        co_return Result<void>();
    }

    awaitable<Result<void>> probe() override {
        CO_CHECK(co_await list());
        co_return Result<void>();
    }

private:
    struct Whole {
        Thing thing;
        Tags tags;
    };

    static std::string path_of(const std::string& name) { return "/" + net::percent_encode(name); }
    static Error strange(const std::string& what) {
        return {ErrorClass::unreachable, "what answers is not an S3 service: " + what};
    }

    awaitable<Result<std::optional<Whole>>> look_whole(std::string name) {
        Whole out;
        CO_TRY(const auto tags, co_await call("GET", path_of(name) + "?tagging"));
        const auto code = tags.status < 300 ? "" : error_code(tags.body);
        // under a name that no bucket can have there is none
        if (code == "NoSuchBucket" || code == "InvalidBucketName") co_return std::optional<Whole>();
        // somebody else's, or in a region that is not ours
        if (code == "AccessDenied" || code == "PermanentRedirect" || code == "AuthorizationHeaderMalformed") {
            out.thing.locked = true;
            co_return std::optional(std::move(out));
        }
        if (code != "NoSuchTagSet") {
            CO_CHECK(expect(tags, "tags of bucket " + name));
            CO_TRY(out.tags, read_tags(tags.body));
        }
        out.thing.mark = read_mark(out.tags);
        CO_CHECK(co_await look_at_policy(name, out.thing));
        CO_CHECK(co_await look_at_cors(name, out.thing));
        CO_TRY(const auto versioning, co_await call("GET", path_of(name) + "?versioning"));
        CO_CHECK(expect(versioning, "versioning of bucket " + name));
        CO_TRY(out.thing.versioning, read_versioning(versioning.body));
        co_return std::optional(std::move(out));
    }

    awaitable<Result<void>> look_at_policy(const std::string& name, Thing& thing) {
        CO_TRY(const auto reply, co_await call("GET", path_of(name) + "?policy"));
        if (reply.status == 404 && error_code(reply.body) == "NoSuchBucketPolicy") co_return Result<void>();
        CO_CHECK(expect(reply, "policy of bucket " + name));
        if (!read_policy(name, reply.body, thing.access)) thing.strange = true;
        co_return Result<void>();
    }

    awaitable<Result<void>> look_at_cors(const std::string& name, Thing& thing) {
        CO_TRY(const auto reply, co_await call("GET", path_of(name) + "?cors"));
        if (reply.status == 404 && error_code(reply.body) == "NoSuchCORSConfiguration") co_return Result<void>();
        CO_CHECK(expect(reply, "CORS of bucket " + name));
        CO_TRY(const bool ours, read_cors(reply.body, thing.cors.emplace()));
        if (!ours) thing.strange = true;
        co_return Result<void>();
    }

    awaitable<Result<void>> put_tags(std::string name, Tags tags) {
        CO_TRY(const auto reply, co_await call("PUT", path_of(name) + "?tagging", write_tags(tags)));
        co_return expect(reply, "tags of bucket " + name);
    }

    awaitable<Result<void>> put_settings(std::string name, Thing found, Thing wanted) {
        if (found.strange || found.access != wanted.access) {
            auto policy = write_policy(name, wanted.access);
            const auto* method = policy.empty() ? "DELETE" : "PUT";
            CO_TRY(const auto reply, co_await call(method, path_of(name) + "?policy", std::move(policy)));
            auto done = expect(reply, "policy of bucket " + name);
            const bool denied = reply.status == 403 && error_code(reply.body) == "AccessDenied";
            if (denied && wanted.access.everybody != Access::Everybody::nothing) co_return public_refused(name);
            if (!done) co_return done;
        }
        if (found.strange || found.cors != wanted.cors) {
            auto cors = wanted.cors ? write_cors(*wanted.cors) : "";
            const auto* method = cors.empty() ? "DELETE" : "PUT";
            CO_TRY(const auto reply, co_await call(method, path_of(name) + "?cors", std::move(cors)));
            CO_CHECK(expect(reply, "CORS of bucket " + name));
        }
        if (found.versioning != wanted.versioning) {
            auto body = write_versioning(wanted.versioning);
            CO_TRY(const auto reply, co_await call("PUT", path_of(name) + "?versioning", std::move(body)));
            CO_CHECK(expect(reply, "versioning of bucket " + name));
        }
        co_return Result<void>();
    }

    static Error public_refused(const std::string& name) {
        return {ErrorClass::invalid,
                "the policy of bucket " + name +
                    " is refused: the account blocks public access, or our key may not change policies. Allow it "
                    "there, or set publicRead: None"};
    }

    awaitable<Result<net::HttpReply>> call(std::string method, std::string target, std::string body = {},
                                           bool once = false) {
        net::HttpRequest request;
        request.once = once;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        request.content_type = "application/xml";
        if (!request.body.empty()) request.headers["content-md5"] = md5_base64(request.body);
        sign(request, settings_.host, settings_.key, clock_.wall());
        co_return co_await http_->send(std::move(request));
    }

    /// S3's own table first: it says 403 for a missing right, for a wrong signature and for a wrong clock.
    Result<void> expect(const net::HttpReply& reply, const std::string& what) const {
        if (reply.status >= 200 && reply.status < 300) return {};
        const auto root = parse_xml(reply.body);
        const bool spoke = root && root->name == "Error";
        const auto code = spoke ? root->of("Code") : "";
        Error error{net::class_of(reply.status), what + ": S3 answers " + std::to_string(reply.status)};
        if (spoke) error.message += " " + one_line(code + ": " + root->of("Message"), 300);
        if (reply.status == 503 || code == "SlowDown" || code == "RequestLimitExceeded")
            error.error_class = ErrorClass::rate_limited;
        // a missing right to one thing does not stop all the others
        if (code == "AccessDenied" && what != "the list of buckets") error.error_class = ErrorClass::transient;
        if (code == "RequestTimeTooSkewed") error.message += " (is the clock of this machine right?)";
        if (code == "BucketAlreadyExists") {
            error.error_class = ErrorClass::invalid;
            error.message += " (another customer of the service has that name: choose another)";
        }
        if (code == "BucketNotEmpty") error.message += " (empty it, or set spec.emptyOnDelete: true)";
        if (code == "OperationAborted") error.error_class = ErrorClass::conflict;
        error.retry_after = net::retry_after(reply, clock_.wall());
        error.outcome_unknown = reply.status == 408 || (reply.status >= 500 && reply.status != 503);
        return error;
    }

    std::unique_ptr<net::HttpClient> http_;
    Clock& clock_;
    S3Settings settings_;
    std::map<std::string, Mark> begun_;  // made, or perhaps made, and not yet marked
};

}  // namespace

std::unique_ptr<Provider> open_s3(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                                  S3Settings settings) {
    return std::make_unique<S3>(std::move(http), services, std::move(settings));
}

}  // namespace ocim::storage
