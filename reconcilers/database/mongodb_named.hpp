#pragma once

#include "database/mongodb_commands.hpp"
#include "database/mongodb_connection.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

/// What is there of a few names, asked just before something is done to them.
namespace ocim::database::mongodb {

struct Named {
    std::map<Key, Json> users;
    std::map<std::string, Remark> notes;
    std::set<std::string> databases;

    Remark remark(const Key& key) const {
        if (key.kind == Key::Kind::schema) {
            const auto found = notes.find(key.name);
            return found == notes.end() ? Remark{} : found->second;
        }
        const auto found = users.find(key);
        return found == users.end() ? Remark{} : parse_custom_data(found->second);
    }
    bool exists(const Key& key) const {
        if (key.kind != Key::Kind::schema) return users.contains(key);
        const auto note = notes.find(key.name);
        return databases.contains(key.name) || (note != notes.end() && !note->second.pending);
    }
};

Result<void> look_up_users(Connection& connection, const std::vector<Key>& accounts, Named& out);
Result<void> look_up_databases(Connection& connection, const std::set<std::string>& names, Named& out);
/// One counts as there also when its name is written otherwise, in capital letters.
Result<void> look_up_in_any_case(Connection& connection, const std::set<std::string>& names, Named& out);
Result<Named> look_up(Connection& connection, const Ways& ways, const std::vector<Key>& keys);

/// Whether what is there now is not what a drop was decided on, but another's, or nobody's.
bool is_anothers(const Action& action, const Named& named);
/// Whether a window has been ended before its time: what is noted is not what the drop was decided on.
bool was_taken_back(const Action& action, const Named& named);

}  // namespace ocim::database::mongodb
