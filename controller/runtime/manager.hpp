#pragma once

#include "client/client.hpp"
#include "runtime/kinds.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ocim::runtime {

class CompositeAdapter;  // composite.hpp
class ExternalAdapter;   // external.hpp
class Planning;          // planning.hpp
struct DebugView;        // debug_view.hpp

/// Runs every registered kind: watch → queue → visit → status. Lives on the loop thread.
class Manager {
public:
    struct Settings {
        std::string data_directory;
        /// A first action waits this long for company, while more arrive up to batch_wait_max.
        Duration batch_wait{50}, batch_wait_max{1'000};
        Duration retry_min{1'000}, retry_max{300'000};
        /// Between two probes of a backend with and without work that waits, such that whoever is in it can say within
        /// 10 s that it is gone; of a machine with runs in it, when nothing waits; and the bound of one.
        Duration probe_busy{3'000}, probe_idle{4'000}, probe_idle_machine{30'000}, probe_limit{5'000};
        /// A due key of low priority that waited so long gets every second turn, however many keys of high
        /// priority keep coming.
        Duration starvation_max{10'000};
        /// Bounds of one observation and of one batch of actions, whatever a System does.
        Duration observe_limit{60'000}, act_limit{90'000};
        /// At stop: what actions in flight may still take.
        Duration stop_limit{30'000};
        /// Asked before each write to a backend; false: nothing is sent, and the batch fails as transient. Empty:
        /// always.
        std::function<bool()> may_act{};
        /// Visits of one kind at a time; a visit waits for our own API only, never for a backend.
        std::size_t visits_max = 64;
        /// Not null: nothing is done in the world; what would be done is told here. Must outlive the manager.
        Planning* planning = nullptr;
    };

    /// `loop` runs everything; all arguments must outlive the manager.
    Manager(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Random& random, Metrics& metrics,
            BlockingPool& blocking, Settings settings);
    ~Manager();

    /// Registers a kind; see add_composite<K>() and add_external<A>() in composite.hpp and external.hpp.
    void add(std::unique_ptr<CompositeAdapter> kind);
    void add(std::unique_ptr<ExternalAdapter> kind);

    /// What a kind refuses at write time: its claims against the index, and its admit(). Empty: nothing.
    std::vector<api::Cause> admit(const api::Kind& kind, const Json& object, const Json* old) const;
    std::vector<api::Kind> kinds() const;
    /// What an object of a kind of ours refers to, its backend first. Pure: needs no start(). Empty for other kinds,
    /// and for an object that does not decode.
    std::vector<Reference> references(const api::Kind& kind, const Json& object) const;

    /// Reads or makes the installation id, lists and watches, and starts to work. Returns when the caches are
    /// filled.
    awaitable<Result<void>> start();
    /// Takes no new work, lets actions in flight end or time out.
    awaitable<void> stop();
    /// Waits until nothing is left to be decided now; what is to be looked at again later does not count. False:
    /// `deadline` came first.
    awaitable<bool> settle(Instant deadline);
    /// See debug_page() in debug.hpp. Must not outlive the manager, nor the caller's turn of the loop.
    DebugView view() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim::runtime
