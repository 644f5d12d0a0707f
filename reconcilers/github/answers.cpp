#include "github/answers.hpp"

#include "base/limits.hpp"

namespace ocim::github {
namespace {

using api::Json;

Error unreadable(const std::string& what) { return {ErrorClass::unreachable, "what answers is not GitHub: " + what}; }

std::string text_at(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

std::int64_t number_at(const Json& value, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(value, path);
    return found && found->is_int64() ? found->get_int64() : 0;
}

/// Somebody whose account was deleted is null: nobody.
Person person_of(const Json* value) {
    if (!value || !value->is_object()) return {};
    return {number_at(*value, {"id"}), text_at(*value, {"login"}), api::find_text(*value, {"type"}) == "Bot"};
}

template <class T>
Result<std::vector<T>> read_list(const Json& answer, Result<T> (*read)(const Json&)) {
    if (!answer.is_array()) return unreadable("it is no list");
    std::vector<T> out;
    for (const auto& item : answer.get_array()) {
        auto one = read(item);
        if (!one) return std::move(one).error();
        out.push_back(*std::move(one));
    }
    return out;
}

Result<Person> one_person(const Json& item) {
    auto out = person_of(&item);
    if (out.id == 0 || out.login.empty()) return unreadable("a person has no id or no login");
    return out;
}

Result<Team> one_team(const Json& item) {
    Team out{text_at(item, {"name"}), text_at(item, {"slug"})};
    if (out.slug.empty()) return unreadable("a team has no slug");
    return out;
}

Result<PullRequest> one_pull_request(const Json& item) {
    PullRequest out;
    out.number = number_at(item, {"number"});
    const auto state = api::find_text(item, {"state"});
    out.open = state == "open";
    out.title = text_at(item, {"title"});
    out.body = text_at(item, {"body"});
    out.url = text_at(item, {"html_url"});
    out.author = person_of(api::find(item, {"user"}));
    out.branch = text_at(item, {"head", "ref"});
    out.commit = text_at(item, {"head", "sha"});
    out.source = text_at(item, {"head", "repo", "full_name"});
    out.clone_url = text_at(item, {"head", "repo", "clone_url"});
    const auto closed = text_at(item, {"closed_at"});
    if (!closed.empty()) {
        const auto when = parse_rfc3339(closed);
        if (!when) return unreadable("a pull request was closed at no time");
        out.closed_at = *when;
    }
    if (out.number <= 0 || (state != "open" && state != "closed") || out.commit.empty())
        return unreadable("a pull request has no number, state or commit");
    return out;
}

Result<CommitStatus> one_status(const Json& item) {
    return CommitStatus{text_at(item, {"state"}), text_at(item, {"context"}), text_at(item, {"target_url"}),
                        text_at(item, {"description"})};
}

template <class T>
Result<std::vector<T>> alone(Result<T> one) {
    if (!one) return std::move(one).error();
    std::vector<T> out;
    out.push_back(*std::move(one));
    return out;
}

}  // namespace

Result<std::vector<Person>> read_person(const Json& answer) { return alone(one_person(answer)); }
Result<std::vector<Person>> read_people(const Json& answer) { return read_list<Person>(answer, one_person); }
Result<std::vector<Team>> read_teams(const Json& answer) { return read_list<Team>(answer, one_team); }
Result<std::vector<PullRequest>> read_pull_request(const Json& answer) { return alone(one_pull_request(answer)); }
Result<std::vector<PullRequest>> read_pull_requests(const Json& answer) {
    return read_list<PullRequest>(answer, one_pull_request);
}

Result<Comment> read_comment(const Json& answer) {
    Comment out{number_at(answer, {"id"}), person_of(api::find(answer, {"user"})), text_at(answer, {"body"})};
    if (out.id == 0) return unreadable("a comment has no id");
    return out;
}

Result<std::vector<Comment>> read_comments(const Json& answer) { return read_list<Comment>(answer, read_comment); }
Result<std::vector<CommitStatus>> read_statuses(const Json& answer) {
    return read_list<CommitStatus>(answer, one_status);
}

}  // namespace ocim::github
