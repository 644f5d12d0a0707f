#include "monitoring/prometheus.hpp"

#include "base/utf8.hpp"
#include "monitoring/prometheus_files.hpp"
#include "monitoring/prometheus_live.hpp"
#include "monitoring/prometheus_scripts.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace ocim::monitoring::prometheus {

namespace {

using runtime::Ownership;
using Done = runtime::Done<Key, Thing>;
using Results = runtime::Results<Key, Thing>;
using Indexes = std::vector<std::size_t>;
using Verb = Action::Verb;

constexpr Duration read_limit{20'000};
constexpr Duration write_limit{60'000};  // 20 s for the lock, the rest for promtool
constexpr std::size_t message_bytes_max = 500;
constexpr std::string_view no_samples = R"({"status":"success","data":{"resultType":"vector","result":[]}})";

Error failure(const net::CommandResult& result, const Settings& settings) {
    const auto& text = result.errors.empty() ? result.output : result.errors;
    const auto said = one_line(text.substr(text.size() - std::min(text.size(), message_bytes_max)), message_bytes_max);
    switch (result.exit_code) {
        case exit_no_directory:
            return {ErrorClass::not_found, settings.directory +
                                               " is not there or cannot be entered; create it, and let "
                                               "Prometheus read " +
                                               settings.directory + "/*.json and *.rules.yml"};
        case exit_no_tool: return {ErrorClass::unreachable, "Prometheus' host has no program " + said + "; install it"};
        case exit_changed: return {ErrorClass::conflict, "Prometheus' files: " + said};
        case exit_refused: return {ErrorClass::invalid, "promtool refuses it: " + said};
        default: break;
    }
    const bool denied = result.errors.find("Permission denied") != std::string::npos;
    return {denied ? ErrorClass::auth : ErrorClass::transient,
            "Prometheus' host: exit " + std::to_string(result.exit_code) + ": " + said};
}

/// The files as they were read, and what is in them. Made and taken apart on a thread: of thousands of Monitors it
/// takes longer than the loop may be held.
struct Read {
    std::string sum;
    Files files;
    Snapshot seen;
};
using ReadPtr = std::shared_ptr<const Read>;  // shared with the thread that writes; immutable

Result<ReadPtr> read_of(const std::string& said, const std::string& installation) {
    const Error broken{ErrorClass::transient, "Prometheus' files came only in part"};
    const auto line = said.find('\n');
    const auto first = said.find(' '), second = first == std::string::npos ? first : said.find(' ', first + 1);
    if (line == std::string::npos || second == std::string::npos || second > line) return broken;
    std::size_t targets = 0, rules = 0;
    const auto read = [&](std::size_t begin, std::size_t end, std::size_t& out) {
        const auto [stop, error] = std::from_chars(said.data() + begin, said.data() + end, out);
        return error == std::errc() && stop == said.data() + end;
    };
    if (!read(first + 1, second, targets) || !read(second + 1, line, rules)) return broken;
    const auto body = std::string_view(said).substr(line + 1);
    if (targets > body.size() || body.size() - targets != rules) return broken;
    auto files = Files::read(body.substr(0, targets), body.substr(targets), installation);
    if (!files) return std::move(files).error();
    auto seen = files->snapshot();
    return std::make_shared<const Read>(Read{said.substr(0, first), *std::move(files), std::move(seen)});
}

/// What Prometheus says, in the words of its API.
struct Replies {
    std::string targets, rules, samples;
};

/// Whether it goes by what the files say, and what it found.
Result<Snapshot> seen_of(const Read& read, const Replies& replies, const Settings& settings,
                         const std::string& installation, WallTime now) {
    const auto targets = targets_in_force(replies.targets);
    if (!targets) return targets.error();
    const auto rules = rules_in_force(replies.rules, settings.name + ".rules.yml");
    if (!rules) return rules.error();
    const auto found = findings(replies.samples, now);
    if (!found) return found.error();
    auto out = read.seen;
    for (auto& [key, thing] : out) {
        const auto& group = thing.entry->group;
        const auto label = group.labels.find(entry_label);
        const auto target = label == group.labels.end() ? targets->end() : targets->find(label->second);
        const auto count = target == targets->end() ? 0 : target->second;
        thing.loaded = count >= group.targets.size() ? Loaded::yes : Loaded::not_yet;
        if (!in_force(*rules, key, thing.entry->rule)) thing.loaded = Loaded::no;
        const auto probe = group.labels.find(probe_label);
        if (probe == group.labels.end() || group.targets.empty()) continue;
        if (const auto outcome = found->find({key, probe->second}); outcome != found->end())
            thing.last = outcome->second;
    }
    // what was taken out of the file is gone when Prometheus has forgotten it
    for (const auto& [key, rule] : *rules) {
        const auto mark = runtime::Mark::parse(rule.annotations.at(mark_annotation));
        if (out.contains(key) || !mark || mark->installation != installation) continue;
        Thing left;
        left.mark = mark;
        left.entry = Entry{};
        left.loaded = Loaded::no;
        out.emplace(key, std::move(left));
    }
    return out;
}

struct Texts {
    std::string targets, rules;
};
Result<Texts> written(Files files, const std::vector<std::pair<Key, std::optional<Entry>>>& changes) {
    for (const auto& [key, entry] : changes) {
        if (entry)
            files.put(key, *entry);
        else
            files.erase(key);
    }
    return Texts{files.targets(), files.rules()};
}

/// Whether it may be done to what is there now; it may have come to be somebody else's.
Result<void> permitted(const Action& action, const Snapshot& seen) {
    const auto found = seen.find(action.key);
    if (found == seen.end()) return {};
    const auto& mark = found->second.mark;
    const Error foreign{ErrorClass::conflict, "the entry of " + action.key.monitor + " is not ours any more"};
    if (action.verb == Verb::delete_) {
        const bool ours = mark && mark->installation == action.mark.installation && mark->uid == action.mark.uid;
        return ours ? Result<void>() : Result<void>(foreign);
    }
    const bool adopt = action.prometheus && action.prometheus->adopt;
    return runtime::takeable(mark, action.mark, adopt) ? Result<void>() : Result<void>(foreign);
}

class Prometheus final : public Watch {
public:
    Prometheus(std::unique_ptr<hosts::Host> host, std::unique_ptr<net::HttpClient> http,
               const runtime::Services& services, Settings settings)
        : host_(std::move(host)),
          http_(std::move(http)),
          blocking_(services.blocking),
          clock_(services.clock),
          installation_(services.installation),
          settings_(std::move(settings)) {}

    awaitable<Result<Snapshot>> observe() override {
        CO_TRY(auto now, co_await read());
        Replies replies;
        CO_TRY(replies.targets, co_await get("/api/v1/targets?state=active"));
        CO_TRY(replies.rules, co_await get("/api/v1/rules?type=alert"));
        CO_TRY(replies.samples, co_await samples(now->seen));
        auto work = [now = std::move(now), replies = std::move(replies), settings = settings_,
                     installation = installation_,
                     wall = clock_.wall()] { return seen_of(*now, replies, settings, installation, wall); };
        co_return co_await blocking_.call(std::move(work));
    }

    awaitable<Result<void>> probe() override {
        std::vector<std::string> command{"/bin/sh", "-c", probe_script, "ocim", settings_.directory};
        CO_TRY(const auto result, co_await host_->run(std::move(command), "", read_limit));
        if (result.exit_code != 0) co_return failure(result, settings_);
        CO_TRY(const auto said, co_await get("/api/v1/status/buildinfo"));
        co_return is_success(said);
    }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        auto now = co_await read();
        if (!now) {
            auto error = now.error();
            error.outcome_unknown = false;  // it was only a look
            for (std::size_t i = 0; i < actions.size(); ++i) results.set(i, error);
            co_return;
        }
        Batch batch{actions, results, *now};
        Indexes wanted;
        for (std::size_t i = 0; i < actions.size(); ++i) {
            const auto may = permitted(actions[i], batch.now->seen);
            if (may)
                wanted.push_back(i);
            else
                results.set(i, may.error());
        }
        wanted = co_await write(batch, std::move(wanted));
        if (!wanted.empty()) co_await load(batch, std::move(wanted));
    }

private:
    struct Batch {
        const std::vector<Action>& actions;
        Results& results;
        ReadPtr now;
    };

    static void fail(const Batch& batch, const Indexes& indexes, const Error& error) {
        for (const auto i : indexes) batch.results.set(i, error);
    }

    awaitable<Result<ReadPtr>> read() {
        std::vector<std::string> command{"/bin/sh", "-c", read_script, "ocim", settings_.directory, settings_.name};
        CO_TRY(auto result, co_await host_->run(std::move(command), "", read_limit));
        if (result.exit_code != 0) co_return failure(result, settings_);
        auto work = [said = std::move(result.output), installation = installation_] {
            return read_of(said, installation);
        };
        co_return co_await blocking_.call(std::move(work));
    }

    net::HttpRequest request(std::string target) const {
        net::HttpRequest out;
        out.target = std::move(target);
        if (!settings_.authorization.empty()) out.secret_headers["Authorization"] = settings_.authorization;
        return out;
    }
    awaitable<Result<std::string>> get(std::string target) {
        auto asked = request(std::move(target));
        co_return co_await ask(std::move(asked));
    }
    /// As a form, because the question may be longer than a URL can be.
    awaitable<Result<std::string>> samples(const Snapshot& seen) {
        const auto question = query(installation_, seen);
        if (question.empty()) co_return std::string(no_samples);
        auto asked = request("/api/v1/query");
        asked.method = "POST";
        asked.content_type = "application/x-www-form-urlencoded";
        asked.body = "query=" + net::percent_encode(question);
        co_return co_await ask(std::move(asked));
    }
    awaitable<Result<std::string>> ask(net::HttpRequest asked) {
        CO_TRY(auto reply, co_await http_->send(std::move(asked)));
        CO_CHECK(net::expect_success(reply, clock_.wall()));
        co_return std::move(reply.body);
    }

    awaitable<Result<net::CommandResult>> run_write(const char* mode, const Batch& batch, const Indexes& indexes) {
        std::vector<std::pair<Key, std::optional<Entry>>> changes;
        for (const auto i : indexes) {
            const auto& action = batch.actions[i];
            const bool deleted = action.verb == Verb::delete_ || !action.prometheus;
            changes.emplace_back(action.key, deleted ? std::nullopt : std::optional(action.prometheus->entry));
        }
        auto work = [now = batch.now, changes = std::move(changes)] { return written(now->files, changes); };
        CO_TRY(auto texts, co_await blocking_.call(std::move(work)));
        std::vector<std::string> command{"/bin/sh",      "-c",           write_script,
                                         "ocim",         mode,           settings_.directory,
                                         settings_.name, batch.now->sum, std::to_string(texts.targets.size())};
        co_return co_await host_->run(std::move(command), texts.targets + texts.rules, write_limit);
    }

    /// Puts `wanted` into the files; whoever the check finds fault with is set aside first. Returns those that are
    /// written; the others have their results.
    awaitable<Indexes> write(const Batch& batch, Indexes wanted) {
        const Indexes none;
        while (!wanted.empty()) {
            const auto result = co_await run_write("apply", batch, wanted);
            if (result && result->exit_code == 0) co_return wanted;
            if (!result || result->exit_code != exit_refused) {
                fail(batch, wanted, result ? failure(*result, settings_) : result.error());
                co_return none;
            }
            const auto culprits = co_await sift_out(batch, wanted);
            if (!culprits) {
                fail(batch, wanted, culprits.error());
                co_return none;
            }
            for (const auto& culprit : *culprits) {
                std::erase(wanted, culprit.index);
                batch.results.set(culprit.index, culprit.why);
            }
        }
        co_return none;
    }

    struct Culprit {
        std::size_t index;
        Error why;
    };
    /// Finds by halves those that do not pass. At least one. Error: transient, when the files do not pass without any.
    awaitable<Result<std::vector<Culprit>>> sift_out(const Batch& batch, Indexes wanted) {
        const Indexes none;
        CO_TRY(const auto broken, co_await check(batch, none));
        if (broken)
            co_return Error{ErrorClass::transient,
                            "Prometheus' files do not pass their check even without this change: " + broken->message};
        std::vector<Culprit> culprits;
        Indexes good;
        CO_CHECK(co_await sift(batch, std::move(wanted), good, culprits));
        if (culprits.empty())
            co_return Error{ErrorClass::conflict, "Prometheus' files changed while they were checked"};
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
    /// Nothing when `indexes` pass, else what promtool says.
    awaitable<Result<std::optional<Error>>> check(const Batch& batch, const Indexes& indexes) {
        CO_TRY(const auto result, co_await run_write("check", batch, indexes));
        if (result.exit_code == 0) co_return std::optional<Error>();
        auto error = failure(result, settings_);
        if (result.exit_code != exit_refused) co_return error;
        co_return std::optional<Error>(std::move(error));
    }

    /// One reload for all; then each rule is looked for.
    awaitable<void> load(const Batch& batch, Indexes written) {
        const auto loaded = co_await reload();
        if (!loaded) co_return fail(batch, written, loaded.error());
        auto rules = co_await rules_now();
        if (!rules) co_return fail(batch, written, rules.error());
        for (const auto i : written) batch.results.set(i, result_of(batch.actions[i], *rules));
    }

    awaitable<Result<void>> reload() {
        auto asked = request("/-/reload");
        asked.method = "POST";
        auto sent = co_await http_->send(std::move(asked));
        if (!sent) co_return std::move(sent).error().within("the reload of Prometheus");
        const auto& reply = *sent;
        // it does not say whether others' part of its configuration is to blame, or ours
        if (reply.status == 403 && reply.body.find("ifecycle") != std::string::npos)
            co_return Error{ErrorClass::transient, "Prometheus takes no reload: start it with --web.enable-lifecycle"};
        auto done = net::expect_success(reply, clock_.wall());
        if (!done) co_return std::move(done).error().within("the reload of Prometheus");
        co_return done;
    }
    awaitable<Result<RulesInForce>> rules_now() {
        CO_TRY(auto reply, co_await get("/api/v1/rules?type=alert"));
        auto work = [reply = std::move(reply), file = settings_.name + ".rules.yml"] {
            return rules_in_force(reply, file);
        };
        co_return co_await blocking_.call(std::move(work));
    }

    Result<Done> result_of(const Action& action, const RulesInForce& rules) const {
        const bool deleted = action.verb == Verb::delete_;
        const auto rule = deleted || !action.prometheus ? std::nullopt : action.prometheus->entry.rule;
        if (!in_force(rules, action.key, rule))
            return Error{ErrorClass::transient, "Prometheus took the reload, and does not go by " +
                                                    settings_.directory + "/" + settings_.name +
                                                    ".rules.yml: is it named in rule_files?"};
        if (deleted) return Done{{{action.key, std::nullopt}}};
        Thing thing;
        thing.mark = action.mark;
        thing.entry = action.prometheus->entry;
        thing.loaded = thing.entry->group.targets.empty() ? Loaded::yes : Loaded::not_yet;
        return Done{{{action.key, std::move(thing)}}};
    }

    std::unique_ptr<hosts::Host> host_;
    std::unique_ptr<net::HttpClient> http_;
    BlockingPool& blocking_;
    Clock& clock_;
    std::string installation_;
    Settings settings_;
};

}  // namespace

std::unique_ptr<Watch> open(std::unique_ptr<hosts::Host> host, std::unique_ptr<net::HttpClient> http,
                            const runtime::Services& services, Settings settings) {
    return std::make_unique<Prometheus>(std::move(host), std::move(http), services, std::move(settings));
}

}  // namespace ocim::monitoring::prometheus
