#pragma once

#include "runtime/cache.hpp"

#include <functional>
#include <map>
#include <string>

namespace ocim::runtime {

/// Keeps the cache of each kind current: list, then watch, and list again when the history is gone, and about once an
/// hour, for what a watch left out.
class Informers {
public:
    Informers(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Random& random, Cache& cache)
        : client_(client), clock_(clock), random_(random), cache_(cache), tasks_(std::move(loop)) {}

    /// From now on, if not already.
    void follow(const api::Kind& kind);
    /// Whether the cache tells if there is such an object. It is read when nobody has asked for it before.
    bool look(const api::Kind& kind, const ObjectKey& key);
    /// Waits until every kind that is followed was listed once.
    awaitable<void> wait_synced();
    /// Called after the first list of each kind.
    void listen(std::function<void(const api::Kind&)> listener) { listener_ = std::move(listener); }
    awaitable<void> stop();

private:
    awaitable<void> run(api::Kind kind);
    void read_soon(const api::Kind& kind, ObjectKey key);
    awaitable<void> read(api::Kind kind, ObjectKey key);
    /// After a failure: later and later, and as long as the server asks.
    awaitable<void> rest(unsigned& failures, Error error);
    /// One list and the watch after it, until that ends. Ok: it is time for another list. Error: why it ended.
    awaitable<Result<void>> list_and_watch(api::Kind kind, std::string& resource_version, unsigned& failures);

    client::Client& client_;
    Clock& clock_;
    Random& random_;
    Cache& cache_;
    std::map<std::string, api::Kind> kinds_;
    std::function<void(const api::Kind&)> listener_;
    Signal synced_;
    TaskGroup tasks_;
};

}  // namespace ocim::runtime
