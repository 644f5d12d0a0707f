#pragma once

#include "base/clock.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

/// How a coroutine waits for something that is no operation of Asio. Heavy: for .cpp files only.
namespace ocim {

/// Why a coroutine goes on.
enum class Wake { notified, timed_out, cancelled };
enum class Cancellable { no, yes };

/// A suspended coroutine, held by whoever will wake it. The coroutine itself must not hold it: each would keep
/// the other alive for ever.
class Waiter {
public:
    virtual ~Waiter() = default;
    /// The coroutine goes on later, on its own executor; only the first call counts.
    virtual void finish(Wake why) = 0;
};

namespace detail {
template <class Handler>
class HandlerWaiter final : public Waiter {
public:
    explicit HandlerWaiter(Handler handler) : handler_(std::move(handler)) {}
    void finish(Wake why) override {
        if (!handler_) return;
        auto handler = *std::move(handler_);
        handler_.reset();
        auto executor = boost::asio::get_associated_executor(handler);
        boost::asio::post(executor, [handler = std::move(handler), why]() mutable { std::move(handler)(why); });
    }

private:
    std::optional<Handler> handler_;
};
}  // namespace detail

/// Suspends the coroutine and gives its Waiter to `park(std::shared_ptr<Waiter>)`. Being cancelled is an answer,
/// not an exception, so that the coroutine can take back what it asked for.
/// finish() may be called on another thread only when the wait is not cancellable.
template <class Park>
awaitable<Wake> suspend(Cancellable cancellable, Park park) {
    namespace asio = boost::asio;
    auto initiate = [cancellable, park = std::move(park)](auto handler) mutable {
        using Handler = std::decay_t<decltype(handler)>;
        const auto slot = asio::get_associated_cancellation_slot(handler);
        std::shared_ptr<Waiter> waiter = std::make_shared<detail::HandlerWaiter<Handler>>(std::move(handler));
        if (cancellable == Cancellable::yes && slot.is_connected()) {
            auto on_cancel = [weak = std::weak_ptr<Waiter>(waiter)](asio::cancellation_type) {
                if (const auto found = weak.lock()) found->finish(Wake::cancelled);
            };
            auto connected = slot;
            connected.assign(std::move(on_cancel));
        }
        park(std::move(waiter));
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Wake)>(std::move(initiate), asio::use_awaitable);
}

}  // namespace ocim
