#pragma once

#include "base/secret.hpp"
#include "runtime/kinds.hpp"
#include "runtime/mark.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// A database server as our tenants see it: schemas, accounts and what accounts may do.
namespace ocim::database {

struct Key {
    enum class Kind {
        schema,
        user,
        grant,
        server,  ///< one, without a name: what the server itself is; where it is not there, it is MySQL
    };
    Kind kind = Kind::schema;
    std::string name;  ///< of the schema, or of the account
    std::string host;  ///< of the account: where it may come from
    /// Of a grant: the pattern of schemas it is for, as GRANT takes it ("\_" is a plain "_"), or "*" for the server.
    std::string database;
    auto operator<=>(const Key&) const = default;
};
inline constexpr std::string_view whole_server = "*";

/// What a server understands.
enum class Engine { mysql, postgresql, mongodb };
/// Whether an account can have one password at a time only.
inline bool has_one_password(Engine engine) { return engine != Engine::mysql; }

struct Thing {
    // schema and user
    std::optional<runtime::Mark> mark;
    bool exists = true;                ///< false: only our note of it is there, so it is ours and unfinished
    std::optional<std::int64_t> ends;  ///< retained until then, in seconds since 1970, and dropped thereafter
    bool reserved = false;             ///< the server's own, or the account we use: nobody may take it
    // schema
    std::string character_set, collation;
    bool whole = true;  ///< false: its owner, its groups or the rights of everybody are not as we make them
    // user
    enum class Login {
        native,   ///< `hash` alone says whether a password fits
        salted,   ///< `hash` is costly to compare with; `fingerprint` says whether a password fits
        unknown,  ///< another method, or several: put right without asking
    };
    Login login = Login::native;
    std::string hash, fingerprint;
    std::string second_hash, second_fingerprint;  ///< of another password that is let in too
    bool locked = false;
    // server
    Engine engine = Engine::mysql;
    // grant: "SELECT", …; "ALL" stands for everything but "GRANT OPTION"
    std::set<std::string> privileges;

    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

inline Engine engine_of(const Snapshot& seen) {
    const auto found = seen.find({Key::Kind::server, "", "", ""});
    return found == seen.end() ? Engine::mysql : found->second.engine;
}

struct Action {
    enum class Verb {
        create_schema,
        alter_schema,  ///< character set and collation of new tables
        drop_schema,
        create_user,
        alter_user,  ///< passwords, method, and unlocked
        close_user,  ///< locked, its sessions ended, and marked: how two-phase deletion begins
        drop_user,   ///< locked first and its sessions ended
        grant,       ///< adds, then takes what is too much
        revoke,      ///< takes all of a grant
        mark,        ///< writes down whose it is, or that it is retained
        forget,      ///< strikes out the note of a thing that is not there
    };
    Verb verb = Verb::create_schema;
    Key key;
    runtime::Mark mark;
    std::string character_set, collation;  ///< collation "": the character set's default
    Secret password;
    std::optional<Secret> second;     ///< of alter_user: another password that is let in too
    std::set<std::string> add, take;  ///< privileges
    /// Of mark and close_user: when the thing is to be dropped. Of a drop, and of a revoke that goes with one: what
    /// must still be noted of the thing.
    std::optional<std::int64_t> ends;
    /// What is there when it is done, but for the hash of a password.
    std::optional<Thing> then;
    std::vector<Key> gone_too;  ///< the grants that go with an account
    bool operator==(const Action&) const = default;
};

using Server = runtime::System<Key, Thing, Action>;

}  // namespace ocim::database
