#include "dns/gandi.hpp"

#include "api/json.hpp"
#include "base/async.hpp"
#include "dns/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace ocim::dns {

namespace {

using api::Json;
namespace json = api::json;

constexpr int page_sets = 500;        // as many as the service gives at a time
constexpr int pages_max = 400;        // of a zone; beyond, something is wrong with the pages
constexpr Duration wait{5'000};       // when it says "too many" without saying for how long
constexpr Duration turn_max{60'000};  // the rest of a batch comes in the next: one is cut off after 90 s

Error unreachable(const std::string& what) {
    return Error{ErrorClass::unreachable, "what answers is not Gandi LiveDNS: " + what};
}

std::optional<std::size_t> total_count(const net::HttpReply& reply) {
    const auto found = reply.headers.find("total-count");
    if (found == reply.headers.end()) return std::nullopt;
    std::size_t count = 0;
    const auto& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return count;
}

/// Whether the Link header names a further page.
bool has_next(const net::HttpReply& reply) {
    const auto found = reply.headers.find("link");
    return found != reply.headers.end() && (found->second.find("rel=\"next\"") != std::string::npos ||
                                            found->second.find("rel=next") != std::string::npos);
}

/// A 404 that says that the record set is not there, and not that the domain or the path is not.
bool says_no_such_record(const net::HttpReply& reply) {
    if (reply.status != 404) return false;
    const auto body = api::parse_json(reply.body);
    return body && api::find_text(body->value, {"object"}) == "dns-record";
}

/// Either form in which the service says what is wrong; "" when it is neither.
std::string said(const net::HttpReply& reply) {
    const auto body = api::parse_json(reply.body);
    if (!body) return {};
    std::string out;
    if (const auto* errors = api::find(body->value, {"errors"}); errors && errors->is_array())
        for (const auto& error : errors->get_array())
            out += (out.empty() ? "" : "; ") + std::string(api::find_text(error, {"name"})) + ": " +
                   std::string(api::find_text(error, {"description"}));
    return out.empty() ? std::string(api::find_text(body->value, {"message"})) : out;
}

class Gandi final : public Zone {
public:
    Gandi(std::unique_ptr<net::HttpClient> http, const runtime::Services& services, GandiSettings settings)
        : http_(std::move(http)),
          clock_(services.clock),
          blocking_(services.blocking),
          settings_(std::move(settings)),
          target_("/domains/" + net::percent_encode(settings_.domain)) {}

    awaitable<Result<Snapshot>> observe() override {
        std::vector<std::string> pages;
        std::optional<std::size_t> total;
        for (int page = 1;; ++page) {
            if (page > pages_max) co_return unreachable("its pages have no end");
            auto request = request_for(
                "GET", target_ + "/records?page=" + std::to_string(page) + "&per_page=" + std::to_string(page_sets));
            CO_TRY(auto reply, co_await http_->send(std::move(request)));
            CO_CHECK(checked(reply));
            total = total_count(reply);
            const bool more = has_next(reply);
            pages.push_back(std::move(reply.body));
            if (!more) break;
        }
        // a large zone takes longer to read than the loop may be held
        auto work = [pages = std::move(pages), total, domain = settings_.domain, external = settings_.external] {
            return read_zone(pages, total, domain, external);
        };
        co_return co_await blocking_.call(std::move(work));
    }

    awaitable<Result<void>> probe() override {
        auto request = request_for("GET", target_);
        CO_TRY(const auto reply, co_await http_->send(std::move(request)));
        CO_CHECK(checked(reply));
        const auto domain = api::parse_json(reply.body);
        if (!domain || canonical_name(api::find_text(domain->value, {"fqdn"})) != settings_.domain)
            co_return unreachable("its answer is not the domain " + settings_.domain);
        co_return Result<void>();
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        const auto until = clock_.now() + turn_max;
        auto seen = co_await observe();
        std::optional<Error> stopped;  // why nothing more is sent: it concerns the whole zone
        if (!seen) {
            stopped = seen.error();
            stopped->outcome_unknown = false;  // it was only a look
        }
        // deletions first: a CNAME that goes makes room for what comes at its name
        std::vector<std::size_t> order;
        for (const bool deletions : {true, false})
            for (std::size_t i = 0; i < actions.size(); ++i)
                if ((actions[i].verb == Action::Verb::delete_) == deletions) order.push_back(i);
        for (const auto i : order) {
            if (!stopped && clock_.now() > until)
                stopped = Error{ErrorClass::rate_limited, "the rest of the changes follows", Duration(1'000)};
            if (stopped) {
                results.set(i, *stopped);
                continue;
            }
            auto result = co_await act_once(actions[i], *seen);
            if (!result && ends_all(result.error().error_class)) {
                stopped = result.error();
                stopped->outcome_unknown = false;  // what is not sent cannot have happened
            }
            results.set(i, std::move(result));
        }
    }

private:
    static bool ends_all(ErrorClass error_class) {
        return error_class != ErrorClass::invalid && error_class != ErrorClass::conflict;
    }

    static Result<Snapshot> read_zone(const std::vector<std::string>& pages, std::optional<std::size_t> total,
                                      const std::string& domain, const ExternalDns& external) {
        Snapshot out;
        std::size_t count = 0;
        for (const auto& page : pages) {
            auto parsed = api::parse_json(page);
            if (!parsed) return unreachable(parsed.error().message);
            if (!parsed->value.is_array()) return unreachable("a page holds no record sets");
            for (const auto& item : parsed->value.get_array()) {
                auto set = read_set(item, domain);
                if (!set) return std::move(set).error();
                ++count;
                out.insert(*std::move(set));
            }
        }
        // pages shift when somebody adds or removes something between two of them
        if (count != out.size() || (total && *total != count))
            return Error{ErrorClass::transient, "the zone changed while its pages were read"};
        fold_marks(out, external);
        return out;
    }

    static Result<std::pair<Key, RecordSet>> read_set(const Json& item, const std::string& domain) {
        const auto name = api::find_text(item, {"rrset_name"}), type = api::find_text(item, {"rrset_type"});
        const auto *values = api::find(item, {"rrset_values"}), *ttl = api::find(item, {"rrset_ttl"});
        if (name.empty() || type.empty() || !values || !values->is_array() || !ttl || !ttl->is_int64())
            return unreachable("a record set is malformed");
        Key key{name == "@" ? domain : canonical_name(std::string(name) + "." + domain), std::string(type)};
        RecordSet set;
        set.ttl_seconds = static_cast<std::int32_t>(std::clamp<std::int64_t>(ttl->get_int64(), 0, INT32_MAX));
        for (const auto& value : values->get_array()) {
            if (!value.is_string()) return unreachable("a value is no text");
            set.values.push_back(from_presentation(key.type, absolute(key.type, value.as_string(), domain)));
        }
        std::ranges::sort(set.values);
        return std::pair{std::move(key), std::move(set)};
    }

    /// A target without a dot at its end is below the domain.
    static std::string absolute(const std::string& type, std::string_view value, const std::string& domain) {
        static constexpr std::array<std::string_view, 5> pointing{"CNAME", "NS", "MX", "SRV", "ALIAS"};
        std::string out(value);
        if (std::ranges::find(pointing, type) != pointing.end() && !out.ends_with('.')) out += "." + domain + ".";
        return out;
    }

    net::HttpRequest request_for(std::string method, std::string target, std::string body = {}) const {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        request.headers["Accept"] = "application/json";
        request.secret_headers["Authorization"] = Secret("Bearer " + settings_.token.reveal());
        return request;
    }

    Result<void> checked(const net::HttpReply& reply) const {
        auto result = net::expect_success(reply, clock_.wall());
        if (result) return result;
        auto error = std::move(result).error();
        if (const auto what = said(reply); !what.empty())
            error.message = "answered " + std::to_string(reply.status) + ": " + what;
        if (error.error_class == ErrorClass::auth)
            error.message +=
                "; a personal access token ends after its time and needs the right to manage the domain's "
                "technical configuration: put another into the Secret";
        if (reply.status == 404) error.message = "the domain " + settings_.domain + " is not in this account's LiveDNS";
        if (reply.status == 429 && !error.retry_after) error.retry_after = wait;
        return std::move(error).within("Gandi");
    }

    std::string target_of(const Key& key) const {
        const auto relative =
            key.name == settings_.domain ? "@" : key.name.substr(0, key.name.size() - settings_.domain.size() - 1);
        return target_ + "/records/" + net::percent_encode(relative) + "/" + key.type;
    }

    awaitable<Result<void>> put(Key key, RecordSet set) {
        json::array values;
        for (const auto& value : set.values) values.push_back(json::value(to_presentation(key.type, value)));
        const Json body(json::object{{"rrset_ttl", set.ttl_seconds}, {"rrset_values", std::move(values)}});
        auto request = request_for("PUT", target_of(key), api::to_text(body));
        CO_TRY(const auto reply, co_await http_->send(std::move(request)));
        CO_CHECK(checked(reply));
        const auto answer = api::parse_json(reply.body);
        if (answer && answer->value.is_object()) co_return Result<void>();
        auto error = unreachable("its answer is no JSON");
        error.outcome_unknown = true;
        co_return error;
    }

    awaitable<Result<void>> erase(Key key) {
        auto request = request_for("DELETE", target_of(key));
        CO_TRY(const auto reply, co_await http_->send(std::move(request)));
        if (says_no_such_record(reply)) co_return Result<void>();
        CO_CHECK(checked(reply));
        if (reply.status == 204) co_return Result<void>();
        auto error = unreachable("it answers " + std::to_string(reply.status) + " to a deletion");
        error.outcome_unknown = true;
        co_return error;
    }

    /// The mark first and last, so that what a crash leaves behind is known as ours.
    awaitable<Result<Done>> act_once(Action action, Snapshot& seen) {
        const auto found = seen.find(action.key);
        const auto* there = found == seen.end() ? nullptr : &found->second;
        CO_TRY(const bool wanted, still_wanted(action, there));
        const bool deleting = action.verb == Action::Verb::delete_;
        Done done{{{action.key, deleting ? std::nullopt : std::optional(action.set)}}};
        if (!wanted) co_return done;
        const auto name = mark_name(action.key);
        if (!name)
            co_return Error{ErrorClass::invalid,
                            action.key.name + " is too long to be marked as ours by a TXT record beside it"};
        const Key mark{*name, "TXT"};
        const bool released = std::ranges::find(action.release, *name) != action.release.end();
        if (seen.contains(mark) && !released)
            co_return Error{ErrorClass::conflict, "the TXT record " + *name + " is not ours and in the way"};
        if (deleting) {
            if (!there->values.empty()) CO_CHECK(co_await erase(action.key));
            if (there->mark) CO_CHECK(co_await erase(mark));
            seen.erase(action.key);
            co_return done;
        }
        if (const auto other = beside(action.key, seen))
            co_return Error{ErrorClass::conflict, action.key.type + " " + action.key.name +
                                                      " cannot stand beside the " + other->type + " there"};
        if (!there || there->mark != action.set.mark) {
            const RecordSet text{{mark_text(*action.set.mark)}, mark_ttl_seconds, std::nullopt};
            CO_CHECK(co_await put(mark, text));
        }
        const bool differs =
            !there || there->values != action.set.values || there->ttl_seconds != action.set.ttl_seconds;
        if (differs) {
            auto written = co_await put(action.key, action.set);
            // what the service will never take needs no mark; where that cannot be taken back the object's deletion
            // does
            const bool refused = !written && written.error().error_class == ErrorClass::invalid;
            if (refused && !there) (void)co_await erase(mark);
            if (!written) co_return std::move(written).error();
        }
        for (const auto& released : action.release) {
            const Key key{released, "TXT"};
            if (released != *name) CO_CHECK(co_await erase(key));
        }
        seen[action.key] = action.set;
        co_return done;
    }

    /// A CNAME that would stand beside something.
    static std::optional<Key> beside(const Key& key, const Snapshot& seen) {
        for (auto it = seen.lower_bound(Key{key.name, ""}); it != seen.end() && it->first.name == key.name; ++it)
            if (it->first != key && !it->second.values.empty() && (key.type == "CNAME" || it->first.type == "CNAME"))
                return it->first;
        return std::nullopt;
    }

    std::unique_ptr<net::HttpClient> http_;
    Clock& clock_;
    BlockingPool& blocking_;
    GandiSettings settings_;
    std::string target_;
};

}  // namespace

std::unique_ptr<Zone> open_gandi(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                                 GandiSettings settings) {
    return std::make_unique<Gandi>(std::move(http), services, std::move(settings));
}

}  // namespace ocim::dns
