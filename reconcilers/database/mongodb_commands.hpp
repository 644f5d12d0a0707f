#pragma once

#include "api/json.hpp"
#include "database/job.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// MongoDB's language: what leaves us is made here and nowhere else. Pure. Commands lack what every command has (the
/// database, and a password, which only Connection adds).
namespace ocim::database::mongodb {

using api::Json;

/// How a DatabaseServer wants things done.
struct Ways {
    std::string metadata;                 ///< the database of our notes
    std::vector<std::string> mechanisms;  ///< of the tenants' passwords, sorted
    Key own_account;
};

// --- names

/// The database that an account belongs to, which its clients name as authSource: "%" stands for admin.
std::string home_of(const Key& account);
Key account_key(const std::string& name, const std::string& home);
/// Names that differ in case only are one to the server.
std::string in_small_letters(std::string name);
/// The server's own.
bool reserved_database(std::string_view name, const Ways& ways);

/// Roles, by the database they are for as Key has it.
using Rights = std::map<std::string, std::set<std::string>>;
Rights rights_of(const Json& user);

// --- what is written beside a user, and in our note of a database

struct Remark {
    std::optional<runtime::Mark> mark{};
    std::string fingerprint{};
    std::optional<std::int64_t> ends{};  ///< when what is retained is dropped, in seconds since 1970
    bool closed = false;                 ///< without rights
    bool pending = false;                ///< of a note: the database of that name may still turn out to be another's
    bool operator==(const Remark&) const = default;
};
/// The customData of a user. Whoever owns the database that the user belongs to can write there, so nothing in it may
/// say what we give to anybody.
api::json::object custom_data(const Remark& remark);
Remark parse_custom_data(const Json& user);
api::json::object note(const std::string& database, const Remark& remark);
Remark parse_note(const Json& note);

// --- passwords

/// What the server keeps of a user's password, or, where it does not show that, what tells this user from all others.
std::string credentials_text(const Json& user);
/// Whether it is this password; nothing where it cannot be told by what is shown.
std::optional<bool> fits(const Json& user, const Secret& password);
/// Whether a user logs in by exactly these mechanisms; true where the server does not say it.
bool has_mechanisms(const Json& user, const std::vector<std::string>& mechanisms);

// --- commands

api::json::object read_users();
/// Of those users whose names are in [from, below); "" is no bound.
api::json::object read_users_between(const std::string& from, const std::string& below);
api::json::object read_these_users(const std::vector<Key>& accounts);
api::json::object read_databases();
api::json::object read_these_databases(const std::set<std::string>& names);
api::json::object read_notes();
api::json::object read_these_notes(const std::set<std::string>& names);
/// Without a bound of time: the server refuses one here, and the first command's holds for all of them.
api::json::object read_more(std::int64_t cursor);

api::json::object create_account(const Key& key, const Remark& remark, const Ways& ways);  ///< and its password
api::json::object set_password(const Key& key, const Remark& remark, const Ways& ways);    ///< and its password
api::json::object write_remark(const Key& key, const Remark& remark);
/// Without any role.
api::json::object close_account(const Key& key, const Remark& remark);
api::json::object drop_account(const Key& key);
api::json::object add_roles(const Key& grant, const std::set<std::string>& roles);
api::json::object take_roles(const Key& grant, const std::set<std::string>& roles);

api::json::object insert_notes(const std::vector<api::json::object>& notes);
/// Only if the note is still `former`.
api::json::object replace_note(const std::string& database, const runtime::Mark& former, const Remark& remark);
api::json::object settle_notes(const std::set<std::string>& names);
api::json::object strike_pending(const std::set<std::string>& names);
api::json::object strike_note(const std::string& database);
api::json::object drop_users_of_database();
api::json::object drop_roles_of_database();
api::json::object drop_database();

// --- errors

ErrorClass class_of(int code);
/// The command may have had its effect.
bool effect_unknown(int code);
inline constexpr int user_not_found = 11, role_not_found = 31, duplicate_key = 11000, user_exists = 51003;
/// The answer would be larger than an answer can be.
bool is_too_large(int code);

/// What a tenant may ask for: what the server does not give is in `invalid` when it comes back false.
bool understood(const std::set<std::string>& privileges, bool whole, std::string& invalid);

}  // namespace ocim::database::mongodb
