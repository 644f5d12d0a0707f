#pragma once

#include "crd/pullrequestfeeds.hpp"
#include "crd/pullrequestwatches.hpp"
#include "github/body.hpp"
#include "github/client.hpp"
#include "runtime/kinds.hpp"
#include "webhooks/hooks.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::github {

/// A pull request; with number 0 the repository itself.
struct Key {
    std::string repository;
    std::int64_t number = 0;
    auto operator<=>(const Key&) const = default;
};

struct Thing {
    std::string error;  ///< of a repository: why its pull requests are not known
    PullRequest pull;   ///< without its text
    Body body;
    bool member = false;  ///< the author is one
    /// It was found closed, longer ago than it is retained. Only a look says so: time alone retires nothing.
    bool expired = false;
    std::optional<Comment> comment;      ///< ours; of several the oldest
    std::vector<std::int64_t> doubles;   ///< further ones of ours
    std::optional<CommitStatus> status;  ///< the newest of ours, of the newest commit
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { create, update, delete_ };
    enum class What { comment, status };
    Verb verb{};
    What what{};
    Key key;
    std::int64_t comment = 0;  ///< which, of update and delete_
    std::string text;          ///< of the comment, with our mark
    std::string commit;
    CommitStatus status;
    bool operator==(const Action&) const = default;
};

using Feed = runtime::System<Key, Thing, Action>;
using Results = runtime::Results<Key, Thing>;
using Done = runtime::Done<Key, Thing>;

/// Our mark on a comment: its first line, which GitHub does not show.
std::string comment_mark(const std::string& installation, const std::string& watch);
/// Whether a comment is what we would write, but for what GitHub does to line ends.
bool same_text(std::string_view a, std::string_view b);

/// What a feed needs to know of its watch.
struct FeedSettings {
    std::string mark;            ///< see comment_mark
    std::string status_context;  ///< the name of our commit status
    std::string organization, team;
    std::vector<std::string> repositories;
    std::vector<Key> followed;  ///< those that have to be told of even when they are not open any more
    Duration retain{};          ///< how long a closed one stays of interest
};

/// `hearing` may be null: nobody is told of deliveries.
std::unique_ptr<Feed> open_feed(std::unique_ptr<Client> client, const runtime::Services& services,
                                FeedSettings settings, std::unique_ptr<webhooks::Hooks::Hearing> hearing);

/// The kind PullRequestFeed, decided: what GitHub says, and what is told there. Its backend is its watch.
struct Feeds {
    using Object = crd::PullRequestFeed;
    using Backend = crd::PullRequestWatch;
    using Key = github::Key;
    using Thing = github::Thing;
    using Action = github::Action;
    static constexpr std::string_view name = "pullrequestfeed";
    static constexpr bool backend_is_ours = false;
    static constexpr bool backend_status_matters = false;

    static std::string backend_name(const Object& object) { return object.spec.watch_name; }
    static std::vector<runtime::Reference> needs(const Object&) { return {}; }
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    /// What is still told of sandboxes is taken back.
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    /// Comments are history: none is an orphan.
    static std::vector<runtime::Marked<Key>> marked(const Snapshot&) { return {}; }
    static std::vector<Action> sweep(const Key&, const Snapshot&) { return {}; }

    static Key key(const Action& action) { return action.key; }
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // feed_object.cpp
    static runtime::BackendSettings settings(const Backend& watch);
    static std::vector<runtime::Reference> backend_needs(const Backend& watch);
    static Result<std::unique_ptr<Feed>> open(const Backend& watch, const runtime::Inputs& inputs,
                                              const runtime::Services& services) {
        return open_with(nullptr, watch, inputs, services);
    }
    /// `hooks` may be null.
    static Result<std::unique_ptr<Feed>> open_with(webhooks::Hooks* hooks, const Backend& watch,
                                                   const runtime::Inputs& inputs, const runtime::Services& services);
    /// The same over a wire that is there.
    static Result<std::unique_ptr<Feed>> open_over(std::unique_ptr<net::HttpClient> http, webhooks::Hooks* hooks,
                                                   const Backend& watch, const runtime::Inputs& inputs,
                                                   const runtime::Services& services);
};

}  // namespace ocim::github
