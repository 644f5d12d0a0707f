#include "runtime/breaker.hpp"

#include <algorithm>
#include <cmath>

namespace ocim::runtime {

namespace {

std::string_view reason_of(ErrorClass error_class) {
    switch (error_class) {
        case ErrorClass::auth: return "BackendAuthFailed";
        case ErrorClass::unreachable: return "BackendUnreachable";
        case ErrorClass::transient:
        case ErrorClass::rate_limited:
        case ErrorClass::conflict:
        case ErrorClass::not_found:
        case ErrorClass::invalid: return "BackendFailing";
    }
    return "BackendFailing";
}

bool all_is_lost(ErrorClass error_class) {
    return error_class == ErrorClass::auth || error_class == ErrorClass::unreachable;
}

}  // namespace

Breaker::Breaker(Settings settings, Random& random) : settings_(settings), random_(random) {}

void Breaker::set_last(Instant now) {
    last_ = now;
    jitter_ = 0.8 + 0.2 * static_cast<double>(random_.below(1'001)) / 1'000;
}

void Breaker::reset(Instant now) {
    set_last(now);
    state_ = State::closed;
    trouble_.reset();
    probe_failures_ = observe_failures_ = 0;
}

void Breaker::succeeded(Call call, Instant now) {
    set_last(now);
    if (call == Call::probe) {
        probe_failures_ = 0;
        if (state_ == State::open) state_ = State::trial;
    }
    if (call != Call::observe) return;
    observe_failures_ = 0;
    if (state_ == State::open) return;  // it began before the trouble; only a probe says that this is over
    state_ = State::closed;
    trouble_.reset();
}

void Breaker::failed(Call call, const Error& error, Instant now) {
    if (call == Call::probe) set_last(now);
    if (error.error_class == ErrorClass::rate_limited) return;  // it answers; Pace waits
    bool lost = all_is_lost(error.error_class);
    if (call == Call::probe) lost = ++probe_failures_ >= settings_.failures_max || lost;
    if (call == Call::observe) lost = ++observe_failures_ >= settings_.failures_max || lost;
    if (state_ == State::closed && !lost) return;
    if (state_ == State::open && call != Call::probe) return;  // a late reply; what the probe says is newer
    if (call == Call::act && !lost) return;
    state_ = State::open;
    trouble_ = Trouble{std::string(reason_of(error.error_class)), error.message};
}

Instant Breaker::next_probe(bool busy) const {
    // one failure may be a connection that was kept too long: whether it is more must not take long to know
    const bool soon = busy || (state_ == State::closed && probe_failures_ > 0);
    const auto interval = soon ? settings_.probe_busy : settings_.probe_idle;
    return last_ + Duration(static_cast<Duration::rep>(static_cast<double>(interval.count()) * jitter_));
}

Pace::Pace(double calls_per_second) : limit_(calls_per_second), rate_(calls_per_second), tokens_(0) {
    tokens_ = std::max(1.0, limit_);
}

void Pace::set_limit(double calls_per_second) {
    if (calls_per_second == limit_) return;
    limit_ = calls_per_second;
    rate_ = limit_;
}

std::optional<Instant> Pace::take(Instant now) {
    if (now < not_before_) return not_before_;
    const std::chrono::duration<double> passed = now - std::max(refilled_, Instant{});
    tokens_ = std::min(std::max(1.0, rate_), tokens_ + passed.count() * rate_);
    refilled_ = now;
    if (tokens_ >= 1) {
        tokens_ -= 1;
        return std::nullopt;
    }
    const auto wait_ms = std::ceil((1 - tokens_) / rate_ * 1'000);
    return now + Duration(static_cast<Duration::rep>(wait_ms) + 1);
}

void Pace::slow_down(Instant now, Duration wait) {
    not_before_ = std::max(not_before_, now + wait);
    rate_ = std::max(rate_ / 2, limit_ / 16);
    tokens_ = std::min(tokens_, 1.0);
}

void Pace::speed_up() { rate_ = std::min(limit_, rate_ + limit_ / 10); }

}  // namespace ocim::runtime
