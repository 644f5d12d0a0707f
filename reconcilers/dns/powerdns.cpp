#include "dns/powerdns.hpp"

#include "api/json.hpp"
#include "dns/ownership.hpp"
#include "dns/values.hpp"
#include "runtime/bisect.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace ocim::dns {

namespace {

using api::Json;
namespace json = api::json;

constexpr std::string_view account = "ocim";          // of our comments
constexpr std::size_t batch_sets_max = 500;           // a refused batch is sent again in halves: bounds that cost
constexpr std::size_t batch_bytes_max = 1000 * 1000;  // the server's own limit is 2 MB by default
constexpr std::string_view no_comments = "does not support editing comments";
constexpr std::string_view no_records = "does not support editing records";

/// The zone's name as the API writes it in a path.
std::string zone_id(const std::string& domain) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : domain + ".") {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        if (plain)
            out += c;
        else
            out += {'=', hex[byte >> 4], hex[byte & 15]};
    }
    return out;
}

Error unreadable(const std::string& what) {
    return Error{ErrorClass::unreachable, "what answers is not PowerDNS: " + what};
}

Result<std::pair<Key, RecordSet>> read_set(const Json& rrset) {
    const auto name = api::find_text(rrset, {"name"}), type = api::find_text(rrset, {"type"});
    const auto* records = api::find(rrset, {"records"});
    if (name.empty() || type.empty() || !records || !records->is_array())
        return unreadable("a record set is malformed");
    Key key{canonical_name(name), std::string(type)};
    RecordSet set;
    if (const auto* ttl = api::find(rrset, {"ttl"}); ttl && ttl->is_int64())
        set.ttl_seconds = static_cast<std::int32_t>(std::clamp<std::int64_t>(ttl->get_int64(), 0, INT32_MAX));
    for (const auto& record : records->get_array()) {
        const auto* disabled = api::find(record, {"disabled"});
        if (disabled && disabled->is_bool() && disabled->get_bool()) continue;
        if (key.type == "SOA") continue;  // its serial changes with every write and tells nothing
        set.values.push_back(from_presentation(key.type, api::find_text(record, {"content"})));
    }
    std::ranges::sort(set.values);
    if (const auto* comments = api::find(rrset, {"comments"}); comments && comments->is_array())
        for (const auto& comment : comments->get_array())
            if (api::find_text(comment, {"account"}) == account && !set.mark)
                set.mark = Mark::parse(api::find_text(comment, {"content"}));
    return std::pair{std::move(key), std::move(set)};
}

struct ZoneText {
    Snapshot snapshot;
    bool marks_are_records = false;  ///< at least one mark was found as a TXT record
};

Result<ZoneText> read_zone(const std::string& body, const ExternalDns& external) {
    auto parsed = api::parse_json(body);
    if (!parsed) return unreadable(parsed.error().message);
    const auto* rrsets = api::find(parsed->value, {"rrsets"});
    if (!rrsets || !rrsets->is_array()) return unreadable("it holds no record sets");
    ZoneText out;
    for (const auto& rrset : rrsets->get_array()) {
        auto read = read_set(rrset);
        if (!read) return std::move(read).error();
        out.snapshot.insert(*std::move(read));
    }
    out.marks_are_records = fold_marks(out.snapshot, external);
    return out;
}

json::object replace(const Key& key, const RecordSet& set) {
    json::array records;
    for (const auto& value : set.values)
        records.push_back(json::object{{"content", to_presentation(key.type, value)}, {"disabled", false}});
    return {{"name", key.name + "."},
            {"type", key.type},
            {"ttl", set.ttl_seconds},
            {"changetype", "REPLACE"},
            {"records", std::move(records)}};
}

json::object erase(const Key& key) { return {{"name", key.name + "."}, {"type", key.type}, {"changetype", "DELETE"}}; }

