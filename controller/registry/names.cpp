#include "registry/names.hpp"

#include <algorithm>

namespace ocim::registry {

namespace {

using Wrong = std::vector<std::string>;

constexpr std::size_t label_max = 63;
constexpr std::size_t subdomain_max = 253;

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool alphanumeric(char c) { return lower(c) || upper(c) || digit(c); }

std::string too_long(std::size_t max) { return "must be no more than " + std::to_string(max) + " bytes"; }

bool is_label(std::string_view text) {
    const auto edge = [](char c) { return lower(c) || digit(c); };
    return !text.empty() && edge(text.front()) && edge(text.back()) &&
           std::ranges::all_of(text, [&](char c) { return edge(c) || c == '-'; });
}

bool is_subdomain(std::string_view text) {
    for (;;) {
        const auto dot = text.find('.');
        if (!is_label(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

/// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]
bool is_word(std::string_view text) {
    return !text.empty() && alphanumeric(text.front()) && alphanumeric(text.back()) &&
           std::ranges::all_of(text, [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

Wrong wrong_with_label(std::string_view name) {
    Wrong out;
    if (name.size() > label_max) out.push_back(too_long(label_max));
    if (!is_label(name))
        out.push_back(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
    return out;
}

Wrong wrong_with_segment(std::string_view name, bool prefix) {
    Wrong out;
    if (!prefix && (name == "." || name == "..")) out.push_back("may not be '" + std::string(name) + "'");
    for (const char* part : {"/", "%"})
        if (name.find(part) != std::string_view::npos) out.push_back(std::string("may not contain '") + part + "'");
    return out;
}

}  // namespace

Wrong wrong_with_subdomain(std::string_view name) {
    Wrong out;
    if (name.size() > subdomain_max) out.push_back(too_long(subdomain_max));
    if (!is_subdomain(name))
        out.push_back(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
    return out;
}

Wrong wrong_with_name(NameRule rule, std::string_view name) {
    switch (rule) {
        case NameRule::subdomain: return wrong_with_subdomain(name);
        case NameRule::label: return wrong_with_label(name);
        case NameRule::path_segment: return wrong_with_segment(name, false);
    }
    return {};
}

Wrong wrong_with_prefix(NameRule rule, std::string_view prefix) {
    if (rule == NameRule::path_segment) return wrong_with_segment(prefix, true);
    std::string name(prefix);
    if (name.size() > 1 && name.back() == '-') name.back() = 'a';
    return wrong_with_name(rule, name);
}

Wrong wrong_with_qualified_name(std::string_view name) {
    Wrong out;
    const auto slash = name.find('/');
    if (slash != std::string_view::npos && name.find('/', slash + 1) != std::string_view::npos)
        return {
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
            "'example.com/MyName')"};
    if (slash != std::string_view::npos) {
        const auto prefix = name.substr(0, slash);
        if (prefix.empty())
            out.push_back("prefix part must be non-empty");
        else
            for (auto& wrong : wrong_with_subdomain(prefix)) out.push_back("prefix part " + wrong);
        name.remove_prefix(slash + 1);
    }
    if (name.empty()) out.push_back("name part must be non-empty");
    if (name.size() > label_max) out.push_back("name part " + too_long(label_max));
    if (!is_word(name))
        out.push_back(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')");
    return out;
}

Wrong wrong_with_label_value(std::string_view value) {
    Wrong out;
    if (value.size() > label_max) out.push_back(too_long(label_max));
    if (!value.empty() && !is_word(value))
        out.push_back(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
            "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
    return out;
}

Wrong wrong_with_config_key(std::string_view key) {
    Wrong out;
    if (key.size() > subdomain_max) out.push_back(too_long(subdomain_max));
    const auto allowed = [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; };
    if (key.empty() || !std::ranges::all_of(key, allowed))
        out.push_back(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
    if (key == ".") out.push_back("must not be '.'");
    if (key == "..") out.push_back("must not be '..'");
    if (key.starts_with("..") && key != "..") out.push_back("must not start with '..'");
    return out;
}

Wrong wrong_with_1035_label(std::string_view name) {
    Wrong out;
    if (name.size() > label_max) out.push_back(too_long(label_max));
    if (!is_label(name) || !lower(name.front()))
        out.push_back(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
            "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')");
    return out;
}

}  // namespace ocim::registry
