#include "mail/relay.hpp"

#include "base/async.hpp"
#include "base/metrics.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ocim::mail {
namespace {

using runtime::Services;
using Done = runtime::Done<Key, Thing>;
using Results = runtime::Results<Key, Thing>;

constexpr Duration send_limit{60'000};
constexpr Duration probe_limit{4'000};
/// A relay that took what we sent needs no log-in every few seconds to be believed in.
constexpr Duration believed_for{300'000};
/// Kept until long after a status has said it; two relays' hours of mail at the default pace.
constexpr std::size_t taken_max = 20'000;
constexpr std::size_t threads = 2, waiting_max = 64;

constexpr std::array results_shown{"taken", "refused", "deferred", "unauthorized", "unreachable"};

const char* shown(const Result<std::string>& sent) {
    if (sent) return "taken";
    switch (sent.error().error_class) {
        case ErrorClass::invalid: return "refused";
        case ErrorClass::auth: return "unauthorized";
        case ErrorClass::unreachable: return "unreachable";
        case ErrorClass::transient:
        case ErrorClass::rate_limited:
        case ErrorClass::conflict:
        case ErrorClass::not_found: break;
    }
    return "deferred";
}

class SmtpRelay final : public Relay {
public:
    SmtpRelay(RelaySettings settings, std::shared_ptr<Taken> taken, const Services& services)
        : settings_(std::move(settings)),
          taken_(std::move(taken)),
          clock_(services.clock),
          metrics_(services.metrics),
          pool_(services.loop, "mail", threads, waiting_max) {
        for (const auto* result : results_shown) count(result).Increment(0);
    }
    ~SmtpRelay() override { cancel_->give_up(); }
    SmtpRelay(const SmtpRelay&) = delete;
    SmtpRelay& operator=(const SmtpRelay&) = delete;

    awaitable<Result<Snapshot>> observe() override { co_return taken_->all(); }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        const auto session = std::make_shared<net::MailSession>(settings_.server, cancel_);
        std::optional<Error> stopped;  // why nothing more is sent: it concerns all of it
        for (std::size_t n = 0; n < actions.size(); ++n) {
            if (stopped) {
                results.set(n, *stopped);
                continue;
            }
            const auto key = actions[n].key;
            // two Notifications never share one; an action may come twice
            if (const auto known = taken_->all().find(key); known != taken_->all().end()) {
                results.set(n, Done{{{key, known->second}}});
                continue;
            }
            const auto began = clock_.now();
            auto sent = co_await send(session, std::move(actions[n].message));
            count(shown(sent)).Increment();
            metrics_.histogram("ocim_mail_seconds", "How long it took to hand one mail over.")
                .Observe(std::chrono::duration<double>(clock_.now() - began).count());
            if (sent) {
                answered_ = clock_.now();
                taken_->add(key, clock_.wall());
                results.set(n, Done{{{key, taken_->all().at(key)}}});
                continue;
            }
            results.set(n, sent.error());
            const auto error_class = sent.error().error_class;
            if (error_class == ErrorClass::unreachable || error_class == ErrorClass::auth) {
                answered_.reset();
                stopped = std::move(sent).error();
                stopped->outcome_unknown = false;  // what is not sent cannot have happened
            }
        }
    }

    awaitable<Result<void>> probe() override {
        if (answered_ && clock_.now() - *answered_ < believed_for) co_return Result<void>();
        auto work = [server = settings_.server, cancel = cancel_]() -> Result<void> {
            return net::MailSession(server, cancel).probe(probe_limit);
        };
        auto answer = co_await pool_.call(std::move(work));
        if (answer)
            answered_ = clock_.now();
        else
            answered_.reset();
        co_return answer;
    }

private:
    using Session = std::shared_ptr<net::MailSession>;  // shared with a thread that a cancelled caller leaves behind

    prometheus::Counter& count(const char* result) {
        return metrics_.counter("ocim_mails_total", "Mails handed to a relay, by what it said.", {{"result", result}});
    }

    awaitable<Result<std::string>> send(Session session, Message message) {
        message.from = settings_.from;
        message.from_name = settings_.from_name;
        message.subject = settings_.subject_prefix + message.subject;
        message.date = clock_.wall();
        message.id += "@" + settings_.from.substr(settings_.from.find('@') + 1);
        auto text = compose(message);
        if (!text) co_return std::move(text).error();
        auto work = [session = std::move(session), mail = net::Mail{message.from, message.to, *std::move(text)}] {
            return session->send(mail, send_limit);
        };
        co_return co_await pool_.call(std::move(work));
    }

    RelaySettings settings_;
    std::shared_ptr<Taken> taken_;  // of all relays
    Clock& clock_;
    Metrics& metrics_;
    std::shared_ptr<net::MailCancel> cancel_ = std::make_shared<net::MailCancel>();
    std::optional<Instant> answered_;
    BlockingPool pool_;  // of its own: a relay that stalls holds nobody else up; last, because it ends first
};

}  // namespace

void Taken::add(const Key& key, WallTime at) {
    all_[key] = {at};
    if (all_.size() <= taken_max) return;
    all_.erase(std::ranges::min_element(all_, {}, [](const auto& item) { return item.second.taken_at; }));
}

std::unique_ptr<Relay> open_relay(RelaySettings settings, std::shared_ptr<Taken> taken, const Services& services) {
    return std::make_unique<SmtpRelay>(std::move(settings), std::move(taken), services);
}

}  // namespace ocim::mail
