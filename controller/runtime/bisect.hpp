#pragma once

#include "base/clock.hpp"

#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace ocim::runtime {

/// Tries `items` as one batch. A batch that is refused (invalid) is tried again in halves, in order, until what is
/// refused stands alone: that item is reported with its reason, its neighbours go through. With k culprits among n
/// items that takes about 2k log2(n) calls.
///
/// Any other error is no item's fault: it is reported for the batch that met it and for all that was not tried yet.
/// `try_batch` must have no effect when it is refused. Every item is reported exactly once.
template <class Item>
awaitable<void> act_bisecting(std::vector<Item> items,
                              std::function<awaitable<Result<void>>(std::vector<Item>)> try_batch,
                              std::function<void(const Item&, const Result<void>&)> report) {
    std::vector<std::vector<Item>> open;  // the next batch is the last
    if (!items.empty()) open.push_back(std::move(items));
    std::optional<Error> given_up;
    while (!open.empty()) {
        auto batch = std::move(open.back());
        open.pop_back();
        Result<void> result;
        if (given_up) {
            result = *given_up;
        } else {
            auto copy = batch;
            result = co_await try_batch(std::move(copy));
        }
        const bool refused = !result && result.error().error_class == ErrorClass::invalid;
        if (refused && batch.size() > 1) {
            const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
            open.emplace_back(middle, batch.end());
            open.emplace_back(batch.begin(), middle);
            continue;
        }
        for (const auto& item : batch) report(item, result);
        if (result || refused || given_up) continue;
        given_up = result.error();
        given_up->outcome_unknown = false;  // what was not sent cannot have happened
    }
}

}  // namespace ocim::runtime
