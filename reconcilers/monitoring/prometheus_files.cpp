#include "monitoring/prometheus_files.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace ocim::monitoring::prometheus {

namespace {

namespace json = api::json;
using api::Json;
using runtime::Mark;

std::string text_at(const Labels& labels, const char* name) {
    const auto found = labels.find(name);
    return found == labels.end() ? std::string() : found->second;
}

Labels labels_in(const Json& value, std::string_view field) {
    Labels out;
    const auto* found = api::find(value, {field});
    if (!found || !found->is_object()) return out;
    for (const auto& item : found->get_object())
        if (item.value().is_string()) out[item.key()] = item.value().get_string();
    return out;
}

json::object object_of(const Labels& labels) {
    json::object out;
    for (const auto& [name, value] : labels) out[name] = value;
    return out;
}

Group group_of(const Json& value) {
    Group out;
    out.labels = labels_in(value, "labels");
    if (const auto* targets = api::find(value, {"targets"}); targets && targets->is_array())
        for (const auto& target : targets->get_array())
            if (target.is_string()) out.targets.emplace_back(target.get_string());
    return out;
}

Json json_of(const Group& group) {
    json::array targets;
    for (const auto& target : group.targets) targets.emplace_back(target);
    return json::object{{"targets", std::move(targets)}, {"labels", object_of(group.labels)}};
}

Rule rule_of(const Json& value) {
    const auto text = [&](std::string_view field) { return std::string(api::find_text(value, {field})); };
    return {text("alert"), text("expr"), text("for"), labels_in(value, "labels"), labels_in(value, "annotations")};
}

Json json_of(const Rule& rule) {
    return json::object{{"alert", rule.alert},
                        {"expr", rule.expression},
                        {"for", rule.lasts},
                        {"labels", object_of(rule.labels)},
                        {"annotations", object_of(rule.annotations)}};
}

/// An empty file is one that is not there.
Result<Json> parsed(std::string_view text, const char* what) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Json();
    auto out = api::parse_json(text);
    if (!out)
        return Error{ErrorClass::transient,
                     std::string(what) + " is not ours, or was broken: " + out.error().message + "; move it away"};
    return std::move(out->value);
}

/// Where a group belongs that bears no mark but looks like ours.
std::optional<Key> looks_like(const Labels& labels) {
    const auto space = text_at(labels, "namespace"), name = text_at(labels, "monitor");
    if (space.empty() || name.empty()) return std::nullopt;
    return Key{space + "/" + name};
}

/// FNV-1a, 64 bits: tells apart what somebody wrote by mistake, and is no secret.
std::string digest(std::string_view text) {
    std::uint64_t sum = 14695981039346656037U;
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211U;
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[sum >> shift & 15U];
    return out;
}

}  // namespace

std::string rule_group(const std::string& installation) { return "ocim " + installation; }

Group labelled(Group group) {
    group.labels.erase(entry_label);
    group.labels[entry_label] = digest(api::to_text(json_of(group)));
    return group;
}

std::string probe_name(const Group& group, std::int64_t interval_seconds) {
    return std::to_string(interval_seconds) + "s-" + digest(api::to_text(json_of(group)));
}

std::string plain_text(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text.compare(at, 2, "{{") != 0) {
            out += text[at];
            continue;
        }
        out += "{{ \"{{\" }}";
        ++at;
    }
    return out;
}

std::string promql_string(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + "\"";
}

Result<Files> Files::read(std::string_view targets, std::string_view rules, std::string installation) {
    Files out;
    out.installation_ = std::move(installation);
    auto groups = parsed(targets, "the file of targets");
    if (!groups) return std::move(groups).error();
    auto document = parsed(rules, "the file of rules");
    if (!document) return std::move(document).error();
    const bool readable = (groups->is_null() || groups->is_array()) && (document->is_null() || document->is_object());
    if (!readable) return Error{ErrorClass::transient, "the files are not ours, or were broken; move them away"};
    if (groups->is_array())
        for (const auto& group : groups->get_array()) out.read_group(group);
    const auto* rule_groups = api::find(*document, {"groups"});
    if (rule_groups && rule_groups->is_array())
        for (const auto& group : rule_groups->get_array()) {
            if (api::find_text(group, {"name"}) == rule_group(out.installation_))
                out.read_rules(group);
            else
                out.other_rule_groups_.push_back(group);
        }
    return out;
}

void Files::read_group(const Json& value) {
    auto group = group_of(value);
    const auto mark = Mark::parse(text_at(group.labels, mark_label));
    if (!mark) {
        const auto key = looks_like(group.labels);
        (key ? strangers_[*key] : other_groups_).push_back(value);
        return;
    }
    auto& place = places_[Key{mark->namespace_name}];
    place.doubled = place.group.has_value();
    if (!place.doubled) place.group = std::move(group);
}

void Files::read_rules(const Json& value) {
    const auto* rules = api::find(value, {"rules"});
    if (!rules || !rules->is_array()) return;
    for (const auto& item : rules->get_array()) {
        auto rule = rule_of(item);
        const auto mark = Mark::parse(text_at(rule.annotations, mark_annotation));
        if (!mark) {
            other_rules_.push_back(item);
            continue;
        }
        auto& place = places_[Key{mark->namespace_name}];
        place.doubled = place.doubled || place.rule.has_value();
        place.rule = std::move(rule);
    }
}

Snapshot Files::snapshot() const {
    Snapshot out;
    for (const auto& [key, place] : places_) {
        Thing thing;
        // of a rule that lost its targets the mark is in the rule
        thing.mark = place.group ? Mark::parse(text_at(place.group->labels, mark_label))
                                 : Mark::parse(text_at(place.rule->annotations, mark_annotation));
        thing.entry = Entry{place.group.value_or(Group{}), place.rule, place.doubled};
        out.emplace(key, std::move(thing));
    }
    for (const auto& [key, groups] : strangers_) {
        Thing thing;
        thing.entry = Entry{group_of(groups.front()), std::nullopt, false};
        out.emplace(key, std::move(thing));  // not where there is one of ours
    }
    return out;
}

void Files::put(const Key& key, const Entry& entry) {
    if (!places_.contains(key)) strangers_.erase(key);  // it is taken over
    places_[key] = {entry.group, entry.rule, false};
}
void Files::erase(const Key& key) { places_.erase(key); }

std::string Files::targets() const {
    json::array out = other_groups_;
    for (const auto& [key, groups] : strangers_) out.insert(out.end(), groups.begin(), groups.end());
    for (const auto& [key, place] : places_)
        if (place.group) out.push_back(json_of(*place.group));
    return api::to_text(out) + "\n";
}

std::string Files::rules() const {
    json::array rules = other_rules_, groups = other_rule_groups_;
    for (const auto& [key, place] : places_)
        if (place.rule) rules.push_back(json_of(*place.rule));
    if (!rules.empty())
        groups.push_back(json::object{{"name", rule_group(installation_)}, {"rules", std::move(rules)}});
    return api::to_text(json::object{{"groups", std::move(groups)}}) + "\n";
}

}  // namespace ocim::monitoring::prometheus
