#include "runtime/mark.hpp"

#include <algorithm>

namespace ocim::runtime {

namespace {

constexpr std::string_view retained_word = " retained";

bool printable(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\'; });
}

/// Takes "x=value" off the front of `text`, up to the next blank.
std::optional<std::string> take_field(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return std::nullopt;
    text.remove_prefix(prefix.size());
    const auto end = std::min(text.find(' '), text.size());
    std::string value(text.substr(0, end));
    text.remove_prefix(end);
    if (!printable(value)) return std::nullopt;
    return value;
}

}  // namespace

std::string Mark::text() const {
    auto out = "i=" + installation + " o=" + namespace_name + " u=" + uid;
    if (retained) out += retained_word;
    return out;
}

std::optional<Mark> Mark::parse(std::string_view text) {
    Mark out;
    auto installation = take_field(text, "i=");
    if (!installation) return std::nullopt;
    auto object = take_field(text, " o=");
    if (!object) return std::nullopt;
    auto uid = take_field(text, " u=");
    if (!uid) return std::nullopt;
    if (!text.empty() && text != retained_word) return std::nullopt;
    return Mark{*std::move(installation), *std::move(object), *std::move(uid), !text.empty()};
}

Ownership ownership(const std::optional<Mark>& found, const Mark& self) {
    if (!found || found->installation != self.installation) return Ownership::foreign;
    if (found->uid == self.uid) return Ownership::ours;
    const bool taken_over = found->retained && found->namespace_name == self.namespace_name;
    return taken_over ? Ownership::ours : Ownership::foreign;
}

bool takeable(const std::optional<Mark>& found, const Mark& self, bool adopt) {
    if (ownership(found, self) == Ownership::ours) return true;
    return adopt &&
           (!found || (found->installation == self.installation && found->namespace_name == self.namespace_name));
}

}  // namespace ocim::runtime
