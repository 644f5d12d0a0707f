#include "gitops/known_hosts.hpp"

#include "base/utf8.hpp"
#include "gitops/limits.hpp"
#include "runtime/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <sstream>

namespace ocim::gitops {

namespace {

constexpr std::uint16_t port_default = 22;
constexpr std::size_t name_shown_max = 300;

Error invalid(std::string why) { return {ErrorClass::invalid, std::move(why)}; }

struct Line {
    std::string marker, hosts, key;
};

/// Whether the bytes of a key are of the type that stands before them; a line that was cut says nothing.
bool is_key(const std::string& type, const std::string& text) {
    const auto bytes = runtime::from_base64(text);
    const std::string head = std::string(3, '\0') + static_cast<char>(type.size()) + type;
    return bytes && type.size() < 128 && bytes->starts_with(head) && bytes->size() > head.size();
}

std::optional<Line> read_line(const std::string& text) {
    Line out;
    std::istringstream words(text);
    std::string type, key;
    words >> out.hosts;
    if (out.hosts.starts_with('#')) return std::nullopt;
    if (out.hosts.starts_with('@')) {
        out.marker = out.hosts;
        words >> out.hosts;
    }
    if (!(words >> type >> key) || !is_key(type, key)) return std::nullopt;
    out.key = type + " " + key;
    return out;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char one) { return static_cast<char>(std::tolower(one)); });
    return out;
}

/// "*" and "?" only; a bracket is one. Goes back to the last star only, so that no pattern takes long.
bool matches(std::string_view pattern, std::string_view name) {
    std::size_t at = 0, in = 0, star = std::string_view::npos, since = 0;
    while (in < name.size()) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            since = in;
        } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == name[in])) {
            ++at;
            ++in;
        } else if (star != std::string_view::npos) {
            at = star + 1;
            in = ++since;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

/// "|1|salt|hash": who has the file does not see whose keys are in it.
bool is_hash_of(std::string_view hashed, const std::string& name) {
    hashed.remove_prefix(std::string_view("|1|").size());
    const auto bar = hashed.find('|');
    if (bar == std::string_view::npos) return false;
    const auto salt = runtime::from_base64(hashed.substr(0, bar)), hash = runtime::from_base64(hashed.substr(bar + 1));
    if (!salt || !hash) return false;
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned length = 0;
    const auto* text = reinterpret_cast<const unsigned char*>(name.data());
    if (!HMAC(EVP_sha1(), salt->data(), static_cast<int>(salt->size()), text, name.size(), out.data(), &length))
        return false;
    return *hash == std::string(reinterpret_cast<const char*>(out.data()), length);
}

/// A negation that fits takes the whole line away.
bool is_of(const std::string& hosts, const std::string& name) {
    if (hosts.starts_with("|1|")) return is_hash_of(hosts, name);
    bool found = false;
    std::istringstream patterns(lower(hosts));
    for (std::string pattern; std::getline(patterns, pattern, ',');) {
        const bool negated = pattern.starts_with('!');
        const bool fits = matches(std::string_view(pattern).substr(negated ? 1 : 0), name);
        if (fits && negated) return false;
        found = found || fits;
    }
    return found;
}

/// What the file says of one name.
struct Known {
    std::vector<std::string> keys{}, revoked{};
    bool by_authority = false;
};

Known known_as(const std::vector<Line>& lines, const std::string& name) {
    Known out;
    for (const auto& line : lines) {
        if (!is_of(line.hosts, name)) continue;
        if (line.marker == "@revoked")
            out.revoked.push_back(line.key);
        else if (line.marker == "@cert-authority")
            out.by_authority = true;
        else if (line.marker.empty() && std::ranges::find(out.keys, line.key) == out.keys.end())
            out.keys.push_back(line.key);
    }
    return out;
}

}  // namespace

Result<std::vector<std::string>> keys_of_host(std::string_view known_hosts, std::string_view host, std::uint16_t port) {
    if (known_hosts.size() > limits::known_hosts_bytes_max)
        return invalid("known_hosts is larger than " + std::to_string(limits::known_hosts_bytes_max) +
                       " bytes; leave only the lines of this repository's host in it");
    std::vector<Line> lines;
    std::istringstream texts{std::string(known_hosts)};
    for (std::string text; std::getline(texts, text);)
        if (auto line = read_line(text)) lines.push_back(*std::move(line));
    const auto bare = lower(host);
    const auto with_port = "[" + bare + "]:" + std::to_string(port);
    const bool own_port = port != port_default;
    auto known = known_as(lines, own_port ? with_port : bare);
    if (own_port) {
        auto more = known_as(lines, bare);
        known.revoked.insert(known.revoked.end(), more.revoked.begin(), more.revoked.end());
        if (known.keys.empty() && !known.by_authority) {
            known.keys = std::move(more.keys);
            known.by_authority = more.by_authority;
        }
    }
    const auto name = one_line(own_port ? with_port : bare, name_shown_max);
    const bool any = !known.keys.empty();
    std::erase_if(known.keys,
                  [&](const std::string& key) { return std::ranges::find(known.revoked, key) != known.revoked.end(); });
    if (!known.keys.empty()) return std::move(known.keys);
    if (any)
        return invalid("known_hosts revokes every key that it has of " + name +
                       "; ask whoever keeps that server for its new key");
    if (known.by_authority)
        return invalid("known_hosts knows " + name +
                       " by an authority only (@cert-authority), and certificates of hosts are not read here; add the "
                       "host's own key, or set spec.hostKey");
    return invalid("known_hosts has no key of " + name + "; add the line that ssh-keyscan" +
                   (own_port ? " -p " + std::to_string(port) : "") + " " + one_line(bare, name_shown_max) +
                   " prints, when its operator says that the key is right, or set spec.hostKey");
}

}  // namespace ocim::gitops
