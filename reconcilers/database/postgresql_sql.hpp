#pragma once

#include "base/result.hpp"
#include "database/job.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// PostgreSQL's language: what leaves us is made here and nowhere else. Pure.
namespace ocim::database::postgresql {

// --- escaping, for the statements that take no parameters. Sessions run with standard_conforming_strings.

std::string identifier(std::string_view name);  ///< "a""b"
std::string literal(std::string_view text);     ///< 'a''b'
/// A parameter of type text[].
std::string array(const std::vector<std::string>& texts);

/// Whether a text is what a server stores of a password by SCRAM-SHA-256; it takes what is not for one in the clear.
bool is_verifier(std::string_view text);

// --- names

/// The roles that stand for the rights to one database: who holds them is in the shared catalogs, and so is read for
/// all databases at once. No account can have such a name, because those have no ":".
enum class Group { owner, writer, reader };
inline constexpr Group groups[] = {Group::owner, Group::writer, Group::reader};
std::string group(std::string_view database, Group which);
struct GroupOf {
    std::string database;
    Group which;
};
/// Nothing when it is not the name of a group.
std::optional<GroupOf> group_of(std::string_view role);

/// The server's own word for a character set that it knows by several.
std::string encoding(std::string_view character_set);
/// The collation of a database that does not name one.
std::string default_collation(std::string_view encoding);

// --- what is written beside a role: the mark, and of an account the fingerprint of its password

struct Remark {
    std::optional<runtime::Mark> mark{};
    std::string fingerprint{};
    std::optional<std::int64_t> ends{};  ///< when what is retained is dropped, in seconds since 1970
};
std::string remark_text(const Remark& remark);
Remark parse_remark(std::string_view text);

// --- reading

inline constexpr std::string_view read_databases =
    "SELECT d.datname, r.rolname AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate,"
    " d.datistemplate, d.datallowconn AND d.datconnlimit <> -2 AS open,"
    " shobj_description(d.oid, 'pg_database') AS remark"
    " FROM pg_database d JOIN pg_authid r ON r.oid = d.datdba";
inline constexpr std::string_view read_roles =
    "SELECT rolname, rolcanlogin AND coalesce(rolvaliduntil > now(), true) AND rolinherit AS usable, rolsuper,"
    " rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolpassword, rolname = current_user AS self,"
    " shobj_description(oid, 'pg_authid') AS remark FROM pg_authid WHERE rolname !~ '^pg_'";
inline constexpr std::string_view read_members =
    "SELECT m.rolname AS member, g.rolname AS of, a.admin_option FROM pg_auth_members a"
    " JOIN pg_authid m ON m.oid = a.member JOIN pg_authid g ON g.oid = a.roleid WHERE m.rolname !~ '^pg_'";
inline constexpr std::string_view read_rights =
    "SELECT d.datname, coalesce(r.rolname, '') AS grantee, a.grantee = 0 AS everybody, a.privilege_type,"
    " a.is_grantable FROM pg_database d"
    " CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a"
    " LEFT JOIN pg_authid r ON r.oid = a.grantee WHERE a.grantee <> d.datdba";
inline constexpr std::string_view read_roles_taken =
    "SELECT d.datname, r.rolname, substr(c, 6) AS taken FROM pg_db_role_setting s JOIN pg_database d"
    " ON d.oid = s.setdatabase JOIN pg_authid r ON r.oid = s.setrole, unnest(s.setconfig) c WHERE c LIKE 'role=%'";

/// $1: names of databases, $2: names of roles. Rows of (kind, name, remark, owner, hash).
inline constexpr std::string_view read_named =
    "SELECT 'database' AS kind, d.datname AS name, shobj_description(d.oid, 'pg_database') AS remark,"
    " r.rolname AS owner, '' AS hash FROM pg_database d JOIN pg_authid r ON r.oid = d.datdba WHERE d.datname = "
    "ANY($1::text[])"
    " UNION ALL SELECT 'role', rolname, shobj_description(oid, 'pg_authid'), '', rolpassword FROM pg_authid"
    " WHERE rolname = ANY($2::text[])";
/// $1: a database. Rows of (encoding, collation).
inline constexpr std::string_view read_unchangeable =
    "SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collation FROM pg_database WHERE datname = $1";
/// $1: an account. The databases that it owns.
inline constexpr std::string_view read_owned =
    "SELECT d.datname FROM pg_database d JOIN pg_authid r ON r.oid = d.datdba WHERE r.rolname = $1";
/// $1: an account. The databases in which something depends on it, and whether they have an owner's group.
inline constexpr std::string_view read_dependents =
    "SELECT DISTINCT d.datname, EXISTS (SELECT 1 FROM pg_authid g WHERE g.rolname = d.datname || ':owner') AS ours"
    " FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid JOIN pg_authid r ON r.oid = s.refobjid"
    " WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1";
/// $1: an account.
inline constexpr std::string_view end_sessions =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1";

/// What the loop does about an SQLSTATE.
ErrorClass class_of(std::string_view sqlstate);

// --- writing. A text of several statements is one transaction, and one turn to the server and back.

/// The groups of a database that are not in `have`, and the remark on all of them.
std::string make_groups(const std::string& database, const Remark& remark, const std::set<std::string>& have);
std::string drop_groups(const std::string& database);
/// Says nothing but this, and stands alone: it goes into no transaction.
std::string create_database(const Action& action);
std::string drop_database(const std::string& database);
/// Gives the database to its owner's group and opens it for its groups only. The mark goes, and is written again when
/// the inside is settled too.
std::string close_doors(const std::string& database);
std::string mark_database(const std::string& database, const Remark& remark);
/// Inside of the database: what there is belongs to the owner's group, and readers can read and do no more. Two
/// statements: the first takes $1 owner, $2 writer, $3 reader.
extern const std::string_view name_groups, settle_inside;

std::string create_account(const Key& key, const std::string& hash, const std::string& remark);
std::string alter_account(const Key& key, const std::string& hash, const std::string& remark);
std::string close_account(const Key& key);
std::string drop_account(const Key& key);
/// What the account leaves in the database that the session is in.
std::string leave(const Key& key, const std::string& heir);
std::string write_remark(const Key& key, const std::string& remark);

/// Makes the rights of an account exactly `wanted`: to one database, whose groups and which itself are in `have`, or
/// to the whole server, where `taken` is what it holds too much.
std::string set_rights(const Key& grant, const std::set<std::string>& wanted, const std::set<std::string>& taken,
                       const std::set<std::string>& have);

/// What a tenant may ask for: everything that the server does not give is in `invalid` when it comes back false.
bool understood(const std::set<std::string>& privileges, bool whole, std::string& invalid);
/// The rights without those that others of them contain.
std::set<std::string> reduced(std::set<std::string> privileges);

/// "MEMBER OF x": what an account holds of a role that is not ours.
inline constexpr std::string_view member_of = "MEMBER OF ";
/// Beside "ALL": the account does not act as the owner, so what it makes is not the owner's.
inline constexpr std::string_view under_own_name = "UNDER ITS OWN NAME";

}  // namespace ocim::database::postgresql
