#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "gitops/limits.hpp"

#include <cstddef>
#include <memory>
#include <string>

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

    /// Removes what killed processes left in the folder of fetches, now and once an hour; never ends by itself.
    awaitable<void> keep_tidy(Clock& clock, std::string data_directory);

private:
    std::size_t places_, taken_ = 0;
    Signal left_;
    BlockingPool threads_;
};

}  // namespace ocim::gitops
