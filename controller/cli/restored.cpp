#include "cli/restored.hpp"

namespace ocim::cli {

namespace {

constexpr auto look_interval = std::chrono::seconds(1);

}  // namespace

awaitable<void> tell_restored(Clock& clock, const store::Store& store, Metrics& metrics) {
    auto& held = metrics.gauge(
        "ocim_restored", "1 while the store was restored, and nothing is changed in the world until it is resumed");
    for (;;) {
        held.Set(store.get(restored_key) ? 1 : 0);
        co_await clock.sleep(look_interval);
    }
}

}  // namespace ocim::cli
