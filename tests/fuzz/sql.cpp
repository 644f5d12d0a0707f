#include "database/mysql_sql.hpp"
#include "database/postgresql_sql.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
namespace mysql = database::mysql;
namespace postgresql = database::postgresql;

namespace {

/// As MySQL reads what stands between two `quote`s, with NO_BACKSLASH_ESCAPES.
std::string mysql_reads(std::string_view word, char quote) {
    fuzz::expect(word.size() >= 2 && word.front() == quote && word.back() == quote, "a word is quoted",
                 std::string(word));
    word = word.substr(1, word.size() - 2);
    std::string out;
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (word[i] == quote) {
            ++i;
            fuzz::expect(i < word.size() && word[i] == quote, "a word ends where it ends", std::string(word));
        }
        out += word[i];
    }
    return out;
}

}  // namespace

/// A name and a host, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 2);
    const std::string name(input[0]), host(input[1]);
    fuzz::expect(mysql_reads(mysql::identifier(name), '`') == name, "an identifier is read as it was", name);
    fuzz::expect(mysql_reads(mysql::literal(name), '\'') == name, "a text is read as it was", name);
    fuzz::expect(mysql_reads(postgresql::identifier(name), '"') == name, "PostgreSQL's identifier too", name);
    fuzz::expect(mysql_reads(postgresql::literal(name), '\'') == name, "and its text", name);
    (void)postgresql::is_verifier(name);
    (void)postgresql::group_of(name);
    const auto said = postgresql::parse_remark(name);
    if (said.mark)
        fuzz::expect(postgresql::parse_remark(postgresql::remark_text(said)).mark == said.mark, "a remark is read back",
                     name);
    fuzz::expect(database::plain(database::pattern(name)) == name, "a pattern is read as it was", name);
    (void)database::plain(name);
    (void)mysql::privilege_of_column(name);
    (void)mysql::canonical_charset(name);
    (void)mysql::key_of_note(host, name);
    using Kind = database::Key::Kind;
    if (name.find('@') != name.npos) return 0;  // as in the CRD
    const database::Key user{Kind::user, name, host, {}};
    const auto back = mysql::key_of_note("user", database::thing_name(user));
    fuzz::expect(back == user, "a note says of whom it is", database::thing_name(user));
    return 0;
}
