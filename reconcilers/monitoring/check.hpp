#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "monitoring/watch.hpp"
#include "net/fetch.hpp"
#include "net/talk.hpp"

#include <memory>

namespace ocim::monitoring {

/// What the prober asks with.
struct Senses {
    std::shared_ptr<net::Fetcher> fetcher;  // shared with probes that end after the prober
    std::shared_ptr<net::Talker> talker;    // the same
};

/// Asks once and judges the answer, within the probe's time-out. Neither `at` nor `alert` is said. `clock` and `random`
/// must outlive it.
awaitable<Outcome> check(Senses senses, Clock& clock, Random& random, Probe probe);

}  // namespace ocim::monitoring
