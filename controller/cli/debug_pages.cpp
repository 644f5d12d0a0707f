#include "cli/debug_pages.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::cli {

namespace {

using apiserver::Query;

api::Status status_of(int code, std::string reason, std::string message) {
    api::Status out;
    out.code = code;
    out.reason = std::move(reason);
    out.message = std::move(message);
    return out;
}

net::ServerReply index() {
    api::json::array paths;
    for (const auto page : runtime::debug_pages) paths.push_back(api::Json("/debug/" + std::string(page)));
    return apiserver::json_reply(200, api::to_text(api::json::object{{"paths", std::move(paths)}}) + "\n");
}

net::ServerReply answer(const Result<const runtime::Manager*>& working, const std::string& path, const Query& query) {
    if (path == "/debug") return index();
    const auto name = path.substr(std::string_view("/debug/").size());
    if (std::ranges::find(runtime::debug_pages, name) == runtime::debug_pages.end()) return apiserver::page_not_found();
    const auto wanted = debug_query(query);
    if (!wanted) return apiserver::refusal_reply(wanted.error());
    if (!working) return apiserver::refusal_reply(status_of(503, "ServiceUnavailable", working.error().message));
    const auto page = runtime::debug_page(**working, name, *wanted);
    if (!page) return apiserver::refusal_reply(api::bad_request(page.error().message));
    return apiserver::json_reply(200, api::to_text(*page) + "\n");
}

}  // namespace

Result<runtime::DebugQuery, api::Status> debug_query(const Query& query) {
    runtime::DebugQuery out;
    out.kind = query.get("kind");
    out.namespace_ = query.get("namespace");
    out.name = query.get("name");
    out.after = query.get("continue");
    if (!query.has("limit")) return out;
    const auto text = query.get("limit");
    const auto [end, error] = std::from_chars(text.begin(), text.end(), out.limit);
    if (error != std::errc() || end != text.end() || out.limit == 0)
        return api::bad_request("limit: Invalid value: \"" + std::string(text) + "\": must be a number, 1 or greater");
    out.limit = std::min(out.limit, runtime::DebugQuery::limit_max);
    return out;
}

apiserver::DebugPages debug_pages(std::function<Result<const runtime::Manager*>()> working) {
    return [working = std::move(working)](const std::string& path, const Query& query) {
        return answer(working(), path, query);
    };
}

}  // namespace ocim::cli
