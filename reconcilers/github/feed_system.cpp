#include "github/feed.hpp"
#include "github/people.hpp"

#include <algorithm>
#include <chrono>
#include <set>

/// GitHub as one watch sees it: what is read, and what is written.
namespace ocim::github {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t followed_max = 300;  // pull requests of members, open and closed: each is up to three calls
constexpr std::size_t title_bytes_max = 1024;
constexpr Duration afterwards = 48h;  // that long after it should be gone a closed one is still asked for
constexpr Duration told_min = 1h;     // and that long after we first heard of it

/// Who we are there, to tell our comments from those of others that bear our mark.
bool is_ours(const Comment& comment, const std::optional<Person>& self, const std::string& mark) {
    const bool by_us = self ? comment.author.id == self->id : comment.author.bot;
    return by_us && comment.body.starts_with(mark) &&
           (comment.body.size() == mark.size() || comment.body[mark.size()] == '\n' ||
            comment.body[mark.size()] == '\r');
}

void keep_ours(Thing& thing, std::vector<Comment> found, const std::optional<Person>& self, const std::string& mark) {
    thing.comment.reset();
    thing.doubles.clear();
    std::ranges::sort(found, {}, &Comment::id);
    for (auto& comment : found) {
        if (!is_ours(comment, self, mark)) continue;
        if (thing.comment)
            thing.doubles.push_back(comment.id);
        else
            thing.comment = std::move(comment);
    }
}

class GitHubFeed final : public Feed {
public:
    GitHubFeed(std::unique_ptr<Client> client, Clock& clock, FeedSettings settings,
               std::unique_ptr<webhooks::Hooks::Hearing> hearing)
        : client_(std::move(client)), clock_(clock), settings_(std::move(settings)), hearing_(std::move(hearing)) {
        for (const auto& key : settings_.followed) followed_[key] = clock_.wall();
    }

    awaitable<Result<Snapshot>> observe() override {
        client_->begin_sweep();
        CO_TRY(self_, co_await client_->self());
        Snapshot out;
        Found found;
        for (const auto& repository : settings_.repositories) { CO_CHECK(co_await read(repository, found, out)); }
        // only now: whoever left before the push that has just been seen must not pass for a member
        CO_TRY(const auto members, co_await members());
        follow(std::move(found), members, out);
        retire_old(out);
        for (auto& [key, thing] : out) {
            if (key.number == 0) continue;
            auto told = co_await read_told(key, thing.pull);
            if (!told) co_return std::move(told).error();
            thing.comment = std::move(told->comment);
            thing.doubles = std::move(told->doubles);
            thing.status = std::move(told->status);
        }
        seen_ = out;
        co_return std::move(out);
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        std::optional<Error> stopped;  // why nothing more is sent: it concerns all of it
        for (std::size_t n = 0; n < actions.size(); ++n) {
            if (stopped) {
                results.set(n, *stopped);
                continue;
            }
            const auto key = actions[n].key;
            const auto done = co_await act_one(std::move(actions[n]));
            if (done) {
                results.set(n, Done{{{key, seen_.at(key)}}});
                continue;
            }
            results.set(n, done.error());
            switch (done.error().error_class) {
                case ErrorClass::rate_limited:
                case ErrorClass::auth:
                case ErrorClass::unreachable:
                    stopped = done.error();
                    stopped->outcome_unknown = false;  // what is not sent cannot have happened
                    break;
                case ErrorClass::transient:
                case ErrorClass::conflict:
                case ErrorClass::not_found:
                case ErrorClass::invalid: break;
            }
        }
    }

    awaitable<Result<void>> probe() override { co_return co_await client_->probe(); }

private:
    using Members = std::set<std::int64_t>;
    using Found = std::map<Key, PullRequest>;

    /// Whoever gets sandboxes.
    awaitable<Result<Members>> members() {
        CO_TRY(const auto people, co_await people_of(*client_, settings_.organization, settings_.team));
        Members out;
        for (const auto& person : people) out.insert(person.id);
        co_return std::move(out);
    }

    /// One repository; that it cannot be seen concerns it alone.
    awaitable<Result<void>> read(const std::string& repository, Found& found, Snapshot& out) {
        const Key itself{repository, 0};
        auto open = co_await client_->open_pull_requests(repository);
        if (!open && open.error().error_class == ErrorClass::not_found) {
            out[itself].error = open.error().message;
            co_return Result<void>();
        }
        if (!open) co_return std::move(open).error().within(repository);
        out[itself] = Thing();
        for (auto& pull : *open) {
            const Key key{repository, pull.number};
            found[key] = std::move(pull);
        }
        std::vector<Key> missing;
        for (const auto& [key, since] : followed_)
            if (key.repository == repository && !found.contains(key)) missing.push_back(key);
        for (const auto& key : missing) {
            // a list that shifts while it is read may lack an open one: only the pull request itself tells
            auto pull = co_await client_->pull_request(key.repository, key.number);
            if (!pull) co_return std::move(pull).error().within(repository);
            PullRequest gone;
            gone.number = key.number;
            found[key] = *pull ? **std::move(pull) : std::move(gone);
        }
        co_return Result<void>();
    }

