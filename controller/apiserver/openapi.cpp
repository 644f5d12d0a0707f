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

std::vector<const registry::Resource*> resources_of(const registry::Registry& registry, const std::string& group,
                                                    const std::string& version) {
    auto all = registry.resources();
    std::erase_if(all, [&](const auto* r) { return r->group != group || r->version != version; });
    std::ranges::sort(all, {}, &registry::Resource::plural);
    return all;
}

}  // namespace

awaitable<void> OpenApi::make_documents() {
    const auto revision = registry_.discovery();
    if (made_for_ == revision && !documents_.empty()) co_return;
    std::map<std::string, Document> made;
    for (const auto& [group, versions] : served_groups(registry_))
        for (const auto& version : versions) {
            const auto resources = resources_of(registry_, group, version);
            auto body = api::to_text(open_api_v3(group, version, resources)) + "\n";
            auto hash = sha256_hex(body);
            made[document_path(group, version)] = {std::move(body), std::move(hash)};
            const auto at_once = clock_.now();
            co_await clock_.sleep_until(at_once);  // a document takes milliseconds: lets the loop go on
        }
    documents_ = std::move(made);
    v2_.reset();
    // what changed meanwhile is seen by the next request
    made_for_ = revision;
}

std::string OpenApi::make_index() const {
    json::object paths;
    for (const auto& [path, document] : documents_)
        paths[path] = json::object{{"serverRelativeURL", "/openapi/v3/" + path + "?hash=" + document.hash}};
    json::object out;
    out["paths"] = std::move(paths);
    return api::to_text(out) + "\n";
}

std::string OpenApi::make_v2() const {
    std::vector<Json> documents;
    for (const auto& [group, versions] : served_groups(registry_))
        for (const auto& version : versions)
            documents.push_back(open_api_v3(group, version, resources_of(registry_, group, version)));
    return api::to_text(open_api_v2(documents)) + "\n";
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
    co_await make_documents();
    if (path[1] == "v2") {
        if (path.size() > 2) co_return std::nullopt;
        if (!v2_) {
            auto body = make_v2();
            auto hash = sha256_hex(body);
            v2_ = Document{std::move(body), std::move(hash)};
        }
        co_return tagged(exchange, v2_->body, v2_->hash);
    }
    if (path.size() == 2) {
        const auto index = make_index();
        co_return tagged(exchange, index, sha256_hex(index));
    }
    std::string below = path[2];
    for (std::size_t i = 3; i < path.size(); ++i) below += "/" + path[i];
    const auto found = documents_.find(below);
    if (found == documents_.end()) co_return std::nullopt;
    co_return tagged(exchange, found->second.body, found->second.hash);
}

}  // namespace ocim::apiserver
