#include "cli/judge.hpp"

namespace ocim::cli {

client::Judge judge_by(const apiserver::Authorizer& authorizer) {
    return [&authorizer](const client::Question& question) -> std::optional<api::Status> {
        apiserver::Attributes asked;
        asked.caller.user = question.user;
        asked.caller.groups = question.groups;
        asked.verb = question.verb;
        asked.group = question.group;
        asked.version = question.version;
        asked.plural = question.plural;
        asked.namespace_ = question.namespace_;
        asked.name = question.name;
        if (authorizer.allows(asked)) return std::nullopt;
        return apiserver::refusal(asked);
    };
}

}  // namespace ocim::cli
