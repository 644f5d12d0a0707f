#include "cli/targets.hpp"

#include "cli/manifests.hpp"
#include "net/http_client.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

constexpr auto page_limit = "500";

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> out;
    while (true) {
        const auto end = std::min(text.find(at), text.size());
        if (end > 0) out.emplace_back(text.substr(0, end));
        if (end == text.size()) return out;
        text.remove_prefix(end + 1);
    }
}

Answer<std::vector<Target>> slashed(ServedKinds& kinds, const std::vector<std::string>& words) {
    std::vector<Target> out;
    for (const auto& word : words) {
        const auto slash = word.find('/');
        if (slash == std::string::npos || slash == 0 || slash + 1 == word.size())
            return refusal(
                "there is no need to specify a resource type as a separate argument when passing arguments in "
                "resource/name form (e.g. 'ocim get resource/<resource_name>' instead of 'ocim get resource "
                "resource/<resource_name>')");
        auto found = kinds.find(std::string_view(word).substr(0, slash));
        if (!found) return std::move(found).error();
        for (const auto* kind : *found) {
            const auto same = std::ranges::find(out, kind, &Target::kind);
            auto& target = same == out.end() ? out.emplace_back(Target{kind, {}}) : *same;
            target.names.push_back(word.substr(slash + 1));
        }
    }
    return out;
}

Answer<std::vector<Named>> of_files(ServedKinds& kinds, const Arguments& arguments, const std::string& namespace_) {
    auto objects = read_manifests(arguments.all("filename"), arguments.has("recursive"));
    if (!objects) return refusal(objects.error().message);
    std::vector<Named> out;
    for (auto& object : *objects) {
        auto named = place(kinds, object, namespace_);
        if (!named) return std::move(named).error();
        out.push_back(*std::move(named));
    }
    return out;
}

Answer<std::vector<api::Json>> list_as(Connection& server, const ServedKind& kind, const std::string& namespace_,
                                       const std::string& selector, const std::string& accept) {
    std::vector<api::Json> out;
    std::string token;
    do {
        auto target = kind.target(namespace_) + "?limit=" + page_limit;
        if (!selector.empty()) target += "&labelSelector=" + net::percent_encode(selector);
        if (!token.empty()) target += "&continue=" + net::percent_encode(token);
        auto page = server.ask({.target = std::move(target), .accept = accept});
        if (!page) return std::move(page).error();
        if (const auto* items = api::find(*page, {"items"}); items && items->is_array())
            for (const auto& item : items->get_array()) {
                auto& object = out.emplace_back(item);
                if (!object.is_object()) continue;
                object.get_object()["apiVersion"] = kind.api_version();
                object.get_object()["kind"] = kind.kind;
            }
        token = api::find_text(*page, {"metadata", "continue"});
    } while (!token.empty());
    return out;
}

}  // namespace

Answer<std::vector<Target>> parse_targets(ServedKinds& kinds, const std::vector<std::string>& words) {
    if (words.empty())
        return refusal("say which resources: KIND, KIND NAME or KIND/NAME; \"ocim get ocim\" shows all of ours");
    if (std::ranges::any_of(words, [](const std::string& word) { return word.find('/') != word.npos; }))
        return slashed(kinds, words);
    std::vector<Target> out;
    for (const auto& name : split(words.front(), ',')) {
        auto found = kinds.find(name);
        if (!found) return std::move(found).error();
        for (const auto* kind : *found) out.push_back({kind, {words.begin() + 1, words.end()}});
    }
    return out;
}

std::string namespace_of(const Arguments& arguments, const Connection& server) {
    if (arguments.has("all-namespaces")) return "";
    const auto given = arguments.text("namespace");
    return given.empty() ? server.access().namespace_ : given;
}

Answer<Named> place(ServedKinds& kinds, api::Json& object, const std::string& namespace_) {
    auto kind = kinds.of(object);
    if (!kind) return std::move(kind).error();
    Named out{*kind, "", std::string(api::find_text(object, {"metadata", "name"}))};
    if (out.name.empty()) return refusal("a " + out.kind->kind + " lacks metadata.name");
    if (!out.kind->namespaced) return out;
    auto& metadata = api::make_object(object, {"metadata"});
    if (api::find_text(object, {"metadata", "namespace"}).empty()) metadata["namespace"] = namespace_;
    out.namespace_ = api::find_text(object, {"metadata", "namespace"});
    return out;
}

Answer<std::vector<Named>> select(Connection& server, ServedKinds& kinds, const Arguments& arguments) {
    const auto namespace_ = namespace_of(arguments, server);
    if (arguments.has("filename")) return of_files(kinds, arguments, namespace_);
    auto targets = parse_targets(kinds, arguments.operands());
    if (!targets) return std::move(targets).error();
    const auto selector = arguments.text("selector");
    std::vector<Named> out;
    for (const auto& [kind, names] : *targets) {
        if (names.empty() && selector.empty() && !arguments.has("all"))
            return refusal("say which ones by name, by --selector, or give --all");
        for (const auto& name : names) out.push_back({kind, kind->namespaced ? namespace_ : "", name});
        if (!names.empty()) continue;
        const auto found = list(server, *kind, namespace_, selector);
        if (!found) return found.error();
        for (const auto& object : *found)
            out.push_back({kind, std::string(api::find_text(object, {"metadata", "namespace"})),
                           std::string(api::find_text(object, {"metadata", "name"}))});
    }
    const bool all = arguments.has("all-namespaces");
    for (const auto& one : out)
        if (all && one.kind->namespaced && one.namespace_.empty())
            return refusal("a resource cannot be retrieved by name across all namespaces");
    return out;
}

Answer<std::vector<api::Json>> list(Connection& server, const ServedKind& kind, const std::string& namespace_,
                                    const std::string& selector) {
    return list_as(server, kind, namespace_, selector, "application/json");
}

Answer<std::vector<api::Json>> list_metadata(Connection& server, const ServedKind& kind) {
    return list_as(server, kind, "", "", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
}

}  // namespace ocim::cli
