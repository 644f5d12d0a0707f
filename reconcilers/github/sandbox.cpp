#include "github/sandbox.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <cstdint>

namespace ocim::github {
namespace {

using api::json::object;

constexpr std::size_t instance_name_max = 50, label_max = 63, display_name_max = 250, description_max = 140;
constexpr std::size_t title_words = 4, short_commit = 7;

/// Tells apart what looks the same once it is a label. No secret and no security is in it.
std::string digest(const std::string& text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    std::string out;
    for (int n = 0; n < 8; ++n) out += "0123456789abcdef"[(hash >> (n * 4)) & 15U];
    return out;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// `text` as a DNS label of at most `bytes` characters; `source` tells apart what would become the same.
std::string label(const std::string& text, const std::string& source, std::size_t bytes) {
    std::string out;
    bool changed = false;
    for (const char c : lower(text)) {
        const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        changed = changed || !good;
        out += good ? c : '-';
    }
    if (changed || out.size() > bytes) {
        out.resize(std::min(out.size(), bytes - 9));
        out += "-" + digest(lower(source));
    }
    while (!out.empty() && out.front() == '-') out.erase(0, 1);
    while (!out.empty() && out.back() == '-') out.pop_back();
    return out;
}

std::pair<std::string, std::string> parts_of(const std::string& repository) {
    const auto slash = repository.find('/');
    return {repository.substr(0, slash), slash == std::string::npos ? "" : repository.substr(slash + 1)};
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

/// A stranger's word between back-quotes: nothing in it means anything to Markdown, and nobody is called.
std::string code(const std::string& text) {
    auto out = one_line(text, 300);
    for (auto& c : out)
        if (c == '`' || c == '|') c = '\'';
    return "`" + (out.empty() ? std::string(" ") : out) + "`";
}

object configuration_of(const Settings& settings) {
    object out;
    if (settings.configuration_repository) out["repository"] = *settings.configuration_repository;
    if (settings.configuration_version) out["version"] = *settings.configuration_version;
    if (!settings.variables.empty()) out["extraVars"] = settings.variables;
    return out;
}

std::optional<std::string> mode_of(const crd::PullRequestWatch& watch, const Pull& pull, const std::string& domain,
                                   const std::optional<crd::Instance>& existing) {
    using Template = crd::PullRequestWatch::Spec::InstanceTemplate::Databases::Mode;
    if (existing) {  // settled when the site was made
        const auto& databases = existing->spec.databases;
        if (!databases || !databases->mode) return std::nullopt;
        return *databases->mode == crd::Instance::Spec::Databases::Mode::ephemeral ? "Ephemeral" : "Persistent";
    }
    if (const auto said = database_mode(pull.database_lines, domain))
        return *said == DatabaseMode::ephemeral ? "Ephemeral" : "Persistent";
    const auto& databases = watch.spec.instance_template.databases;
    if (!databases || !databases->mode) return std::nullopt;
    return *databases->mode == Template::ephemeral ? "Ephemeral" : "Persistent";
}

/// What people read of a state, in a few words.
std::string words(const Entry& entry) {
    if (entry.state == "Waiting") return "waits for a free place";
    if (entry.state == "Refused") return "is not made";
    if (entry.state == "Deploying") return "is being made";
    if (entry.state == "Ready") return "is ready";
    if (entry.state == "Failed") return "failed; whoever runs the installation can see why";
    if (entry.state == "Frozen") return "stays as it is";
    if (entry.state == "Closed") return "stays for a while";
    if (entry.state == "Retiring") return "is being removed";
    return "was removed";
}

std::optional<TellReport::State> github_state(const Entry& entry) {
    using State = TellReport::State;
    if (entry.state == "Waiting" || entry.state == "Deploying") return State::pending;
    if (entry.state == "Ready") return State::success;
    if (entry.state == "Failed" || entry.state == "Refused") return State::failure;
    if (entry.state == "Frozen") return State::error;
    return std::nullopt;
}

}  // namespace

std::string instance_name(const std::string& repository, std::int64_t number) {
    const auto [owner, name] = parts_of(repository);
    return label("pr" + std::to_string(number) + "-" + owner + "-" + name, repository, instance_name_max);
}

std::string subdomain(const crd::PullRequestWatch::Spec& watch, const std::string& repository, std::int64_t number) {
    const auto [owner, name] = parts_of(repository);
    const std::string otherwise = watch.forks.size() == 1 ? "pr{number}" : "pr{number}-{owner}-{repository}";
    auto text = watch.instance_template.subdomain.value_or(otherwise);
    text = replaced(std::move(text), "{number}", std::to_string(number));
    text = replaced(std::move(text), "{owner}", owner);
    text = replaced(std::move(text), "{repository}", name);
    return label(text, repository + "#" + std::to_string(number), label_max);
}

std::string display_name(const Pull& pull) {
    const auto title = one_line(pull.title.value_or(""), 1024);
    std::string words;
    std::size_t count = 0, begin = 0;
    while (begin < title.size()) {
        const auto end = std::min(title.find(' ', begin), title.size());
        if (end > begin) {
            if (count++ == title_words) {
                words += " ...";
                break;
            }
            words += (words.empty() ? "" : " ") + title.substr(begin, end - begin);
        }
        begin = end + 1;
    }
    const auto organization = parts_of(pull.source.value_or("")).first;
    const auto out = "PR#" + std::to_string(pull.number) + ": " + words + " (" + pull.author.value_or("") + ") - " +
                     organization + "/" + one_line(pull.branch.value_or(""), 255) + " (" +
                     pull.commit.value_or("").substr(0, short_commit) + ")";
    return valid_utf8(out, display_name_max);
}

runtime::Child sandbox(const crd::PullRequestWatch& watch, const Pull& pull, const Settings& settings,
                       const std::string& base_domain, const std::optional<crd::Instance>& existing) {
    const auto& form = watch.spec.instance_template;
    const auto name = instance_name(pull.repository, pull.number);
    const auto below = existing ? existing->spec.subdomain : subdomain(watch.spec, pull.repository, pull.number);
    const bool same_commit = existing && existing->spec.platform && existing->spec.platform->commit == pull.commit;
    // a new title alone is no reason to deploy anew
    const auto shown = same_commit ? existing->spec.display_name.value_or("") : display_name(pull);
    object spec{
        {"className", existing ? existing->spec.class_name : form.class_name},
        {"subdomain", below},
        {"displayName", shown},
        {"platform", object{{"repository", pull.clone_url.value_or("")}, {"commit", pull.commit.value_or("")}}}};
    if (form.release) spec["release"] = *form.release;
    if (auto configuration = configuration_of(settings); !configuration.empty())
        spec["configuration"] = std::move(configuration);
    if (const auto mode = mode_of(watch, pull, below + "." + base_domain, existing))
        spec["databases"] = object{{"mode", *mode}};
    using Policy = crd::PullRequestWatch::Spec::InstanceTemplate::DeletionPolicy;
    spec["deletionPolicy"] = form.deletion_policy == Policy::delete_ ? "Delete" : "Retain";
    object labels{{"ocim.opencraft.com/pull-request-watch", watch.metadata.name},
                  {"ocim.opencraft.com/pull-request", std::to_string(pull.number)}};
    object metadata{{"name", name},
                    {"namespace", watch.metadata.namespace_},
                    {"labels", std::move(labels)},
                    {"annotations", object{{repository_annotation, pull.repository}}}};
    object out{{"apiVersion", crd::Instance::kind.api_version()},
               {"kind", crd::Instance::kind.name},
               {"metadata", std::move(metadata)},
               {"spec", std::move(spec)}};
    return runtime::Child{std::move(out), std::nullopt, false, {}, false};
}

runtime::Child unchanged(const api::Json& instance) {
    object metadata{{"name", api::find_text(instance, {"metadata", "name"})},
                    {"namespace", api::find_text(instance, {"metadata", "namespace"})}};
    object out{{"apiVersion", crd::Instance::kind.api_version()},
               {"kind", crd::Instance::kind.name},
               {"metadata", std::move(metadata)}};
    return runtime::Child{std::move(out), "nothing: it is not made anew", true, {}, false};
}

std::string progress(const crd::Instance& instance, bool was_ready) {
    const auto& status = instance.status;
    const auto find = [&](std::string_view type) -> const api::Condition* {
        for (const auto& item : status.conditions)
            if (item.type == type) return &item;
        return nullptr;
    };
    if (const auto* stalled = find("Stalled"); stalled && stalled->status == "True") return "Failed";
    // not by the newest AppServer: of what has just been declared there may be none yet
    const auto* rolled_out = find("RolledOut");
    const auto* ready = find("Ready");
    if (!ready || ready->observed_generation != instance.metadata.generation) return "Deploying";
    if (!rolled_out || rolled_out->status != "True") return "Deploying";
    const auto* served = find("Available");
    const bool goes_on = was_ready && served && served->status != "False";
    return ready->status == "True" || goes_on ? "Ready" : "Deploying";
}

TellReport tell(const crd::PullRequestWatch::Spec& watch, const Entry& entry, const std::string& commit,
                const std::vector<std::string>& left_out) {
    TellReport out;
    out.repository = entry.repository;
    out.number = entry.number;
    const auto said = words(entry);
    if (watch.report.comment) {
        std::string text = "**The sandbox of this pull request " + said + ".**\n\n| | |\n| --- | --- |\n";
        if (entry.site && entry.state != "Retired") text += "| Site | " + *entry.site + " |\n";
        if (entry.commit) text += "| Commit | " + code(*entry.commit) + " |\n";
        if (entry.message) text += "| Note | " + code(*entry.message) + " |\n";
        if (!left_out.empty()) {
            text += "| Settings that may not be set here |";
            constexpr std::size_t shown_max = 10;
            for (std::size_t n = 0; n < std::min(left_out.size(), shown_max); ++n) text += " " + code(left_out[n]);
            if (left_out.size() > shown_max) text += " and " + std::to_string(left_out.size() - shown_max) + " more";
            text += " |\n";
        }
        out.comment = std::move(text);
    }
    if (!watch.report.status || commit.empty()) return out;
    out.state = github_state(entry);
    if (!out.state) return out;
    out.commit = commit;
    out.description = one_line("The sandbox " + said + (entry.message ? ": " + *entry.message : ""), description_max);
    out.site = entry.site;
    return out;
}

}  // namespace ocim::github
