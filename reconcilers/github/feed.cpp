#include "github/feed.hpp"

#include <algorithm>

namespace ocim::github {
namespace {

using runtime::Verdict;

constexpr auto farewell =
    "This pull request is not watched any more: its sandbox is gone, and nothing new is deployed.\n";

std::string address(const Key& key) { return key.repository + "#" + std::to_string(key.number); }

std::string mark_of(const crd::PullRequestFeed& object, const std::string& installation) {
    return comment_mark(installation, object.metadata.namespace_ + "/" + object.spec.watch_name);
}

CommitStatus status_of(const crd::PullRequestFeed::Spec::Report& report, const std::string& watch) {
    CommitStatus out;
    for (const auto& [value, text] : enum_names(*report.state))
        if (value == *report.state) out.state = text;
    out.context = "ocim/" + watch;
    out.url = report.site.value_or("");
    out.description = report.description.value_or("");
    return out;
}

void remove_doubles(const Key& key, const Thing& thing, std::vector<Action>& out) {
    for (const auto id : thing.doubles)
        out.push_back({Action::Verb::delete_, Action::What::comment, key, id, "", "", {}});
}

std::optional<std::string> filled(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

crd::PullRequestFeed::Status::PullRequest described(const Key& key, const Thing& thing) {
    crd::PullRequestFeed::Status::PullRequest out;
    const auto& pull = thing.pull;
    out.repository = key.repository;
    out.number = key.number;
    out.title = filled(pull.title);
    out.author = filled(pull.author.login);
    out.member = thing.member;
    out.open = pull.open;
    if (pull.closed_at) out.closed_at = rfc3339(*pull.closed_at);
    if (thing.expired) out.expired = true;
    out.url = filled(pull.url);
    out.branch = filled(pull.branch);
    out.commit = filled(pull.commit);
    out.source = filled(pull.source);
    out.clone_url = filled(pull.clone_url);
    out.settings = filled(thing.body.settings);
    out.database_lines = thing.body.database_lines;
    out.text_error = filled(thing.body.error);
    return out;
}

}  // namespace

std::string comment_mark(const std::string& installation, const std::string& watch) {
    return "<!-- ocim:" + installation + ":" + watch + " -->";
}

bool same_text(std::string_view a, std::string_view b) {
    const auto plain = [](std::string_view text) {
        std::string out;
        for (const char c : text)
            if (c != '\r') out += c;
        while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
        return out;
    };
    return plain(a) == plain(b);
}

std::vector<Action> Feeds::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    std::vector<Action> out;
    const auto mark = mark_of(object, inputs.installation);
    for (const auto& report : object.spec.reports) {
        const Key key{report.repository, report.number};
        const auto found = seen.find(key);
        if (found == seen.end()) continue;  // what was said there is not known, so nothing is said twice
        const auto& thing = found->second;
        if (report.comment) {
            const auto text = mark + "\n" + *report.comment;
            if (!thing.comment)
                out.push_back({Action::Verb::create, Action::What::comment, key, 0, text, "", {}});
            else if (!same_text(thing.comment->body, text))
                out.push_back({Action::Verb::update, Action::What::comment, key, thing.comment->id, text, "", {}});
        }
        remove_doubles(key, thing, out);
        if (!report.state || !report.commit) continue;
        // a status of a commit that is not the newest any more would be read by nobody
        if (thing.pull.commit != *report.commit || !thing.pull.open) continue;
        const auto status = status_of(report, object.spec.watch_name);
        if (thing.status != status)
            out.push_back({Action::Verb::create, Action::What::status, key, 0, "", *report.commit, status});
    }
    return out;
}

std::vector<Action> Feeds::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    std::vector<Action> out;
    const auto text = mark_of(object, installation) + "\n" + farewell;
    for (const auto& [key, thing] : seen) {
        remove_doubles(key, thing, out);
        if (thing.comment && !same_text(thing.comment->body, text))
            out.push_back({Action::Verb::update, Action::What::comment, key, thing.comment->id, text, "", {}});
    }
    return out;
}

runtime::Report<crd::PullRequestFeed> Feeds::report(const Object&, const runtime::Inputs&, const Snapshot& seen) {
    runtime::Report<Object> out;
    out.verdict = {Verdict::State::ready, "Followed", "GitHub is asked as often as the watch says"};
    for (const auto& [key, thing] : seen) {
        if (key.number != 0) {
            out.status.pull_requests.push_back(described(key, thing));
            continue;
        }
        out.status.forks.push_back({key.repository, filled(thing.error)});
        if (!thing.error.empty())
            out.verdict = {Verdict::State::progressing, "RepositoryUnknown", key.repository + ": " + thing.error};
    }
    return out;
}

std::string Feeds::describe(const Action& action) {
    if (action.what == Action::What::status)
        return "set the status " + action.status.state + " of " + address(action.key) + " at " +
               action.commit.substr(0, 7);
    switch (action.verb) {
        case Action::Verb::create: return "comment on " + address(action.key);
        case Action::Verb::update: return "change our comment on " + address(action.key);
        case Action::Verb::delete_: break;
    }
    return "delete a second comment of ours on " + address(action.key);
}

std::string_view Feeds::verb(const Action& action) {
    switch (action.verb) {
        case Action::Verb::create: return "create";
        case Action::Verb::update: return "update";
        case Action::Verb::delete_: break;
    }
    return "delete";
}

}  // namespace ocim::github
