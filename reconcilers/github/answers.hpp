#pragma once

#include "github/client.hpp"

/// GitHub's answers, read. Pure; an answer that lacks what it must have is unreachable: who answers is not GitHub.
namespace ocim::github {

Result<std::vector<Person>> read_person(const api::Json& answer);
Result<std::vector<Person>> read_people(const api::Json& answer);
Result<std::vector<Team>> read_teams(const api::Json& answer);
Result<std::vector<PullRequest>> read_pull_request(const api::Json& answer);
Result<std::vector<PullRequest>> read_pull_requests(const api::Json& answer);
Result<Comment> read_comment(const api::Json& answer);
Result<std::vector<Comment>> read_comments(const api::Json& answer);
Result<std::vector<CommitStatus>> read_statuses(const api::Json& answer);

}  // namespace ocim::github
