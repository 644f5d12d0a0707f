#include "apiserver/openapi.hpp"

#include "apiserver/digest.hpp"
#include "apiserver/discovery.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

std::string document_path(const std::string& group, const std::string& version) {
    return group.empty() ? "api/" + version : "apis/" + group + "/" + version;
}

/// Answers with what is kept under `etag`, or 304.
net::ServerReply tagged(const Exchange& exchange, const std::string& body, const std::string& hash) {
    auto reply = json_reply(200, body);
    const auto etag = "\"" + hash + "\"";
    reply.headers.emplace("ETag", etag);
    reply.headers.emplace("Vary", "Accept");
    // a URL with the right hash means this very text, for ever
    if (exchange.query.get("hash") == hash) reply.headers.emplace("Cache-Control", "public, immutable");
    if (exchange.request.header("if-none-match") == etag) {
        reply.status = 304;
        reply.body.clear();
    }
    return reply;
}

/// Those of one group and version, in the order of their names.
std::vector<registry::Resource> resources_of(const std::vector<registry::Resource>& all, const std::string& group,
                                             const std::string& version) {
    std::vector<registry::Resource> out;
    for (const auto& r : all)
        if (r.group == group && r.version == version) out.push_back(r);
    std::ranges::sort(out, {}, &registry::Resource::plural);
    return out;
}

std::string index_of(const std::map<std::string, std::string>& hashes) {
    json::object paths;
    for (const auto& [path, hash] : hashes)
        paths[path] = json::object{{"serverRelativeURL", "/openapi/v3/" + path + "?hash=" + hash}};
    json::object out;
    out["paths"] = std::move(paths);
    return api::to_text(out) + "\n";
}

api::Status busy() {
    api::Status status;
    status.code = 429;
    status.reason = "TooManyRequests";
    status.message = "Too many requests, please try again later.";
    status.retry_after_seconds = 1;
    return status;
}

}  // namespace

OpenApi::Documents OpenApi::made(const std::vector<registry::Resource>& resources, const Groups& groups) {
    const auto document = [](const Json& value) {
        Document out;
        out.body = api::to_text(value) + "\n";
        out.hash = sha256_hex(out.body);
        return out;
    };
    Documents out;
    std::vector<Json> all;
    std::map<std::string, std::string> hashes;
    for (const auto& [group, versions] : groups)
        for (const auto& version : versions) {
            all.push_back(open_api_v3(group, version, resources_of(resources, group, version)));
            auto one = document(all.back());
            hashes[document_path(group, version)] = one.hash;
            out.v3[document_path(group, version)] = std::move(one);
        }
    out.index.body = index_of(hashes);
    out.index.hash = sha256_hex(out.index.body);
    out.v2 = document(open_api_v2(all));
    return out;
}

awaitable<Result<std::shared_ptr<const OpenApi::Documents>>> OpenApi::documents() {
    const auto revision = registry_.discovery();
    if (documents_ && made_for_ == revision) co_return documents_;
    std::vector<registry::Resource> resources;
    for (const auto* r : registry_.resources()) resources.push_back(*r);
    auto groups = served_groups(registry_);
    auto work = [resources = std::move(resources), groups = std::move(groups)]() -> Result<Documents> {
        return made(resources, groups);
    };
    auto fresh = co_await pool_.call(std::move(work));
    if (!fresh) co_return std::move(fresh).error();
    // what changed meanwhile is seen by the next request
    documents_ = std::make_shared<const Documents>(*std::move(fresh));
    made_for_ = revision;
    co_return documents_;
}

awaitable<std::optional<net::ServerReply>> OpenApi::answer(const Exchange& exchange) {
    const auto& path = exchange.route.segments;
    if (path.size() < 2 || path[0] != "openapi" || (path[1] != "v2" && path[1] != "v3")) co_return std::nullopt;
    if (!accepts_json(exchange.request.header("accept"))) {
        api::Status status;
        status.code = 406;
        status.reason = "NotAcceptable";
        status.message = "only the following media types are accepted: application/json";
        co_return refusal_reply(status);
    }
    const auto documents = co_await this->documents();
    if (!documents) co_return refusal_reply(busy());
    const auto& made = **documents;
    if (path.size() == 2) {
        const auto& one = path[1] == "v2" ? made.v2 : made.index;
        co_return tagged(exchange, one.body, one.hash);
    }
    if (path[1] == "v2") co_return std::nullopt;
    std::string below = path[2];
    for (std::size_t i = 3; i < path.size(); ++i) below += "/" + path[i];
    const auto found = made.v3.find(below);
    if (found == made.v3.end()) co_return std::nullopt;
    co_return tagged(exchange, found->second.body, found->second.hash);
}

}  // namespace ocim::apiserver
