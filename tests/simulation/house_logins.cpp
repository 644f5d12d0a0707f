#include "crd/appservers.hpp"
#include "database/mysql_sql.hpp"
#include "messaging/text.hpp"
#include "simulation/house_story.hpp"

#include <algorithm>

/// What machines were given to log in with, and whether they are let in.
namespace ocim::simulation {

namespace {

/// The value of one variable in the document that a playbook gets: "NAME": !unsafe "value".
std::string variable(std::string_view document, const std::string& name) {
    auto at = document.find("\"" + name + "\": ");
    if (at == std::string_view::npos) return "";
    at = document.find('"', at + name.size() + 3);
    return std::string(document.substr(at + 1, document.find('"', at + 1) - at - 1));
}

}  // namespace

void HouseStory::note_logins(const std::string& machine, const openedx::RunAction& action) {
    const auto file = action.inputs.find("variables.yml");
    if (action.verb != openedx::RunAction::Verb::start || file == action.inputs.end()) return;
    const auto document = file->second.reveal();
    auto& given = logins_[machine];
    given.clear();
    const auto add = [&](bool broker, const std::string& user, const std::string& password) {
        given.push_back({variable(document, user), Secret(variable(document, password)), broker});
    };
    add(false, "EDXAPP_MYSQL_USER", "EDXAPP_MYSQL_PASSWORD");
    add(false, "XQUEUE_MYSQL_USER", "XQUEUE_MYSQL_PASSWORD");
    add(true, "XQUEUE_RABBITMQ_USER", "XQUEUE_RABBITMQ_PASS");
    add(true, "EDXAPP_CELERY_USER", "EDXAPP_CELERY_PASSWORD");
    if (!undisturbed()) return;
    auto all = let_in(database_.things(universe_.now));
    all.merge(let_in(broker_.things(universe_.now)));
    for (const auto& login : given)
        if (!all.contains(machine + " " + login.user))
            refused_.push_back(machine + " begins with " + login.user + ", who is refused");
}

bool HouseStory::lets_in(const database::Snapshot& things, const Login& login) {
    const auto found = things.find({database::Key::Kind::user, login.user, "%", ""});
    if (found == things.end() || !found->second.exists) return false;
    const auto hash = database::mysql::native_hash(login.password);
    return found->second.hash == hash || found->second.second_hash == hash;
}

bool HouseStory::lets_in(const messaging::Snapshot& things, const Login& login) {
    using Kind = messaging::Key::Kind;
    const auto found = things.find({Kind::user, "", login.user});
    const auto may = [&](const auto& item) {
        return item.first.kind == Kind::permission && item.first.name == login.user;
    };
    return found != things.end() && messaging::fits(found->second, login.password) && std::ranges::any_of(things, may);
}

/// Of machines that are there: "machine user".
template <class Things>
std::set<std::string> HouseStory::let_in(const Things& things) {
    constexpr bool broker = std::is_same_v<Things, messaging::Snapshot>;
    const auto machines = grounds_->machines();
    std::set<std::string> out;
    for (const auto& [machine, given] : logins_) {
        if (!machines.contains(machine)) continue;
        for (const auto& login : given)
            if (login.broker == broker && lets_in(things, login)) out.insert(machine + " " + login.user);
    }
    return out;
}
template std::set<std::string> HouseStory::let_in(const database::Snapshot&);
template std::set<std::string> HouseStory::let_in(const messaging::Snapshot&);

/// Nothing that we do may refuse a machine that was let in; people and strangers may.
void HouseStory::compare(const std::set<std::string>& before, const std::set<std::string>& after,
                         const std::string& what) {
    for (const auto& login : before)
        if (!after.contains(login)) refused_.push_back(login + " is refused from then on: " + what);
}

/// In the end everybody is let in.
void HouseStory::judge_logins(Judge& judge) {
    std::set<std::string> wanted;
    const auto machines = grounds_->machines();
    for (const auto& [machine, given] : logins_)
        if (machines.contains(machine))
            for (const auto& login : given) wanted.insert(machine + " " + login.user);
    auto all = let_in(database_.things(universe_.now));
    all.merge(let_in(broker_.things(universe_.now)));
    for (const auto& login : wanted) judge.expect(all.contains(login), login + " is refused in the end");
    for (const auto& one : refused_) judge.broken(one);
}

}  // namespace ocim::simulation
