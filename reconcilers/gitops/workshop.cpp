#include "gitops/workshop.hpp"

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

}  // namespace ocim::gitops
