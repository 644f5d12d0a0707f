#include "apiserver/openapi.hpp"

#include "apiserver/digest.hpp"
#include "apiserver/discovery.hpp"
#include "apiserver/openapi_protobuf.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

std::string document_path(const std::string& group, const std::string& version) {
    return group.empty() ? "api/" + version : "apis/" + group + "/" + version;
}

/// Answers with what is kept under `etag`, or 304.
net::ServerReply tagged(const Exchange& exchange, const OpenApi::Document& document) {
    const auto& hash = document.hash;
    auto reply = json_reply(200, document.body);
    reply.headers.find("Content-Type")->second = document.content_type;
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

OpenApi::Document document_of(std::string body, std::string_view content_type = "application/json") {
    OpenApi::Document out{std::move(body), std::string(content_type), ""};
    out.hash = sha256_hex(out.body);
    return out;
}

/// What is served, as values that a thread may look at.
struct Inventory {
    std::vector<registry::Resource> resources;
    std::vector<std::pair<std::string, std::vector<std::string>>> groups;
};

/// Calls `take` with the path and the document of each group and version.
template <class Take>
void each_v3(const Inventory& inventory, Take take) {
    for (const auto& [group, versions] : inventory.groups)
        for (const auto& version : versions)
            take(document_path(group, version),
                 open_api_v3(group, version, resources_of(inventory.resources, group, version)));
}

OpenApi::Documents made_v3(const Inventory& inventory) {
    OpenApi::Documents out;
    std::map<std::string, std::string> hashes;
    each_v3(inventory, [&](const std::string& path, const Json& value) {
        auto one = document_of(api::to_text(value) + "\n");
        hashes[path] = one.hash;
        out[path] = std::move(one);
    });
    out[""] = document_of(index_of(hashes));
    return out;
}

OpenApi::Documents made_v2(const Inventory& inventory, bool protobuf) {
    std::vector<Json> all;
    each_v3(inventory, [&](const std::string&, Json value) { all.push_back(std::move(value)); });
    const auto value = open_api_v2(all);
    OpenApi::Documents out;
    out[""] = protobuf ? document_of(open_api_v2_protobuf(value), open_api_v2_protobuf_type)
                       : document_of(api::to_text(value) + "\n");
    return out;
}

/// Calls at the end of the scope, also when whoever asked has gone.
template <class F>
struct Making {
    F end;
    ~Making() { end(); }
};
template <class F>
Making(F) -> Making<F>;

api::Status busy() {
    api::Status status;
    status.code = 429;
    status.reason = "TooManyRequests";
    status.message = "Too many requests, please try again later.";
    status.retry_after_seconds = 1;
    return status;
}

api::Status not_acceptable(std::string_view types) {
    api::Status status;
    status.code = 406;
    status.reason = "NotAcceptable";
    status.message = "only the following media types are accepted: " + std::string(types);
    return status;
}

}  // namespace

awaitable<Result<std::shared_ptr<const OpenApi::Documents>>> OpenApi::documents(Form form) {
    auto& kept = made_[form];  // a map's places stay where they are
    // of many who ask at once one makes them
    while (kept.being_made) co_await kept.done.wait();
    const auto revision = registry_.discovery();
    if (kept.documents && kept.of == revision) co_return kept.documents;
    kept.being_made = true;
    const Making making{[&kept] {
        kept.being_made = false;
        kept.done.notify();
    }};
    Inventory inventory;
    for (const auto* r : registry_.resources()) inventory.resources.push_back(*r);
    inventory.groups = served_groups(registry_);
    auto work = [inventory = std::move(inventory), form]() -> Result<Documents> {
        return form == Form::v3 ? made_v3(inventory) : made_v2(inventory, form == Form::v2_protobuf);
    };
    auto fresh = co_await pool_.call(std::move(work));
    if (!fresh) co_return std::move(fresh).error();
    // what changed meanwhile is seen by the next request
    kept.documents = std::make_shared<const Documents>(*std::move(fresh));
    kept.of = revision;
    co_return kept.documents;
}

awaitable<std::optional<net::ServerReply>> OpenApi::answer(const Exchange& exchange) {
    const auto& path = exchange.route.segments;
    if (path.size() < 2 || path[0] != "openapi" || (path[1] != "v2" && path[1] != "v3")) co_return std::nullopt;
    if (path[1] == "v2" && path.size() > 2) co_return std::nullopt;
    const auto accept = exchange.request.header("accept");
    Form form = Form::v3;
    if (path[1] == "v2") {
        const auto type = negotiate_open_api_v2(accept);
        if (!type)
            co_return refusal_reply(not_acceptable("application/json, " + std::string(open_api_v2_protobuf_type)));
        form = *type == DocumentType::json ? Form::v2_json : Form::v2_protobuf;
    } else if (!accepts_json(accept)) {
        co_return refusal_reply(not_acceptable("application/json"));
    }
    const auto documents = co_await this->documents(form);
    if (!documents) co_return refusal_reply(busy());
    std::string below;
    for (std::size_t i = 2; i < path.size(); ++i) below += (i > 2 ? "/" : "") + path[i];
    const auto found = (*documents)->find(below);
    if (found == (*documents)->end()) co_return std::nullopt;
    co_return tagged(exchange, found->second);
}

}  // namespace ocim::apiserver
