#pragma once

#include "api/json.hpp"
#include "net/http_client.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace ocim::dns::test {

/// What one PowerDNS zone does with calls, as observed on 4.7.3: one transaction a PATCH, no precondition, comments
/// or none. Faults come by number of call.
struct PowerDnsServer {
    struct Set {
        api::Json records, comments;
        std::int64_t ttl = 0;
    };
    std::map<std::pair<std::string, std::string>, Set> sets;
    bool comments = true;
    bool editable = true;
    std::set<std::string> refused;  ///< names that the server finds fault with
    int calls = 0, patches = 0, writes = 0;
    std::size_t largest_batch = 0;

    enum class Fault { none, lost_before, lost_after, status_500, status_429 };
    std::map<int, Fault> faults;  ///< by number of call, counted from 0
    Fault always = Fault::none;

    Result<net::HttpReply> answer(const net::HttpRequest& request) {
        auto fault = always;
        if (const auto found = faults.find(calls); found != faults.end()) fault = found->second;
        ++calls;
        Error lost{ErrorClass::transient, "the connection was cut"};
        lost.outcome_unknown = true;
        if (fault == Fault::lost_before) return lost;
        if (fault == Fault::status_500) return reply(500, "Internal Server Error");
        if (fault == Fault::status_429) {  // by a proxy before it
            auto out = reply(429, "Too Many Requests");
            out.headers["retry-after"] = "7";
            return out;
        }
        if (request.secret_headers.at("X-API-Key").reveal() != "key") return reply(401, R"({"error":"Unauthorized"})");
        auto out = request.method == "PATCH" ? patch(request.body) : get(request.target);
        if (fault == Fault::lost_after) return lost;
        return out;
    }

private:
    static net::HttpReply reply(unsigned status, std::string body) {
        net::HttpReply out;
        out.status = status;
        out.body = std::move(body);
        return out;
    }

    net::HttpReply get(const std::string& target) const {
        constexpr std::string_view zone = "/api/v1/servers/localhost/zones/example.org.";
        if (!target.starts_with(zone)) return reply(404, R"({"error":"Not Found"})");
        if (target.find("rrsets=false") != std::string::npos) return reply(200, R"({"name":"example.org."})");
        const auto asked = target.find("rrset_name=");
        api::json::array out;
        for (const auto& [key, set] : sets) {
            if (asked != std::string::npos && target.find("rrset_name=" + key.first + "&") == std::string::npos)
                continue;
            if (asked != std::string::npos && !target.ends_with("rrset_type=" + key.second)) continue;
            out.push_back(api::json::object{{"name", key.first},
                                            {"type", key.second},
                                            {"ttl", set.ttl},
                                            {"records", set.records},
                                            {"comments", set.comments}});
        }
        return reply(200, api::to_text(api::Json(api::json::object{{"rrsets", std::move(out)}})));
    }

    net::HttpReply patch(const std::string& body) {
        ++patches;
        const auto parsed = api::parse_json(body);
        const auto* rrsets = parsed ? api::find(parsed->value, {"rrsets"}) : nullptr;
        if (!rrsets) return reply(400, "Bad Request");
        if (!editable) return reply(422, R"({"error":"Hosting backend does not support editing records."})");
        auto next = sets;
        largest_batch = std::max(largest_batch, rrsets->get_array().size());
        for (const auto& rrset : rrsets->get_array()) {
            const std::string name(api::find_text(rrset, {"name"})), type(api::find_text(rrset, {"type"}));
            if (refused.contains(name))
                return reply(422, R"({"error":"RRset )" + name + " IN " + type + R"(: it is not to my taste"})");
            if (api::find_text(rrset, {"changetype"}) == "DELETE") {
                next.erase({name, type});
                continue;
            }
            for (const auto& [key, set] : next)
                if (key.first == name && key.second != type && (key.second == "CNAME" || type == "CNAME"))
                    return reply(422, R"({"error":"RRset )" + name + R"(: Conflicts with pre-existing RRset"})");
            auto& set = next[{name, type}];
            set.records = *api::find(rrset, {"records"});
            set.ttl = api::find(rrset, {"ttl"})->to_number<std::int64_t>();
            if (const auto* given = api::find(rrset, {"comments"})) {
                if (!comments) return reply(422, R"({"error":"Hosting backend does not support editing comments."})");
                set.comments = *given;
            }
        }
        ++writes;
        sets = std::move(next);
        return reply(204, "");
    }
};

class FakeHttp final : public net::HttpClient {
public:
    explicit FakeHttp(PowerDnsServer& server) : server_(server) {}
    awaitable<Result<net::HttpReply>> send(net::HttpRequest request) override { co_return server_.answer(request); }

private:
    PowerDnsServer& server_;
};

}  // namespace ocim::dns::test
