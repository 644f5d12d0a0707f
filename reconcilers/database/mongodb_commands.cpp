#include "database/mongodb_commands.hpp"

#include "runtime/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <algorithm>
#include <array>

namespace ocim::database::mongodb {

namespace {

namespace json = api::json;

constexpr std::string_view any_host = "%";
constexpr std::string_view admin = "admin";
constexpr std::string_view sha_256 = "SCRAM-SHA-256";
/// Notes in one answer, as far as they fit into one.
constexpr int notes_max = 50'000;
/// The server gives up before we hang up.
constexpr int time_max_ms = 20'000;

json::object bounded(json::object command) {
    command["maxTimeMS"] = time_max_ms;
    return command;
}
json::object written(json::object command) {
    command["writeConcern"] = json::object{{"w", "majority"}, {"wtimeout", 15'000}};
    return bounded(std::move(command));
}

json::array texts(const std::vector<std::string>& from) { return json::array(from.begin(), from.end()); }
json::object among(const std::set<std::string>& names) { return {{"$in", json::array(names.begin(), names.end())}}; }

json::array roles_of(const Key& grant, const std::set<std::string>& names) {
    const auto where = grant.database == whole_server ? std::string(admin) : plain(grant.database);
    json::array out;
    for (const auto& name : names) out.push_back(json::object{{"role", name}, {"db", where}});
    return out;
}

json::object remark_object(const Remark& remark) {
    json::object out;
    if (remark.mark) out["mark"] = remark.mark->text();
    if (!remark.fingerprint.empty()) out["print"] = remark.fingerprint;
    if (remark.ends) out["ends"] = *remark.ends;
    if (remark.closed) out["closed"] = true;
    if (remark.pending) out["pending"] = true;
    return out;
}

std::optional<std::int64_t> whole_number(const Json* value) {
    if (!value || !value->is_number()) return std::nullopt;
    boost::system::error_code inexact;
    const auto out = value->to_number<std::int64_t>(inexact);
    return inexact ? std::nullopt : std::optional(out);
}

Remark parse_remark(const Json& from) {
    Remark out;
    out.mark = runtime::Mark::parse(api::find_text(from, {"mark"}));
    if (!out.mark) return {};
    out.fingerprint = std::string(api::find_text(from, {"print"}));
    const auto* ends = api::find(from, {"ends"});
    out.ends = whole_number(ends);
    if (ends && !out.ends) return {};  // when it ends cannot be read, so it is not ours to end
    const auto is_true = [&](std::string_view name) {
        const auto* value = api::find(from, {name});
        return value && value->is_bool() && value->get_bool();
    };
    out.closed = is_true("closed");
    out.pending = is_true("pending");
    return out;
}

std::string hmac(const std::string& key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), out.data(), &size);
    return {out.begin(), out.begin() + size};
}

std::string digest(const std::string& text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), out.data(), &size, EVP_sha256(), nullptr);
    return {out.begin(), out.begin() + size};
}

}  // namespace

std::string home_of(const Key& account) { return account.host == any_host ? std::string(admin) : account.host; }
Key account_key(const std::string& name, const std::string& home) {
    return {Key::Kind::user, name, home == admin ? std::string(any_host) : home, ""};
}
std::string in_small_letters(std::string name) {
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return name;
}
bool reserved_database(std::string_view name, const Ways& ways) {
    return name == admin || name == "config" || name == "local" || name == ways.metadata;
}

Rights rights_of(const Json& user) {
    Rights out;
    const auto* roles = api::find(user, {"roles"});
    if (!roles || !roles->is_array()) return out;
    for (const auto& role : roles->get_array()) {
        const std::string where(api::find_text(role, {"db"}));
        out[where == admin ? std::string(whole_server) : pattern(where)].emplace(api::find_text(role, {"role"}));
    }
    return out;
}

json::object custom_data(const Remark& remark) { return {{"ocim", remark_object(remark)}}; }
Remark parse_custom_data(const Json& user) {
    const auto* found = api::find(user, {"customData", "ocim"});
    return found ? parse_remark(*found) : Remark{};
}
json::object note(const std::string& database, const Remark& remark) {
    json::object out{{"_id", database}};
    for (auto& [name, value] : remark_object(remark)) out[name] = value;
    return out;
}
Remark parse_note(const Json& note) { return parse_remark(note); }

