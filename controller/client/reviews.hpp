#pragma once

#include "client/remote.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

/// Asking an API server about others, for what a process of ours shows to people by itself.
namespace ocim::client {

/// Somebody, as the API server knows him.
struct Person {
    std::string user, uid{};
    std::vector<std::string> groups{};
    std::map<std::string, std::vector<std::string>> extra{};
    bool operator==(const Person&) const = default;
};

/// What somebody wants: of a resource or, when `plural` is empty, of a path.
struct Wish {
    std::string verb;
    std::string group{}, version{}, plural{}, subresource{}, namespace_{}, name{};
    std::string path{};
};

/// Lives on the loop thread. Errors of both: as those of Client, when the API server did not tell.
class Reviews {
public:
    virtual ~Reviews() = default;
    /// Whose token that is, by TokenReview. Error auth: nobody's.
    virtual awaitable<Result<Person>> holder(Secret token) = 0;
    /// Whether he may, by SubjectAccessReview.
    virtual awaitable<Result<bool>> may(Person person, Wish wish) = 0;
};

/// Needs the right to create tokenreviews and subjectaccessreviews. All arguments must outlive it.
std::unique_ptr<Reviews> make_remote_reviews(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                             BlockingPool& blocking, RemoteSettings settings);

}  // namespace ocim::client
