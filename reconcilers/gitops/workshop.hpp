#pragma once

#include "base/async.hpp"
#include "gitops/limits.hpp"

#include <cstddef>
#include <memory>

namespace ocim::gitops {

/// What the fetches of all GitSources share, so that the rest of the program keeps its threads and its memory whatever
/// repositories are like. Lives on the loop thread, longer than whoever fetches.
class Workshop {
public:
    explicit Workshop(boost::asio::any_io_executor loop, std::size_t places = limits::transfers_max);

    /// Threads that take packs apart and judge signatures.
    BlockingPool& threads() { return threads_; }

    /// A place for one pack in memory; whoever lets it go makes room for the next.
    class Place {
    public:
        explicit Place(Workshop& workshop);
        ~Place();
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

    private:
        Workshop& workshop_;
    };
    /// Waits until there is one.
    awaitable<std::unique_ptr<Place>> enter();
    std::size_t taken() const { return taken_; }

private:
    std::size_t places_, taken_ = 0;
    Signal left_;
    BlockingPool threads_;
};

}  // namespace ocim::gitops
