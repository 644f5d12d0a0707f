#include "loadbalancing/haproxy.hpp"

#include "base/utf8.hpp"
#include "loadbalancing/certificate_metrics.hpp"
#include "loadbalancing/change.hpp"
#include "loadbalancing/haproxy_commands.hpp"
#include "loadbalancing/haproxy_scripts.hpp"
#include "loadbalancing/rendering.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr Duration read_limit{20'000};
constexpr Duration probe_limit{5'000};
constexpr Duration write_limit{60'000};      // 20 s for the lock, 15 s for the reload, the rest for haproxy -c
constexpr Duration write_limit_of_each{20};  // 10 ms for the reload, as much for the check
constexpr std::size_t message_bytes_max = 500;

using Indexes = std::vector<std::size_t>;

/// What a script's end means, when it is not 0.
Error failure(const net::CommandResult& result, const HaproxySettings& settings) {
    // the end says most; a credential that was cut in two would not be known for one
    const auto errors = redacted(result.errors);
    const auto said =
        one_line(errors.substr(errors.size() - std::min(errors.size(), message_bytes_max)), message_bytes_max);
    switch (result.exit_code) {
        case exit_no_directory:
            if (settings.tool)
                return Error{ErrorClass::not_found,
                             settings.directory + "/conf.d or /backends is not there or cannot be entered"};
            return Error{ErrorClass::not_found, settings.directory +
                                                    " is not there or cannot be entered; create it, "
                                                    "and let HAProxy load " +
                                                    settings.directory + "/current/haproxy.cfg"};
        case exit_no_tool:
            return Error{ErrorClass::unreachable, "the load balancer's host has no program " + said + "; install it"};
        case exit_no_master:
            return Error{ErrorClass::unreachable, "HAProxy's master socket " + settings.master_socket +
                                                      " does not answer: is it running with -W -S?"};
        case exit_changed: return Error{ErrorClass::conflict, "somebody else changed the load balancer: " + said};
        case exit_not_reloaded: return Error{ErrorClass::transient, said};
        case exit_refused: return Error{ErrorClass::invalid, said};
        default: break;
    }
    const bool denied = result.errors.find("Permission denied") != std::string::npos;
    return Error{denied ? ErrorClass::auth : ErrorClass::transient,
                 "the load balancer's host: exit " + std::to_string(result.exit_code) + ": " + said};
}

/// Thousands of fragments take longer to read than the loop may be held.
Result<Version> understood(const std::string& said, const std::string& directory) {
    auto out = Version::observed(said);
    if (out && out->list != certificate_list(certificate_entries(*out), directory)) out->loaded.clear();
    return out;
}

class Haproxy final : public System {
public:
    Haproxy(std::unique_ptr<hosts::Host> host, const runtime::Services& services, HaproxySettings settings)
        : host_(std::move(host)),
          blocking_(services.blocking),
          settings_(std::move(settings)),
          ends_(services.metrics, services.installation, settings_.name) {}

    awaitable<Result<Snapshot>> observe() override {
        auto command = observe_command(settings_);
        CO_TRY(auto result, co_await host_->run(std::move(command), "", read_limit));
        if (result.exit_code != 0) co_return failure(result, settings_);
        auto work = [said = std::move(result.output), directory = settings_.directory] {
            return understood(said, directory);
        };
        CO_TRY(auto version, co_await blocking_.call(std::move(work)));
        ends_.show(version);
        co_return version.snapshot();
    }

    awaitable<Result<void>> probe() override {
        auto command = probe_command(settings_);
        CO_TRY(const auto result, co_await host_->run(std::move(command), "", probe_limit));
        if (result.exit_code != 0) co_return failure(result, settings_);
        co_return Result<void>();
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        const auto now = co_await read();
        if (!now) {
            auto error = now.error();
            error.outcome_unknown = false;  // it was only a look
            for (std::size_t i = 0; i < actions.size(); ++i) results.set(i, error);
            co_return;
        }
        const Leads leads(now->domains);
        Batch batch{actions, results, *now, leads};
        Indexes wanted;
        const auto seen = now->snapshot();
        for (std::size_t i = 0; i < actions.size(); ++i) {
            if (actions[i].fragment.empty()) {
                const auto found = unseen(actions[i], *now);
                if (found.fragment.empty()) {
                    results.set(i, found.answer);
                    continue;
                }
                actions[i].fragment = found.fragment;
            }
            const auto judged = still_wanted(actions[i], seen);
            if (!judged)
                results.set(i, judged.error());
            else if (!*judged)
                results.set(i, done(actions[i], leads, leads));
            else
                wanted.push_back(i);
        }
        co_await write(batch, std::move(wanted));
    }

private:
    struct Batch {
        const std::vector<Action>& actions;
        Results& results;
        const Version& now;
        const Leads& leads;
    };
    struct Unseen {
        std::string fragment;
        Result<Done> answer;
    };
    /// What a deletion by the mark alone means, now that it is known what is here.
    static Unseen unseen(const Action& action, const Version& now) {
        if (action.verb != Action::Verb::delete_)
            return {{}, Error{ErrorClass::conflict, "it can be looked at again; decided anew"}};
        for (const auto& [name, file] : now.fragments) {
            const auto mark = mark_of(file.content);
            if (mark && mark->installation == action.mark.installation && mark->uid == action.mark.uid &&
                !mark->retained)
                return {name, Done()};
        }
        return {{}, Done()};
    }
    struct Culprit {
        std::size_t index;
        std::string why;
    };

    awaitable<Result<Version>> read() {
        auto command = read_command(settings_);
        CO_TRY(auto result, co_await host_->run(std::move(command), "", read_limit));
        if (result.exit_code != 0) co_return failure(result, settings_);
        auto work = [said = std::move(result.output), directory = settings_.directory] {
            return understood(said, directory);
        };
        co_return co_await blocking_.call(std::move(work));
    }

    awaitable<Result<net::CommandResult>> run_write(const char* mode, const Batch& batch, const Change& change) {
        auto command = write_command(settings_, mode, batch.now.name);
        auto input = input_for(change, runtime_plan(batch.now, change, settings_.directory), settings_.directory);
        const auto limit = write_limit + write_limit_of_each * (batch.now.fragments.size() + change.put.size());
        co_return co_await host_->run(std::move(command), std::move(input), limit);
    }

    /// Puts `wanted` in force with one reload; whoever the check finds fault with is set aside first.
    awaitable<void> write(const Batch& batch, Indexes wanted) {
        while (!wanted.empty()) {
            const Change change(batch.now, batch.actions, wanted);
            const auto result = co_await run_write("apply", batch, change);
            if (result && result->exit_code == 0) {
                const Leads leads(change.domains);
                for (const auto i : wanted) batch.results.set(i, done(batch.actions[i], batch.leads, leads));
                co_return;
            }
            if (!result || result->exit_code != exit_refused) {
                const auto error = result ? failure(*result, settings_) : result.error();
                for (const auto i : wanted) batch.results.set(i, error);
                co_return;
            }
            auto culprits = named(batch, wanted, result->errors);
            if (culprits.empty()) {
                auto found = co_await sift_out(batch, wanted);
                if (!found) {
                    for (const auto i : wanted) batch.results.set(i, found.error());
                    co_return;
                }
                culprits = *std::move(found);
            }
            for (const auto& culprit : culprits) {
                std::erase(wanted, culprit.index);
                Error error{ErrorClass::invalid, "HAProxy refuses the fragment: " + culprit.why};
                batch.results.set(culprit.index, std::move(error));
            }
        }
    }

    /// Those of `wanted` whose files the messages name.
    static std::vector<Culprit> named(const Batch& batch, const Indexes& wanted, const std::string& messages) {
        std::vector<Culprit> out;
        const auto faults = blamed(messages);
        for (const auto i : wanted) {
            const auto& action = batch.actions[i];
            const auto found = faults.find(action.fragment);
            if (found != faults.end() && action.verb != Action::Verb::delete_) out.push_back({i, found->second});
        }
        return out;
    }

    /// Finds by halves what the messages do not name (a deletion that others rely on, say). At least one culprit.
    /// Error: transient, when the configuration does not pass even without any of them.
    awaitable<Result<std::vector<Culprit>>> sift_out(const Batch& batch, Indexes wanted) {
        const Indexes none;
        CO_TRY(const auto broken, co_await check(batch, none));
        if (broken)
            co_return Error{
                ErrorClass::transient,
                "the load balancer's configuration does not pass its check even without this change: " + *broken};
        std::vector<Culprit> culprits;
        Indexes good;
        CO_CHECK(co_await sift(batch, std::move(wanted), good, culprits));
        if (culprits.empty())
            co_return Error{ErrorClass::conflict, "the load balancer's configuration changed while it was checked"};
        co_return culprits;
    }

    awaitable<Result<void>> sift(const Batch& batch, Indexes suspects, Indexes& good, std::vector<Culprit>& culprits) {
        auto together = good;
        together.insert(together.end(), suspects.begin(), suspects.end());
        std::ranges::sort(together);
        CO_TRY(const auto wrong, co_await check(batch, together));
        if (!wrong) {
            good = std::move(together);
            co_return Result<void>();
        }
        if (suspects.size() == 1) {
            culprits.push_back({suspects.front(), *wrong});
            co_return Result<void>();
        }
        const auto middle = suspects.begin() + static_cast<std::ptrdiff_t>(suspects.size() / 2);
        Indexes first(suspects.begin(), middle), second(middle, suspects.end());
        CO_CHECK(co_await sift(batch, std::move(first), good, culprits));
        CO_CHECK(co_await sift(batch, std::move(second), good, culprits));
        co_return Result<void>();
    }

    /// Nothing when `indexes` pass, else what HAProxy says.
    awaitable<Result<std::optional<std::string>>> check(const Batch& batch, const Indexes& indexes) {
        const Change change(batch.now, batch.actions, indexes);
        CO_TRY(const auto result, co_await run_write("check", batch, change));
        if (result.exit_code == 0) co_return std::optional<std::string>();
        auto error = failure(result, settings_);
        if (result.exit_code != exit_refused) co_return error;
        co_return std::optional<std::string>(std::move(error.message));
    }

    std::unique_ptr<hosts::Host> host_;
    BlockingPool& blocking_;
    HaproxySettings settings_;
    CertificateMetrics ends_;
};

}  // namespace

std::unique_ptr<System> open_haproxy(std::unique_ptr<hosts::Host> host, const runtime::Services& services,
                                     HaproxySettings settings) {
    return std::make_unique<Haproxy>(std::move(host), services, std::move(settings));
}

}  // namespace ocim::loadbalancing
