#include "gitops/workshop.hpp"

#include "base/log.hpp"
#include "gitops/workspace.hpp"

namespace ocim::gitops {

Workshop::Workshop(boost::asio::any_io_executor loop, std::size_t places)
    : places_(places), threads_(loop, "git", limits::threads, limits::threads_queue_max) {}

Workshop::Place::Place(Workshop& workshop) : workshop_(workshop) { ++workshop_.taken_; }

Workshop::Place::~Place() {
    --workshop_.taken_;
    workshop_.left_.notify();
}

awaitable<std::unique_ptr<Workshop::Place>> Workshop::enter() {
    while (taken_ >= places_) co_await left_.wait();
    co_return std::make_unique<Place>(*this);
}

awaitable<void> Workshop::keep_tidy(Clock& clock, std::string data_directory) {
    for (;;) {
        auto sweep = [folder = folder_of_fetches(data_directory)]() -> Result<std::size_t> {
            return Workspace::sweep(folder);
        };
        const auto swept = co_await threads_.call(std::move(sweep));
        if (swept && *swept > 0)
            log::info("what killed processes left of their fetches is removed",
                      {{"directories", std::to_string(*swept)}});
        co_await clock.sleep(limits::sweep_pause);
    }
}

}  // namespace ocim::gitops