    /// Of what was found: the pull requests of members, and those that were ones.
    void follow(Found found, const Members& members, Snapshot& out) {
        for (auto& [key, pull] : found) {
            const bool member = members.contains(pull.author.id) && pull.author.id != 0;
            const bool known = followed_.contains(key);
            if (!known && (!member || followed_.size() >= followed_max)) continue;
            followed_.try_emplace(key, clock_.wall());
            out[key] = thing_of(std::move(pull), member);
        }
    }

    static Thing thing_of(PullRequest pull, bool member) {
        Thing out;
        out.body = read_body(pull.body);
        out.pull = std::move(pull);
        out.pull.body.clear();
        if (out.pull.title.size() > title_bytes_max) out.pull.title.resize(0);
        out.member = member;
        return out;
    }

    /// Says which have been closed for long enough. What nobody can be interested in any more is not asked for again.
    void retire_old(Snapshot& out) {
        const auto now = clock_.wall();
        for (auto& [key, thing] : out) {
            if (key.number == 0) continue;
            if (thing.pull.open) {
                gone_.erase(key);
                continue;
            }
            // of one that GitHub does not know any more only we know when that was
            const auto closed = thing.pull.closed_at.value_or(gone_.try_emplace(key, now).first->second);
            thing.expired = closed + settings_.retain <= now;
            const auto since = followed_.find(key);
            if (since == followed_.end() || closed + settings_.retain + afterwards > now) continue;
            if (since->second + told_min < now) followed_.erase(since);
        }
    }

    /// What we have told of it so far; in the shape of a Thing that holds nothing else.
    awaitable<Result<Thing>> read_told(Key key, PullRequest pull) {
        Thing out;
        auto comments = co_await client_->comments(key.repository, key.number);
        if (!comments && comments.error().error_class != ErrorClass::not_found) co_return std::move(comments).error();
        if (comments) keep_ours(out, *std::move(comments), self_, settings_.mark);
        if (!pull.open) co_return std::move(out);
        auto statuses = co_await client_->statuses(key.repository, pull.commit);
        if (!statuses && statuses.error().error_class != ErrorClass::not_found) co_return std::move(statuses).error();
        if (!statuses) co_return std::move(out);
        const auto ours = std::ranges::find(*statuses, settings_.status_context, &CommitStatus::context);
        if (ours != statuses->end()) out.status = *ours;
        co_return std::move(out);
    }

    awaitable<Result<void>> act_one(Action action) {
        if (!seen_.contains(action.key))
            co_return Error{ErrorClass::conflict, "the pull request is not known any more"};
        const auto key = action.key;
        if (action.what == Action::What::status) {
            CO_CHECK(co_await client_->create_status(key.repository, action.commit, action.status));
            if (auto& thing = seen_.at(key); thing.pull.commit == action.commit) thing.status = action.status;
            co_return Result<void>();
        }
        switch (action.verb) {
            case Action::Verb::create: co_return co_await comment(key, std::move(action.text));
            case Action::Verb::update: co_return co_await change(key, action.comment, std::move(action.text));
            case Action::Verb::delete_: break;
        }
        CO_CHECK(co_await client_->delete_comment(key.repository, action.comment));
        std::erase(seen_.at(key).doubles, action.comment);
        co_return Result<void>();
    }

    /// Looks once more before it makes one: an earlier one may have landed after all.
    awaitable<Result<void>> comment(Key key, std::string text) {
        CO_TRY(auto found, co_await client_->comments(key.repository, key.number));
        keep_ours(seen_.at(key), std::move(found), self_, settings_.mark);
        if (const auto& there = seen_.at(key).comment) {
            const auto id = there->id;
            co_return co_await change(std::move(key), id, std::move(text));
        }
        CO_TRY(auto made, co_await client_->create_comment(key.repository, key.number, std::move(text)));
        seen_.at(key).comment = std::move(made);
        co_return Result<void>();
    }

    awaitable<Result<void>> change(Key key, std::int64_t id, std::string text) {
        CO_TRY(auto made, co_await client_->update_comment(key.repository, id, std::move(text)));
        seen_.at(key).comment = std::move(made);
        co_return Result<void>();
    }

    std::unique_ptr<Client> client_;
    Clock& clock_;
    FeedSettings settings_;
    std::unique_ptr<webhooks::Hooks::Hearing> hearing_;
    std::optional<Person> self_;
    std::map<Key, WallTime> followed_, gone_;  // since when
    Snapshot seen_;
};

}  // namespace

std::unique_ptr<Feed> open_feed(std::unique_ptr<Client> client, const runtime::Services& services,
                                FeedSettings settings, std::unique_ptr<webhooks::Hooks::Hearing> hearing) {
    return std::make_unique<GitHubFeed>(std::move(client), services.clock, std::move(settings), std::move(hearing));
}

}  // namespace ocim::github