/// What one action asks of the server.
std::vector<json::object> changes(const Action& action, bool marks_are_records) {
    const bool deleting = action.verb == Action::Verb::delete_;
    std::vector<json::object> out;
    const auto own = mark_name(action.key);
    for (const auto& name : action.release)
        if (!marks_are_records || name != own) out.push_back(erase({name, "TXT"}));
    if (marks_are_records) {
        const auto& name = own;
        if (name) {
            const Key mark{*name, "TXT"};
            const RecordSet text{{action.set.mark ? mark_text(*action.set.mark) : ""}, mark_ttl_seconds, std::nullopt};
            out.push_back(deleting ? erase(mark) : replace(mark, text));
        }
        out.push_back(deleting ? erase(action.key) : replace(action.key, action.set));
        return out;
    }
    auto change = deleting ? erase(action.key) : replace(action.key, action.set);
    if (!deleting)
        change["comments"] = json::array{
            json::object{{"content", action.set.mark ? action.set.mark->text() : ""}, {"account", account}}};
    out.push_back(std::move(change));
    return out;
}

Done done(const Action& action) {
    if (action.verb == Action::Verb::delete_) return {{{action.key, std::nullopt}}};
    return {{{action.key, action.set}}};
}

class PowerDns final : public Zone {
public:
    PowerDns(std::unique_ptr<net::HttpClient> http, const runtime::Services& services, PowerDnsSettings settings)
        : http_(std::move(http)),
          clock_(services.clock),
          blocking_(services.blocking),
          settings_(std::move(settings)),
          target_("/api/v1/servers/" + net::percent_encode(settings_.server_id) + "/zones/" +
                  zone_id(settings_.domain)) {}

    awaitable<Result<Snapshot>> observe() override {
        CO_TRY(auto zone, co_await read(""));
        co_return std::move(zone.snapshot);
    }

    awaitable<Result<void>> probe() override {
        auto request = request_for("GET", target_ + "?rrsets=false", {});
        CO_TRY(const auto reply, co_await http_->send(std::move(request)));
        CO_CHECK(checked(reply));
        const auto zone = api::parse_json(reply.body);
        if (!zone || canonical_name(api::find_text(zone->value, {"name"})) != settings_.domain)
            co_return unreadable("its answer is not the zone " + settings_.domain);
        co_return Result<void>();
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        auto now = co_await look(actions);
        if (!now) {
            auto error = std::move(now).error();
            error.outcome_unknown = false;  // it was only a look
            for (std::size_t i = 0; i < actions.size(); ++i) results.set(i, error);
            co_return;
        }
        Indexes writes, deletions;
        for (std::size_t i = 0; i < actions.size(); ++i) {
            const auto found = now->snapshot.find(actions[i].key);
            const auto wanted = still_wanted(actions[i], found == now->snapshot.end() ? nullptr : &found->second);
            if (!wanted)
                results.set(i, wanted.error());
            else if (!*wanted)
                results.set(i, done(actions[i]));
            else if (const auto wrong = unmarkable(actions[i]); !wrong.empty())
                results.set(i, Error{ErrorClass::invalid, wrong});
            else
                (actions[i].verb == Action::Verb::delete_ ? deletions : writes).push_back(i);
        }
        // deletions first: a CNAME that goes makes room for what comes at its name
        writes.insert(writes.begin(), deletions.begin(), deletions.end());
        Sending sending{actions, std::nullopt};
        std::function<awaitable<Result<void>>(Indexes)> send_batch = [this, &sending](Indexes batch) {
            return send(sending, std::move(batch));
        };
        std::function<void(const std::size_t&, const Result<void>&)> report = [&](const std::size_t& i,
                                                                                  const Result<void>& result) {
            if (result)
                results.set(i, done(actions[i]));
            else
                results.set(i, result.error());
        };
        for (std::size_t begin = 0; begin < writes.size();) {
            const auto end = batch_end(actions, writes, begin);
            Indexes batch(writes.begin() + static_cast<std::ptrdiff_t>(begin),
                          writes.begin() + static_cast<std::ptrdiff_t>(end));
            co_await runtime::act_bisecting(std::move(batch), send_batch, report);
            begin = end;
        }
    }

private:
    using Indexes = std::vector<std::size_t>;

    struct Sending {
        const std::vector<Action>& actions;
        std::optional<Error> stopped;  ///< why nothing more is sent: it concerns the whole zone
    };

    net::HttpRequest request_for(std::string method, std::string target, std::string body) const {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        request.headers["Accept"] = "application/json";
        request.secret_headers["X-API-Key"] = settings_.api_key;
        return request;
    }

