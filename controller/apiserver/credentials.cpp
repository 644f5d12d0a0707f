#include "apiserver/credentials.hpp"

#include "api/json.hpp"
#include "apiserver/digest.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

/// One record of CSV from `text`, which loses it. Nothing when a quotation does not end.
std::optional<std::vector<std::string>> take_record(std::string_view& text) {
    std::vector<std::string> out(1);
    bool quoted = false;
    std::size_t i = 0;
    for (; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
            out.back() += '"';
            ++i;
        } else if (c == '"' && (quoted || out.back().empty())) {
            quoted = !quoted;
        } else if (quoted) {
            out.back() += c;
        } else if (c == ',') {
            out.emplace_back();
        } else if (c == '\n') {
            break;
        } else if (c != '\r') {
            out.back() += c;
        }
    }
    text.remove_prefix(std::min(i + 1, text.size()));
    return quoted ? std::nullopt : std::optional(std::move(out));
}

}  // namespace

std::string trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return "";
    return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

Result<StaticTokens> StaticTokens::parse(std::string_view csv) {
    StaticTokens out;
    for (std::size_t line = 1; !csv.empty(); ++line) {
        const auto bad = [&](const std::string& why) {
            return Error{ErrorClass::invalid, "record " + std::to_string(line) + " " + why};
        };
        auto record = take_record(csv);
        if (!record) return bad("has a quotation without an end");
        if (record->size() == 1 && trimmed(record->front()).empty()) continue;
        if (record->size() < 3)
            return bad("must have at least 3 columns (token, user name, user uid), found " +
                       std::to_string(record->size()));
        if (record->at(0).empty()) return bad("has no token");
        if (record->at(1).empty()) return bad("has no user name");
        registry::Caller caller;
        caller.user = record->at(1);
        caller.uid = record->at(2);
        if (record->size() > 3) {
            std::string_view groups = record->at(3);
            while (!groups.empty()) {
                const auto end = std::min(groups.find(','), groups.size());
                if (auto group = trimmed(groups.substr(0, end)); !group.empty())
                    caller.groups.push_back(std::move(group));
                groups.remove_prefix(std::min(end + 1, groups.size()));
            }
        }
        if (!out.by_hash_.emplace(sha256_hex(record->at(0)), std::move(caller)).second)
            return bad("has the token of another one");
    }
    return out;
}

const registry::Caller* StaticTokens::find(const std::string& token) const {
    // by its hash: how long the search takes says nothing of the token
    const auto found = by_hash_.find(sha256_hex(token));
    return found == by_hash_.end() ? nullptr : &found->second;
}

Result<Revoked> Revoked::parse(std::string_view text) {
    const Error bad{ErrorClass::invalid, "not a JSON object of names and times such as 2026-11-22T10:00:00Z"};
    const auto read = api::parse_json(text);
    if (!read || !read->value.is_object() || !read->duplicates.empty()) return bad;
    Revoked out;
    for (const auto& [user, value] : read->value.get_object()) {
        const auto time = value.is_string() ? parse_rfc3339(value.get_string()) : Result<WallTime>(bad);
        if (!time) return bad;
        out.times_.emplace(user, *time);
    }
    return out;
}

std::string Revoked::to_text() const {
    api::json::object out;
    for (const auto& [user, time] : times_) out[user] = rfc3339_micro(time);
    return api::to_text(out) + "\n";
}

void Revoked::add(const std::string& user, WallTime now) {
    auto& time = times_[user];
    time = std::max(time, now);
}

std::optional<WallTime> Revoked::of(const std::string& user) const {
    const auto found = times_.find(user);
    return found == times_.end() ? std::nullopt : std::optional(found->second);
}

bool Revoked::covers(const net::PeerCertificate& certificate) const {
    const auto found = times_.find(certificate.common_name);
    return found != times_.end() && certificate.not_before <= found->second;
}

}  // namespace ocim::apiserver
