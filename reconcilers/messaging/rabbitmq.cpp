#include "messaging/rabbitmq.hpp"

#include "base/join.hpp"
#include "base/random.hpp"
#include "messaging/text.hpp"
#include "runtime/base64.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ocim::messaging {

namespace {

using Done = runtime::Done<Key, Thing>;
using Kind = Key::Kind;
using Verb = Action::Verb;

/// In which order actions are done: what a permission stands on before it, what narrows a user before what lets it in,
/// what keeps a vhost busy before it goes.
int rank(const Action& action) {
    const bool put = action.verb == Verb::put;
    switch (action.key.kind) {
        case Kind::vhost: return put ? 0 : 9;
        case Kind::user: return put ? 1 : 8;
        case Kind::limit:
        case Kind::user_limit:
        case Kind::policy: return put ? 2 : 6;
        case Kind::topic: return put ? 3 : 7;
        case Kind::permission: break;
    }
    return put ? 4 : 5;
}

bool is_owned(const Key& key) { return key.kind == Kind::vhost || key.kind == Kind::user; }

/// What bears the mark that says whose `key` is; a policy answers for itself.
Key bearer_of(const Key& key) {
    switch (key.kind) {
        case Kind::vhost:
        case Kind::user:
        case Kind::policy: return key;
        case Kind::limit: return {Kind::vhost, key.vhost, ""};
        case Kind::permission:
        case Kind::topic:
        case Kind::user_limit: break;
    }
    return {Kind::user, "", key.name};
}

bool same_owner(const std::optional<runtime::Mark>& found, const std::optional<runtime::Mark>& wanted) {
    return found && wanted && found->installation == wanted->installation &&
           found->namespace_name == wanted->namespace_name;
}

std::string name_of(const Key& key) {
    if (key.kind == Kind::policy) return "policy " + key.name + " of " + key.vhost;
    if (key.kind == Kind::topic) return "the topic permissions of " + key.name;
    return key.kind == Kind::user ? "user " + key.name : "vhost " + key.vhost;
}

class RabbitMQ final : public Broker {
public:
    RabbitMQ(std::unique_ptr<net::HttpClient> http, RabbitMQSettings settings, const runtime::Services& services)
        : http_(std::move(http)),
          username_(std::move(settings.username)),
          authorization_("Basic " + runtime::base64(username_ + ":" + settings.password.reveal())),
          at_a_time_(settings.at_a_time),
          loop_(services.loop),
          clock_(services.clock),
          random_(services.random) {}

    awaitable<Result<Snapshot>> observe() override {
        Snapshot out;
        for (const auto& [list, path] : lists) {
            auto request = make("GET", std::string(path));
            CO_TRY(const auto reply, co_await send(std::move(request)));
            CO_CHECK(expect(reply));
            CO_CHECK(read_list(list, reply.body, username_, out));
        }
        co_return out;
    }

    awaitable<void> act(std::vector<Action> actions, runtime::Results<Key, Thing>& results) override {
        Round round{actions, results};
        for (std::size_t i = 0; i < actions.size(); ++i) round.order.push_back(i);
        std::ranges::sort(round.order, {}, [&](std::size_t i) { return std::pair(rank(actions[i]), i); });
        for (auto begin = round.order.begin(); begin != round.order.end();) {
            const auto same_rank = [&](std::size_t i) { return rank(actions[i]) == rank(actions[*begin]); };
            const auto end = std::find_if_not(begin, round.order.end(), same_rank);
            round.next = static_cast<std::size_t>(begin - round.order.begin());
            round.end = static_cast<std::size_t>(end - round.order.begin());
            TaskGroup group(loop_);
            const auto free = at_a_time_ - std::min(at_a_time_, working_);  // of several batches each has one
            const auto workers = std::clamp<std::size_t>(free, 1, round.end - round.next);
            for (std::size_t i = 0; i < workers; ++i) group.spawn("actions on a broker", work(round));
            co_await join_or_stop(group);
            begin = end;
        }
    }

    awaitable<Result<void>> probe() override {
        auto request = make("GET", "/api/whoami");
        CO_TRY(const auto reply, co_await send(std::move(request)));
        CO_CHECK(expect(reply));
        co_return check_whoami(reply.body, username_);
    }

private:
    /// Actions on their way. Those of one rank do not stand on each other: some are done at a time.
    struct Round {
        const std::vector<Action>& actions;
        runtime::Results<Key, Thing>& results;
        std::vector<std::size_t> order{};  ///< by rank
        std::size_t next = 0, end = 0;     ///< in `order`: those of the rank that is being done
        std::set<Key> failed{};
        std::optional<Error> broken{};  ///< why nothing more is sent
    };