std::string credentials_text(const Json& user) {
    const auto* credentials = api::find(user, {"credentials"});
    if (!credentials || !credentials->is_object()) return "id " + std::string(api::find_text(user, {"userId"}));
    std::set<std::string> out;
    for (const auto& [mechanism, kept] : credentials->get_object())
        out.insert(std::string(mechanism) + " " + std::string(api::find_text(kept, {"salt"})) + " " +
                   std::string(api::find_text(kept, {"storedKey"})));
    std::string text;
    for (const auto& one : out) text += (text.empty() ? "" : " ") + one;
    return text;
}

std::optional<bool> fits(const Json& user, const Secret& password) {
    const auto* kept = api::find(user, {"credentials", sha_256});
    const auto& text = password.reveal();
    const bool plain_text = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
    const auto rounds = kept ? whole_number(api::find(*kept, {"iterationCount"})) : std::nullopt;
    // other texts are normalized first (RFC 4013); so many rounds are nobody's setting
    if (!plain_text || !rounds || *rounds < 1 || *rounds > 1'000'000) return std::nullopt;
    const auto salt = runtime::from_base64(std::string(api::find_text(*kept, {"salt"})));
    const auto stored = runtime::from_base64(std::string(api::find_text(*kept, {"storedKey"})));
    if (!salt || !stored) return std::nullopt;
    std::string salted(32, '\0');
    if (PKCS5_PBKDF2_HMAC(text.data(), static_cast<int>(text.size()),
                          reinterpret_cast<const unsigned char*>(salt->data()), static_cast<int>(salt->size()),
                          static_cast<int>(*rounds), EVP_sha256(), static_cast<int>(salted.size()),
                          reinterpret_cast<unsigned char*>(salted.data())) != 1)
        return std::nullopt;
    return digest(hmac(salted, "Client Key")) == *stored;
}

bool has_mechanisms(const Json& user, const std::vector<std::string>& mechanisms) {
    const auto* shown = api::find(user, {"mechanisms"});
    if (!shown || !shown->is_array()) return true;
    std::set<std::string> have;
    for (const auto& one : shown->get_array())
        if (one.is_string()) have.emplace(one.get_string());
    return std::ranges::equal(have, mechanisms);
}

json::object read_users() {
    return bounded({{"usersInfo", json::object{{"forAllDBs", true}}}, {"showCredentials", true}});
}
json::object read_users_between(const std::string& from, const std::string& below) {
    json::object range;
    if (!from.empty()) range["$gte"] = from;
    if (!below.empty()) range["$lt"] = below;
    auto out = read_users();
    out["filter"] = json::object{{"user", std::move(range)}};
    return out;
}
json::object read_these_users(const std::vector<Key>& accounts) {
    json::array out;
    for (const auto& key : accounts) out.push_back(json::object{{"user", key.name}, {"db", home_of(key)}});
    return bounded({{"usersInfo", std::move(out)}, {"showCredentials", true}});
}
json::object read_databases() {
    // false: who may not see all of them is refused, instead of being shown a few
    return bounded({{"listDatabases", 1}, {"nameOnly", true}, {"authorizedDatabases", false}});
}
json::object read_these_databases(const std::set<std::string>& names) {
    auto out = read_databases();
    out["filter"] = json::object{{"name", among(names)}};
    return out;
}
json::object read_notes() { return bounded({{"find", "owned"}, {"batchSize", notes_max}}); }
json::object read_these_notes(const std::set<std::string>& names) {
    auto out = read_notes();
    out["filter"] = json::object{{"_id", among(names)}};
    return out;
}
json::object read_more(std::int64_t cursor) {
    return {{"getMore", cursor}, {"collection", "owned"}, {"batchSize", notes_max}};
}

