#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "database/job.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// MySQL's language: what leaves us is made here and nowhere else. Pure.
namespace ocim::database::mysql {

/// What differs from server to server.
struct Dialect {
    bool mariadb = true;
    /// MySQL's partial_revokes: schema names in grants are taken literally, not as patterns.
    bool literal_grants = false;
    bool operator==(const Dialect&) const = default;
};

// --- escaping. Sessions run with NO_BACKSLASH_ESCAPES, so a quote is all that ends a string.

std::string identifier(std::string_view name);  ///< `a``b`
std::string literal(std::string_view text);     ///< 'a''b'
/// 'user'@'host'
std::string account(const Key& key);

// --- passwords. They travel as what the server stores.

/// mysql_native_password: "*" and 40 hex digits.
std::string native_hash(const Secret& password);
/// "SHA-crypt" with SHA-256 and 5,000 rounds, as its author published it, without its bound of 16 characters for the
/// salt: the 43 characters of the digest.
std::string sha_crypt(const Secret& password, std::string_view salt);
/// caching_sha2_password: "$A$005$", the salt (20 characters) and SHA-crypt's digest.
std::string salted_hash(const Secret& password, std::string_view salt);
// --- reading

/// "Create_tmp_table_priv" -> "CREATE TEMPORARY TABLES"; "" for a column that is no privilege.
std::string privilege_of_column(std::string_view column);
/// As a snapshot compares them: MariaDB and MySQL call utf8 "utf8mb3" when asked.
std::string canonical_charset(std::string_view name);

/// What the loop does about an error number of the server (1000…) or of the client library (2000…).
ErrorClass class_of(unsigned code);
/// The call was cut off: it may have had its effect.
bool outcome_unknown(unsigned code);

// --- writing

/// The session's settings: one statement.
std::string session_settings(const Dialect& dialect);
/// What makes `metadata`.owned where it is not there.
std::vector<std::string> make_notes(std::string_view metadata);
/// What a table of an earlier release lacks. One that is there is refused as such.
std::vector<std::string> upgrade_notes(std::string_view metadata);
/// One row of `owned`.
struct Note {
    Key key;
    runtime::Mark mark;
    std::string fingerprint;         ///< of an account; "" leaves what is there
    std::string second_fingerprint;  ///< goes with it
    std::optional<std::int64_t> ends{};
};
std::optional<Key> key_of_note(std::string_view kind, std::string_view name);
std::string read_notes(std::string_view metadata);
std::string read_notes(std::string_view metadata, const std::vector<Key>& keys);
std::string write_notes(std::string_view metadata, const std::vector<Note>& notes);
std::string strike_notes(std::string_view metadata, const std::vector<Key>& keys);

/// The schemas and the accounts among `keys` that are there: rows of (kind, name) as in `owned`.
std::string existing(const std::vector<Key>& keys);

std::string create_schema(const Action& action);
std::string alter_schema(const Action& action);
std::string create_user(const Dialect& dialect, const Key& key, const std::string& hash);
/// Lets in who has the password of `hash`, or of `second` where it is not empty, and nobody else. Whoever has the
/// password that both the former state and the new one let in is never refused in between; on MySQL that is the one of
/// `second`.
std::vector<std::string> alter_user(const Dialect& dialect, const Key& key, const std::string& hash,
                                    const std::string& second);
/// GRANT, REVOKE: in an order in which nothing wanted is ever missing, where the language allows it.
std::vector<std::string> set_privileges(const Dialect& dialect, const Action& action);

std::string lock_user(const Key& key);
/// The sessions of an account; none when another account has the same name, because nobody can tell them apart.
std::string sessions_of(const Key& key);
std::string drop_user(const Key& key);
std::string drop_schema(const Key& key);

}  // namespace ocim::database::mysql