    class Worker {
    public:
        explicit Worker(std::size_t& all) : all_(all) { ++all_; }
        ~Worker() { --all_; }
        Worker(const Worker&) = delete;
        Worker& operator=(const Worker&) = delete;

    private:
        std::size_t& all_;
    };

    awaitable<void> work(Round& round) {
        const Worker worker(working_);
        while (round.next < round.end) {
            const auto i = round.order[round.next++];
            const auto& action = round.actions[i];
            Result<Done> result = round.broken ? *round.broken : Error{};
            if (const auto ground = missing_ground(action, round.failed); ground && !round.broken)
                result = Error{ErrorClass::conflict, "what it stands on failed: " + name_of(*ground)};
            else if (!round.broken)
                result = co_await perform(action);
            if (!result) round.failed.insert(action.key);
            if (!result && !round.broken && stops_all(result.error())) {
                round.broken = result.error();
                round.broken->outcome_unknown = false;  // what was not sent has no effect
            }
            round.results.set(i, std::move(result));
        }
    }

    static bool stops_all(const Error& error) {
        return error.error_class == ErrorClass::unreachable || error.error_class == ErrorClass::auth ||
               error.error_class == ErrorClass::rate_limited;
    }

    /// What `action` stands on and was to be made before it in vain.
    static std::optional<Key> missing_ground(const Action& action, const std::set<Key>& failed) {
        const auto& key = action.key;
        if (action.verb != Verb::put || is_owned(key)) return std::nullopt;
        if (const Key vhost{Kind::vhost, key.vhost, ""}; failed.contains(vhost)) return vhost;
        // nobody is let in who is not narrowed as declared
        if (const Key topic{Kind::topic, key.vhost, key.name}; key.kind == Kind::permission && failed.contains(topic))
            return topic;
        const bool of_user = key.kind != Kind::limit && key.kind != Kind::policy;
        if (const Key user{Kind::user, "", key.name}; of_user && failed.contains(user)) return user;
        return std::nullopt;
    }

    awaitable<Result<Done>> perform(Action action) {
        if (action.verb == Verb::put && is_owned(action.key)) co_return co_await put_owned(std::move(action));
        if (action.verb == Verb::put && action.key.kind == Kind::topic)
            co_return co_await put_topics(std::move(action));
        const auto path = path_of(action.key);
        if (action.verb == Verb::delete_) {
            CO_TRY(const bool there, co_await is_as_seen(action));
            if (!there) co_return done_with(std::move(action));
            auto erased = co_await erase(path);
            // of what is gone with all its limits the broker says 500
            const bool of_limits = action.key.kind == Kind::limit || action.key.kind == Kind::user_limit;
            if (!erased && of_limits && erased.error().error_class == ErrorClass::transient)
                co_return Error{ErrorClass::conflict, erased.error().message};
            CO_CHECK(std::move(erased));
        } else {
            auto body = api::to_text(body_of(action.key, action.thing));
            CO_CHECK(co_await put(path, std::move(body)));
        }
        co_return done_with(std::move(action));
    }

    static Done done_with(Action action) {
        const bool put = action.verb == Verb::put;
        Done done{{{action.key, put ? std::optional(std::move(action.thing)) : std::nullopt}}};
        for (auto& key : action.gone_too) done.now.emplace_back(std::move(key), std::nullopt);
        return done;
    }

    /// The last look before a deletion, which the broker cannot make depend on anything: false when it is gone already.
    /// Conflict: it, or the user or vhost that it belongs to, is not what was seen.
    awaitable<Result<bool>> is_as_seen(Action action) {
        const auto bearer = bearer_of(action.key);
        auto look = make("GET", path_of(bearer));
        CO_TRY(const auto there, co_await send(std::move(look)));
        if (there.status == 404 && says_not_there(there.body)) co_return false;
        CO_CHECK(expect(there));
        CO_TRY(const auto found, read_one(bearer, there.body, username_));
        bool same = !found.reserved && found.mark == action.thing.mark;
        if (action.key.kind == Kind::policy) same = found.policy == action.thing.policy;
        // by a take-over that is under way its mark may already be the next one
        if (bearer != action.key) same = !found.reserved && same_owner(found.mark, action.thing.mark);
        if (!same)
            co_return Error{ErrorClass::conflict,
                            name_of(action.key) + " is not what it was when that was decided: it is looked at anew"};
        co_return true;
    }

    awaitable<Result<Done>> put_topics(Action action) {
        const auto path = path_of(action.key);
        for (const auto& [exchange, permission] : action.thing.topics) {
            auto body = api::to_text(topic_body(exchange, permission));
            CO_CHECK(co_await put(path, std::move(body)));
        }
        co_return Done{{{action.key, std::move(action.thing)}}};
    }

