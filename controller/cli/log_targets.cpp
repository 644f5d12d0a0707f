#include "cli/log_targets.hpp"

#include "cli/connection.hpp"
#include "cli/targets.hpp"
#include "cli/waiting.hpp"
#include "crd/appservers.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace ocim::cli {

namespace {

using Names = std::array<std::string_view, 4>;
constexpr Names of_appservers{"appserver", "appservers", "oas", "appservers.ocim.opencraft.com"};
constexpr Names of_instances{"instance", "instances", "oi", "instances.ocim.opencraft.com"};

bool is_one_of(const Names& names, std::string_view word) { return std::ranges::find(names, word) != names.end(); }

ServedKind appserver_kind() {
    constexpr auto kind = crd::AppServer::kind;
    ServedKind out;
    out.group = kind.group;
    out.version = kind.version;
    out.kind = kind.name;
    out.plural = kind.plural;
    out.namespaced = kind.namespaced;
    return out;
}

Result<std::vector<std::string>> ask_for(const std::string& instance, const std::string& namespace_,
                                         const Arguments& arguments) {
    auto server = Connection::open(arguments);
    if (!server) return std::move(server).error();
    auto found = list(**server, appserver_kind(), namespace_);
    if (!found) return Error{ErrorClass::invalid, found.error().message};
    auto out = appservers_of(instance, *std::move(found));
    if (out.empty())
        return Error{ErrorClass::invalid, "no AppServer of an instance \"" + instance + "\" is in namespace " +
                                              namespace_ + ": ocim explain-status instance/" + instance + " tells why"};
    return out;
}

}  // namespace

std::vector<std::string> appservers_of(const std::string& instance, std::vector<api::Json> appservers) {
    std::vector<std::tuple<std::string, std::size_t, std::string>> found;  // demo-10 was made after demo-9
    for (const auto& one : appservers) {
        if (api::find_text(one, {"spec", "instanceName"}) != instance) continue;
        const std::string name(api::find_text(one, {"metadata", "name"}));
        found.emplace_back(api::find_text(one, {"metadata", "creationTimestamp"}), name.size(), name);
    }
    std::ranges::sort(found);
    std::vector<std::string> out;
    for (auto& [created, length, name] : found) out.push_back(std::move(name));
    return out;
}

Result<LogOwner> log_owner(const Arguments& arguments) {
    const Error usage{ErrorClass::invalid,
                      "say whose log: ocim logs appserver/NAME, or instance/NAME. See \"ocim logs --help\"."};
    if (arguments.operands().size() != 1) return usage;
    const auto& target = arguments.operands().front();
    const auto slash = target.find('/');
    if (slash == std::string::npos || slash + 1 == target.size()) return usage;
    const auto kind = target.substr(0, slash);
    LogOwner out{is_one_of(of_instances, kind), target.substr(slash + 1)};
    if (!out.is_instance && !is_one_of(of_appservers, kind))
        return Error{ErrorClass::invalid, "\"" + target + "\": only appservers have logs, and instances theirs"};
    if (!out.is_instance && arguments.has("all"))
        return Error{ErrorClass::invalid, "--all: of an instance; give instance/NAME"};
    return out;
}

Result<LogTargets> log_targets(const LogOwner& owner, const Arguments& arguments, const client::Access& access) {
    const auto given = arguments.text("namespace");
    LogTargets out{given.empty() ? access.namespace_ : given, {owner.name}};
    if (!owner.is_instance) return out;
    auto found = ask_for(owner.name, out.namespace_, arguments);
    if (!found) return std::move(found).error();
    out.appservers = *std::move(found);
    if (!arguments.has("all")) out.appservers.erase(out.appservers.begin(), out.appservers.end() - 1);
    return out;
}

Result<std::string> since_parameter(const Arguments& arguments) {
    const auto text = arguments.text("since");
    if (text.empty()) return std::string();
    const auto since = parse_duration(text);
    if (!since) return Error(since.error()).within("--since");
    if (*since <= Duration::zero()) return Error{ErrorClass::invalid, "--since " + text + ": give more than 0"};
    return "&sinceSeconds=" + std::to_string(std::chrono::ceil<std::chrono::seconds>(*since).count());
}

}  // namespace ocim::cli
