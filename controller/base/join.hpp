#pragma once

#include "base/async.hpp"

#include <boost/asio/this_coro.hpp>
#include <exception>

namespace ocim {

/// Waits until all tasks of `group` have ended by themselves. Who is cancelled meanwhile takes them with him, so the
/// group may be a local of his.
inline awaitable<void> join_or_stop(TaskGroup& group) {
    std::exception_ptr cancelled;
    try {
        co_await group.join();
    } catch (...) { cancelled = std::current_exception(); }  // nothing can be awaited in here
    if (!cancelled) co_return;
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_await group.stop();
    std::rethrow_exception(cancelled);
}

}  // namespace ocim