    awaitable<Result<void>> put(std::string path, std::string body) {
        auto request = make("PUT", std::move(path));
        request.body = std::move(body);
        CO_TRY(const auto reply, co_await send(std::move(request)));
        co_return expect(reply);
    }
    awaitable<Result<void>> erase(std::string path) {
        auto request = make("DELETE", std::move(path));
        CO_TRY(const auto reply, co_await send(std::move(request)));
        if (reply.status == 404 && says_not_there(reply.body)) co_return Result<void>();
        co_return expect(reply);
    }

    /// Looks before it writes: a PUT overwrites whatever has the name, and a new salt looks like a change.
    awaitable<Result<Done>> put_owned(Action action) {
        auto look = make("GET", path_of(action.key));
        CO_TRY(const auto there, co_await send(std::move(look)));
        auto wanted = action.thing;
        if (there.status != 404 || !says_not_there(there.body)) {
            CO_CHECK(expect(there));
            CO_TRY(const auto found, read_one(action.key, there.body, username_));
            if (found.reserved || (!same_owner(found.mark, wanted.mark) && (action.fresh || found.mark)))
                co_return Error{ErrorClass::conflict,
                                name_of(action.key) + " was made by somebody else meanwhile: it is looked at anew"};
            if (action.password ? fits(found, *action.password) : !action.sets_hash) {
                wanted.hash = found.hash;
                wanted.algorithm = found.algorithm;
                action.password.reset();
            }
            wanted.running = found.running;
            if (same_owner(found.mark, wanted.mark))  // an earlier try has noted these already
                for (const auto& policy : found.policies) action.new_policies.erase(policy);
            CO_CHECK(co_await are_absent(action.key.vhost, action.new_policies));
            if (!action.password && wanted == found) co_return Done{{{action.key, std::move(wanted)}}};
        } else if (action.key.kind == Kind::user && !action.password && !action.sets_hash) {
            co_return Error{ErrorClass::conflict, name_of(action.key) + " is gone: it is looked at anew"};
        }
        if (action.password) {
            std::array<std::byte, 4> salt;
            random_.fill(salt);
            wanted.hash = hash_of(*action.password, {reinterpret_cast<const char*>(salt.data()), salt.size()});
            wanted.algorithm = hash_algorithm;
        }
        const auto path = path_of(action.key);
        auto body = api::to_text(body_of(action.key, wanted));
        CO_CHECK(co_await put(path, std::move(body)));
        co_return Done{{{action.key, std::move(wanted)}}};
    }

    /// What is noted as ours from now on is nobody else's.
    awaitable<Result<void>> are_absent(std::string vhost, std::set<std::string> policies) {
        for (const auto& policy : policies) {
            auto look = make("GET", path_of({Kind::policy, vhost, policy}));
            CO_TRY(const auto there, co_await send(std::move(look)));
            if (there.status == 404 && says_not_there(there.body)) continue;
            CO_CHECK(expect(there));
            co_return Error{ErrorClass::conflict, "policy " + policy + " of " + vhost +
                                                      " was made by somebody else meanwhile: it is looked at anew"};
        }
        co_return Result<void>();
    }

    net::HttpRequest make(std::string method, std::string target) const {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.secret_headers["Authorization"] = authorization_;
        return request;
    }
    awaitable<Result<net::HttpReply>> send(net::HttpRequest request) {
        co_return co_await http_->send(std::move(request));
    }

    /// RabbitMQ's own table first: it answers 401 for every missing right, 400 for what stands on something gone, and
    /// 404 with words of its own; a 404 in others' words means that it is not RabbitMQ that answers.
    Result<void> expect(const net::HttpReply& reply) const {
        if (reply.status >= 200 && reply.status < 300) return {};
        const auto reason = reason_of(reply.body);
        auto error_class = net::class_of(reply.status);
        if (reply.status == 400 && (reason == "vhost_or_user_not_found" || reason == "no_such_user"))
            error_class = ErrorClass::conflict;
        if (reply.status == 404 && !says_not_there(reply.body)) error_class = ErrorClass::unreachable;
        Error error{error_class, "RabbitMQ answers " + std::to_string(reply.status) + ": " + reason};
        error.retry_after = net::retry_after(reply, clock_.wall());
        return error;
    }

    std::unique_ptr<net::HttpClient> http_;
    std::string username_;
    Secret authorization_;
    std::size_t at_a_time_, working_ = 0;
    boost::asio::any_io_executor loop_;
    Clock& clock_;
    Random& random_;
};

}  // namespace

std::unique_ptr<Broker> open_rabbitmq(std::unique_ptr<net::HttpClient> http, RabbitMQSettings settings,
                                      const runtime::Services& services) {
    return std::make_unique<RabbitMQ>(std::move(http), std::move(settings), services);
}

}  // namespace ocim::messaging