json::object create_account(const Key& key, const Remark& remark, const Ways& ways) {
    return written({{"createUser", key.name},
                    {"roles", json::array{}},
                    {"customData", custom_data(remark)},
                    {"mechanisms", texts(ways.mechanisms)}});
}
json::object set_password(const Key& key, const Remark& remark, const Ways& ways) {
    return written(
        {{"updateUser", key.name}, {"customData", custom_data(remark)}, {"mechanisms", texts(ways.mechanisms)}});
}
json::object write_remark(const Key& key, const Remark& remark) {
    return written({{"updateUser", key.name}, {"customData", custom_data(remark)}});
}
json::object close_account(const Key& key, const Remark& remark) {
    return written({{"updateUser", key.name}, {"customData", custom_data(remark)}, {"roles", json::array{}}});
}
json::object drop_account(const Key& key) { return written({{"dropUser", key.name}}); }
json::object add_roles(const Key& grant, const std::set<std::string>& roles) {
    return written({{"grantRolesToUser", grant.name}, {"roles", roles_of(grant, roles)}});
}
json::object take_roles(const Key& grant, const std::set<std::string>& roles) {
    return written({{"revokeRolesFromUser", grant.name}, {"roles", roles_of(grant, roles)}});
}

json::object insert_notes(const std::vector<json::object>& notes) {
    return written({{"insert", "owned"}, {"documents", json::array(notes.begin(), notes.end())}, {"ordered", false}});
}
json::object replace_note(const std::string& database, const runtime::Mark& former, const Remark& remark) {
    json::object unset{{"ends", ""}, {"pending", ""}};
    auto set = remark_object(remark);
    for (const auto& [name, value] : set) unset.erase(name);
    json::object change{{"$set", std::move(set)}};
    if (!unset.empty()) change["$unset"] = std::move(unset);
    return written(
        {{"update", "owned"},
         {"updates", json::array{json::object{{"q", json::object{{"_id", database}, {"mark", former.text()}}},
                                              {"u", std::move(change)}}}}});
}
json::object settle_notes(const std::set<std::string>& names) {
    return written({{"update", "owned"},
                    {"updates", json::array{json::object{{"q", json::object{{"_id", among(names)}, {"pending", true}}},
                                                         {"u", json::object{{"$unset", json::object{{"pending", ""}}}}},
                                                         {"multi", true}}}}});
}
json::object strike_pending(const std::set<std::string>& names) {
    return written({{"delete", "owned"},
                    {"deletes", json::array{json::object{{"q", json::object{{"_id", among(names)}, {"pending", true}}},
                                                         {"limit", 0}}}}});
}
json::object strike_note(const std::string& database) {
    return written({{"delete", "owned"},
                    {"deletes", json::array{json::object{{"q", json::object{{"_id", database}}}, {"limit", 1}}}}});
}
json::object drop_users_of_database() { return written({{"dropAllUsersFromDatabase", 1}}); }
json::object drop_roles_of_database() { return written({{"dropAllRolesFromDatabase", 1}}); }
json::object drop_database() { return written({{"dropDatabase", 1}}); }

ErrorClass class_of(int code) {
    switch (code) {
        case 13:    // Unauthorized
        case 18:    // AuthenticationFailed
        case 8000:  // a managed service's refusal
            return ErrorClass::auth;
        case 462:    // IngressRequestRateLimitExceeded
        case 16500:  // a managed service's "request rate is large"
            return ErrorClass::rate_limited;
        case 2:               // BadValue
        case 9:               // FailedToParse
        case 14:              // TypeMismatch
        case 20:              // IllegalOperation
        case role_not_found:  // 31
        case 59:              // CommandNotFound
        case 72:              // InvalidOptions
        case 73:              // InvalidNamespace
        case 13297:           // DatabaseDifferCase
        case 40415:           // an unknown field
            return ErrorClass::invalid;
        case user_not_found: return ErrorClass::not_found;
        case user_exists:
        case duplicate_key: return ErrorClass::conflict;
        default: break;
    }
    return ErrorClass::transient;
}

bool effect_unknown(int code) {
    static constexpr std::array codes{6,   7,   50,  64,   79,    89,    91,      // network, time, write concern
                                      100, 189, 262, 9001, 11600, 11602, 11601};  // interrupted, stepped down
    return std::ranges::find(codes, code) != codes.end();
}

bool is_too_large(int code) {
    return code == 10334 || code == 13548;  // a document's size, a buffer's
}

bool understood(const std::set<std::string>& privileges, bool whole, std::string& invalid) {
    static const std::set<std::string> of_server{"clusterMonitor"};
    static const std::set<std::string> of_database{"read", "readWrite", "dbAdmin", "dbOwner"};
    for (const auto& privilege : privileges) {
        if ((whole ? of_server : of_database).contains(privilege)) continue;
        invalid = privilege;
        return false;
    }
    return true;
}

}  // namespace ocim::database::mongodb
