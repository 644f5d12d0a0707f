#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/http_client.hpp"

#include <any>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim {
class BlockingPool;
}

/// GitHub's REST API, as far as we use it.
namespace ocim::github {

/// Compared by id: logins change hands.
struct Person {
    std::int64_t id = 0;
    std::string login;
    bool bot = false;
    bool operator==(const Person&) const = default;
};

struct Team {
    std::string name, slug;
};

struct PullRequest {
    std::int64_t number = 0;
    bool open = false;
    std::string title, body, url;
    Person author;
    std::string branch, commit;
    std::string source;     ///< "owner/name" of where the branch is; empty: it is gone
    std::string clone_url;  ///< of the source
    std::optional<WallTime> closed_at;
    bool operator==(const PullRequest&) const = default;
};

struct Comment {
    std::int64_t id = 0;
    Person author;
    std::string body;
    bool operator==(const Comment&) const = default;
};

struct CommitStatus {
    std::string state, context, url, description;
    bool operator==(const CommitStatus&) const = default;
};

struct ClientSettings {
    std::string base_url;  ///< what links to further pages must begin with
    Secret token;
};

/// Every call is bounded by its HttpClient's time-out. What was read before is asked for by its ETag, so that an answer
/// that did not change costs no quota. A list is whole or an error. Nothing is sent while GitHub wants to be left
/// alone: those calls are rate_limited at once. Lives on the loop thread.
///
/// Errors: auth (the token, or what it may not), not_found (also: may not be seen, or was renamed), rate_limited,
/// invalid (this very thing is refused), unreachable and transient as of HttpClient.
class Client {
public:
    /// All must outlive it.
    Client(std::unique_ptr<net::HttpClient> http, Clock& clock, Metrics& metrics, BlockingPool& blocking,
           ClientSettings settings);

    /// What was not asked for since the last call of this is forgotten.
    void begin_sweep();

    /// Costs no quota.
    awaitable<Result<void>> probe();
    /// Whom the token belongs to; nothing: to an App, which GitHub shows as a bot.
    awaitable<Result<std::optional<Person>>> self();
    awaitable<Result<std::vector<Person>>> organization_members(std::string organization);
    awaitable<Result<std::vector<Team>>> teams(std::string organization);
    awaitable<Result<std::vector<Person>>> team_members(std::string organization, std::string slug);
    /// `repository` is "owner/name" here and below.
    awaitable<Result<std::vector<PullRequest>>> open_pull_requests(std::string repository);
    /// Nothing: there is none of that number.
    awaitable<Result<std::optional<PullRequest>>> pull_request(std::string repository, std::int64_t number);
    awaitable<Result<std::vector<Comment>>> comments(std::string repository, std::int64_t number);
    /// Newest first.
    awaitable<Result<std::vector<CommitStatus>>> statuses(std::string repository, std::string commit);

    /// Those that write do so once: without an answer the outcome is unknown.
    awaitable<Result<Comment>> create_comment(std::string repository, std::int64_t number, std::string body);
    awaitable<Result<Comment>> update_comment(std::string repository, std::int64_t id, std::string body);
    awaitable<Result<void>> delete_comment(std::string repository, std::int64_t id);
    awaitable<Result<void>> create_status(std::string repository, std::string commit, CommitStatus status);

private:
    struct Known {
        std::string etag, next;
        std::any items;
        unsigned sweep = 0;
    };
    template <class T>
    struct Page {
        std::vector<T> items;
        std::string next;  ///< target of the page after it
    };
    template <class T>
    using Reader = Result<std::vector<T>> (*)(const api::Json& answer);

    template <class T>
    awaitable<Result<std::vector<T>>> list(const char* call, std::string target, Reader<T> read);
    template <class T>
    awaitable<Result<Page<T>>> get(const char* call, std::string target, Reader<T> read);
    awaitable<Result<api::Json>> write(const char* call, std::string method, std::string target, api::Json body);
    awaitable<Result<net::HttpReply>> send(const char* call, net::HttpRequest request);

    Result<std::string> next_page(const net::HttpReply& reply) const;
    std::optional<Error> told_to_wait() const;
    void obey(const net::HttpReply& reply, const Error* refusal);
    Error refusal(const net::HttpReply& reply, bool writes) const;
    void count(const char* call, const std::string& result);

    std::unique_ptr<net::HttpClient> http_;
    Clock& clock_;
    Metrics& metrics_;
    BlockingPool& blocking_;
    ClientSettings settings_;
    std::map<std::string, Known> known_;  // by target
    unsigned sweep_ = 0;
    Instant quiet_until_{};
    std::string quiet_reason_;
};

}  // namespace ocim::github