    Result<void> checked(const net::HttpReply& reply) const {
        auto result = net::expect_success(reply, clock_.wall());
        if (result) return result;
        auto error = std::move(result).error().within("PowerDNS");
        if (reply.status == 500) error.outcome_unknown = false;  // a call is one transaction there: it was rolled back
        if (reply.status == 404)
            error.message = "PowerDNS does not have the zone " + settings_.domain + "; create it there first";
        return error;
    }

    awaitable<Result<ZoneText>> read(std::string query) {
        auto request = request_for("GET", target_ + query, {});
        CO_TRY(auto reply, co_await http_->send(std::move(request)));
        if (auto ok = checked(reply); !ok) co_return std::move(ok).error();
        // a large zone takes longer to read than the loop may be held
        auto work = [body = std::move(reply.body), external = settings_.external] { return read_zone(body, external); };
        CO_TRY(auto zone, co_await blocking_.call(std::move(work)));
        if (zone.marks_are_records) marks_are_records_ = true;
        co_return std::move(zone);
    }

    /// What is there just before a write: there is no precondition that could be sent along.
    awaitable<Result<ZoneText>> look(const std::vector<Action>& actions) {
        std::string query;
        if (actions.size() == 1 && !marks_are_records_ && actions[0].release.empty())
            query = "?rrset_name=" + net::percent_encode(actions[0].key.name + ".") +
                    "&rrset_type=" + net::percent_encode(actions[0].key.type);
        co_return co_await read(std::move(query));
    }

    std::string unmarkable(const Action& action) const {
        if (!marks_are_records_ || mark_name(action.key)) return {};
        return action.key.name + " is too long to be marked as ours by a TXT record beside it";
    }

    /// As many as fit into one call; never one key twice.
    std::size_t batch_end(const std::vector<Action>& actions, const Indexes& writes, std::size_t begin) const {
        std::set<Key> keys;
        std::size_t sets = 0, bytes = 0, end = begin;
        for (; end < writes.size(); ++end) {
            const auto& action = actions[writes[end]];
            for (const auto& change : changes(action, marks_are_records_)) {
                ++sets;
                bytes += api::to_text(Json(change)).size() + 1;
            }
            const bool fits = sets <= batch_sets_max && bytes <= batch_bytes_max && keys.insert(action.key).second;
            if (!fits && end > begin) break;
        }
        return end;
    }

    net::HttpRequest patch(const std::vector<Action>& actions, const Indexes& batch) const {
        json::array rrsets;
        for (const auto i : batch)
            for (auto& change : changes(actions[i], marks_are_records_)) rrsets.push_back(std::move(change));
        const Json body(json::object{{"rrsets", std::move(rrsets)}});
        return request_for("PATCH", target_, api::to_text(body));
    }

    /// One call, all or nothing.
    awaitable<Result<void>> send(Sending& sending, Indexes batch) {
        if (sending.stopped) co_return *sending.stopped;
        auto request = patch(sending.actions, batch);
        auto reply = co_await http_->send(std::move(request));
        if (reply && refuses(*reply, no_comments) && !marks_are_records_) {
            marks_are_records_ = true;
            auto anew = patch(sending.actions, batch);
            reply = co_await http_->send(std::move(anew));
        }
        auto result = reply ? checked(*reply) : Result<void>(reply.error());
        if (result) co_return result;
        auto error = std::move(result).error();
        const bool read_only = reply && refuses(*reply, no_records);
        if (read_only)
            error.message = "this PowerDNS backend cannot be written by its API; move the zone to another one";
        if (read_only || error.error_class != ErrorClass::invalid) {
            sending.stopped = error;
            sending.stopped->outcome_unknown = false;  // what is not sent cannot have happened
        }
        co_return error;
    }

    static bool refuses(const net::HttpReply& reply, std::string_view what) {
        return reply.status == 422 && reply.body.find(what) != std::string::npos;
    }

    std::unique_ptr<net::HttpClient> http_;
    Clock& clock_;
    BlockingPool& blocking_;
    PowerDnsSettings settings_;
    std::string target_;
    /// Learnt from what the zone holds, or from the server's refusal of a comment.
    bool marks_are_records_ = false;
};

}  // namespace

std::unique_ptr<Zone> open_powerdns(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                                    PowerDnsSettings settings) {
    return std::make_unique<PowerDns>(std::move(http), services, std::move(settings));
}

}  // namespace ocim::dns
