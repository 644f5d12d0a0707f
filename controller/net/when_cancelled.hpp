#pragma once

#include "base/clock.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <functional>

namespace ocim::net {

/// Calls `call` if the coroutine is cancelled during its next wait: for a wait on a thread, which goes on until
/// the thread is done, so that the thread can be told to hurry. Await it right before that wait. Heavy: for .cpp
/// files only.
inline awaitable<void> when_cancelled(std::function<void()> call) {
    const boost::asio::cancellation_state state = co_await boost::asio::this_coro::cancellation_state;
    auto slot = state.slot();
    if (slot.is_connected()) slot.assign([call = std::move(call)](boost::asio::cancellation_type) { call(); });
}

}  // namespace ocim::net
