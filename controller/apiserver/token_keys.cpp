#include "apiserver/token_keys.hpp"

#include "apiserver/access_limits.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

constexpr std::string_view mark = "tokens-until: ";
constexpr std::string_view end_of_key = "-----END ";

/// The next line of `text`, which loses it.
std::string_view take_line(std::string_view& text) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

}  // namespace

Result<TokenKeys> TokenKeys::make() {
    TokenKeys out;
    if (auto made = out.renew(); !made) return std::move(made).error();
    return out;
}

Result<TokenKeys> TokenKeys::parse(std::string_view text) {
    TokenKeys out;
    std::string pem;
    std::optional<WallTime> until;
    while (!text.empty()) {
        const auto line = take_line(text);
        if (line.starts_with(mark)) {
            const auto time = parse_rfc3339(line.substr(mark.size()));
            if (!time) return Error{ErrorClass::invalid, "\"tokens-until:\" is not followed by a time"};
            until = *time;
            continue;
        }
        (pem += line) += '\n';
        if (!line.starts_with(end_of_key)) continue;
        Secret kept(std::exchange(pem, {}));
        auto key = TokenKey::read(kept);
        if (!key) return std::move(key).error();
        if (out.keys_.size() >= limits::token_keys_max) return Error{ErrorClass::invalid, "there are too many keys"};
        if (std::ranges::any_of(out.keys_, [&](const One& one) { return one.key.id() == key->id(); }))
            return Error{ErrorClass::invalid, "a token key is there twice"};
        out.keys_.push_back({*std::move(key), std::move(kept), std::exchange(until, {})});
    }
    if (out.keys_.empty()) return TokenKey::read(Secret()).error();
    return out;
}

Secret TokenKeys::to_text() const {
    std::string out;
    for (const auto& one : keys_) {
        if (one.until) out += std::string(mark) + rfc3339(*one.until) + "\n";
        out += one.pem.reveal();
        if (!out.ends_with('\n')) out += '\n';
    }
    return Secret(std::move(out));
}

bool TokenKeys::same_as(const TokenKeys& other) const {
    return std::ranges::equal(keys_, other.keys_, [](const One& a, const One& b) { return a.key.id() == b.key.id(); });
}

Result<api::Json> TokenKeys::verify(std::string_view token) const {
    auto out = first().verify(token);
    for (std::size_t i = 1; i < keys_.size() && !out; ++i) out = keys_[i].key.verify(token);
    return out;
}

api::json::array TokenKeys::public_jwks() const {
    api::json::array out;
    for (const auto& one : keys_) out.push_back(one.key.public_jwk());
    return out;
}

bool TokenKeys::note(const std::string& key, WallTime until) {
    const auto found = std::ranges::find_if(keys_, [&](const One& one) { return one.key.id() == key; });
    if (found == keys_.end()) return false;
    // of a key without a time nobody knows what else it signed
    if (found->until) found->until = std::max(*found->until, until);
    return true;
}

Result<void> TokenKeys::renew() {
    if (keys_.size() >= limits::token_keys_max)
        return Error{ErrorClass::invalid, "there are tokens of " + std::to_string(keys_.size()) +
                                              " keys that have not run out: no more keys are kept"};
    auto pem = TokenKey::make_pem();
    if (!pem) return std::move(pem).error();
    auto key = TokenKey::read(*pem);
    if (!key) return std::move(key).error();
    keys_.insert(keys_.begin(), One{*std::move(key), *std::move(pem), WallTime{}});
    return {};
}

std::size_t TokenKeys::forget_ended(WallTime now) {
    const auto before = keys_.size();
    const auto old =
        std::remove_if(keys_.begin() + 1, keys_.end(), [&](const One& one) { return one.until && *one.until <= now; });
    keys_.erase(old, keys_.end());
    return before - keys_.size();
}

std::size_t TokenKeys::forget_old() {
    const auto before = keys_.size();
    keys_.erase(keys_.begin() + 1, keys_.end());
    return before - 1;
}

}  // namespace ocim::apiserver
