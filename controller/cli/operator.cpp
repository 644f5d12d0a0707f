#include "cli/operator.hpp"

#include "apiserver/server.hpp"
#include "apiserver/webhooks.hpp"
#include "cli/cli.hpp"
#include "cli/controllers.hpp"
#include "cli/debug_pages.hpp"
#include "cli/door.hpp"
#include "cli/files.hpp"
#include "cli/leader.hpp"
#include "cli/process_deadline.hpp"
#include "cli/signals.hpp"
#include "cli/subresources.hpp"
#include "runtime/lease.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <future>
#include <thread>

namespace ocim::cli {

namespace {

namespace asio = boost::asio;

constexpr auto user_agent = "ocim/" OCIM_VERSION;
constexpr auto mark = "ocim-controller";  // tells our directory from any other
constexpr auto drain_limit = std::chrono::seconds(10);
constexpr auto release_limit = std::chrono::seconds(5);

/// Holds the lease on a thread of its own, with a connection of its own: no work of ours delays a renewal.
class LeaseThread {
public:
    struct Listeners {
        std::function<void(const std::string& holder)> told;  ///< on the lease's thread, as the next
        std::function<void()> leads;
    };
    using Tells = std::function<std::map<std::string, std::string>()>;
    LeaseThread(client::AccessSource access, const std::string& identity, std::function<void(Instant)> held,
                Tells tells)
        : client_(client::make_remote_client(loop_.get_executor(), *clock_, metrics_, pool_,
                                             {std::move(access), user_agent})),
          lease_(*client_, *clock_, {.identity = identity, .held = std::move(held), .tells = std::move(tells)}) {}
    ~LeaseThread() { join(); }
    LeaseThread(const LeaseThread&) = delete;
    LeaseThread& operator=(const LeaseThread&) = delete;

    void start(Listeners listeners) {
        thread_ = std::thread([this, listeners = std::move(listeners)] {
            tasks_.spawn("lease", hold(listeners));
            const auto until_joined = asio::make_work_guard(loop_);
            loop_.run();
        });
    }
    bool may_act() const { return lease_.may_act(); }
    /// Gives it up and ends. Blocks for release_limit at most.
    void release() {
        if (!thread_.joinable()) return;
        std::promise<void> done;
        asio::co_spawn(loop_, end(), [&](std::exception_ptr) { done.set_value(); });
        done.get_future().wait();
        join();
    }

private:
    awaitable<void> hold(Listeners listeners) {
        co_await lease_.acquire(listeners.told);
        listeners.leads();
        const auto why = co_await lease_.keep();
        log::error("the lease is lost: this process ends", {{"reason", why}});
        // not in order: what is in flight must not be seen through
        std::_Exit(exit_failed);
    }
    awaitable<Result<void>> give_up() {
        co_await lease_.release();
        co_return Result<void>();
    }
    awaitable<void> end() {
        co_await tasks_.stop();
        auto giving_up = give_up();
        const auto gave_up =
            co_await with_deadline(*clock_, release_limit, "giving the lease up", std::move(giving_up));
        if (!gave_up) log::warning("the lease was not given up", {{"reason", gave_up.error().message}});
    }
    void join() {
        if (!thread_.joinable()) return;
        loop_.stop();
        thread_.join();
    }

    asio::io_context loop_{1};
    std::unique_ptr<Clock> clock_ = make_system_clock(loop_);
    Metrics metrics_;  // its calls are few, and not the controllers'
    BlockingPool pool_{loop_.get_executor(), "lease", 1, 4};
    std::unique_ptr<client::Client> client_;
    runtime::Lease lease_;
    TaskGroup tasks_{loop_.get_executor()};
    std::thread thread_;
};

}  // namespace

/// In the order in which things need each other; they go in the reverse order.
struct Operator::State {
    explicit State(Settings given)
        : settings(std::move(given)),
          lease(
              settings.access, settings.identity, [this](Instant end) { deadline->move_to(end); },
              [this] { return told; }) {
        client = client::make_remote_client(loop.get_executor(), *clock, metrics, pool,
                                            {settings.access, user_agent, [this] { return lease.may_act(); }});
        reviews =
            client::make_remote_reviews(loop.get_executor(), *clock, metrics, pool, {settings.access, user_agent});
        forwarder = std::make_unique<Forwarder>(loop.get_executor(), *client, *clock, metrics, settings.identity);
    }

    Result<void> listen();
    /// The manager, or why there is none here.
    Result<const runtime::Manager*> working() const;
    Result<void> listen_for_webhooks();
    Result<void> open_door();
    net::Handler receive();
    awaitable<Result<void>> serve_until_signal();
    awaitable<Result<void>> wait_for_lease();
    awaitable<Result<void>> lead();
    awaitable<void> stop();

    Settings settings;
    asio::io_context loop{1};
    std::unique_ptr<Clock> clock = make_system_clock(loop);
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    asio::signal_set signals{loop, SIGTERM, SIGINT};
    BlockingPool pool{loop.get_executor(), "blocking", 2, 256};
    TaskGroup tasks{loop.get_executor()};
    std::unique_ptr<ProcessDeadline> deadline;  ///< of this thread, which starts every call; set before the lease is
    std::map<std::string, std::string> told;    ///< by the Lease, of us; not changed once the lease is begun
    LeaseThread lease;
    std::unique_ptr<client::Client> client;
    std::unique_ptr<client::Reviews> reviews;
    std::unique_ptr<Forwarder> forwarder;
    std::unique_ptr<openedx::RunLogs> logs;
    std::unique_ptr<Controllers> controllers;  ///< null until this process leads
    apiserver::Health health;
    apiserver::Webhooks webhooks;
    std::unique_ptr<net::HttpServer> metrics_listener, webhook_listener;
    std::unique_ptr<Door> door;  ///< null without --listen

    bool asked_to_end = false;
    Signal changed;  ///< one of the above, or of the below
    std::string not_ready = "the API server has not answered yet";
    bool leads = false;
    Result<void> led;  ///< how leading began
};

Operator::Operator(Settings settings) : state_(std::make_unique<State>(std::move(settings))) {}
Operator::~Operator() = default;

Result<void> Operator::run() {
    auto& s = *state_;
    survive_broken_pipes();
    const auto& directory = s.settings.data_directory;
    if (auto opened = open_data_directory(directory, mark); !opened) return opened;
    if (auto marked = write_file(directory + "/" + mark, ""); !marked) return marked;
    if (auto listening = s.listen(); !listening) return listening;
    auto deadline = ProcessDeadline::make();
    if (!deadline) return std::move(deadline).error();
    s.deadline = *std::move(deadline);
    Result<void> result;
    asio::co_spawn(s.loop, s.serve_until_signal(), [&](std::exception_ptr thrown, Result<void> ended) {
        result = std::move(ended);
        s.loop.stop();
        if (thrown) std::rethrow_exception(thrown);
    });
    s.loop.run();
    return result;
}

Result<void> Operator::State::listen() {
    health.add("leader", [this]() -> std::optional<std::string> {
        if (not_ready.empty()) return std::nullopt;
        return not_ready;
    });
    net::ServerSettings plain;
    plain.address = settings.metrics_listen.host;
    plain.port = settings.metrics_listen.port;
    // where there is a door that knows people, they are to come by that
    auto pages = settings.listen ? apiserver::DebugPages() : debug_pages([this] { return working(); });
    auto served = net::serve(loop.get_executor(), *clock, std::move(plain),
                             apiserver::metrics_handler(metrics, health, std::move(pages)));
    if (!served) return std::move(served).error().within("--metrics-listen");
    metrics_listener = *std::move(served);
    if (auto opened = open_door(); !opened) return std::move(opened).error().within("--listen");
    if (settings.webhook_listen) return listen_for_webhooks();
    return {};
}

/// Of webhooks. Whoever does not lead has nobody to give a delivery to, and GitHub sends each once.
net::Handler Operator::State::receive() {
    return [this, ours = webhooks.handler()](net::ServerRequest delivery, net::Responder& responder) {
        return controllers ? ours(std::move(delivery), responder) : forwarder->pass_on(std::move(delivery), responder);
    };
}

Result<void> Operator::State::listen_for_webhooks() {
    net::ServerSettings deliveries;
    deliveries.address = settings.webhook_listen->host;
    deliveries.port = settings.webhook_listen->port;
    deliveries.refusal = apiserver::wire_refusal;
    auto served = net::serve(loop.get_executor(), *clock, std::move(deliveries), receive());
    if (!served) return std::move(served).error().within("--webhook-listen");
    webhook_listener = *std::move(served);
    return {};
}

Result<const runtime::Manager*> Operator::State::working() const {
    if (controllers) return &controllers->manager();
    return Error{ErrorClass::transient, "the controllers run in another process: ask the one that leads"};
}

Result<void> Operator::State::open_door() {
    if (!settings.listen) return {};
    auto opened = Door::open(loop.get_executor(), *clock, *reviews, *client, {*settings.listen, settings.advertised});
    if (!opened) return std::move(opened).error();
    door = *std::move(opened);
    door->receive_by(receive());
    door->use(debug_pages([this] { return working(); }));
    door->forward_by([this](net::ServerRequest request, net::Responder& responder) {
        return forwarder->pass_on(std::move(request), responder);
    });
    const bool everywhere = reachable_host(settings.listen->host) != settings.listen->host;
    const auto host = !settings.advertised.empty() ? settings.advertised : everywhere ? "" : settings.listen->host;
    if (!host.empty())
        told = Leader{settings.identity, url("https", host, door->port()), door->authority()}.annotations();
    return {};
}

awaitable<Result<void>> Operator::State::serve_until_signal() {
    if (door) tasks.spawn("certificate", door->keep());
    tasks.spawn("loop-lag", apiserver::measure_loop_lag(*clock, metrics));
    auto& master = metrics.gauge("leader_election_master_status", "1 while this process leads, else 0.",
                                 {{"name", "ocim-controller"}});
    log::info("started", {{"identity", settings.identity},
                          {"metrics", url("http", settings.metrics_listen.host, metrics_listener->port())},
                          {"listen", door ? url("https", settings.listen->host, door->port()) : std::string("none")},
                          {"version", OCIM_VERSION}});
    lease.start({[this](const std::string& holder) {
                     asio::post(loop, [this, holder] {
                         log::info("who leads", {{"holder", holder}});
                         not_ready.clear();  // one that waits is as ready as it can be
                     });
                 },
                 [this] {
                     asio::post(loop, [this] {
                         leads = true;
                         changed.notify();
                     });
                 }});
    tasks.spawn("leading", [](State& s, prometheus::Gauge& gauge) -> awaitable<void> {
        while (!s.leads) co_await s.changed.wait();
        gauge.Set(1);
        s.led = co_await s.lead();
        if (s.led) co_return;
        log::error("the controllers cannot start", {{"reason", s.led.error().message}});
        s.signals.cancel();
    }(*this, master));
    const auto [error, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    if (!error) log::info("asked to end", {{"signal", std::to_string(number)}});
    co_await stop();
    master.Set(0);
    co_return led;
}

awaitable<Result<void>> Operator::State::lead() {
    logs = std::make_unique<openedx::RunLogs>(*client, *clock, pool, settings.data_directory);
    Controllers::Settings chosen;
    chosen.manager.data_directory = settings.data_directory;
    chosen.local_machines = settings.local_machines;
    chosen.manager.may_act = [this] { return lease.may_act(); };
    chosen.delegates = client::make_remote_delegates(loop.get_executor(), *clock, metrics, pool,
                                                     {settings.access, user_agent, [this] { return lease.may_act(); }});
    controllers = std::make_unique<Controllers>(loop.get_executor(), *client, *clock, *random, metrics, pool, *logs,
                                                std::move(chosen));
    controllers->add_routes(webhooks);
    if (door) door->use({appserver_log(*logs)});
    co_return co_await controllers->start();
}

awaitable<void> Operator::State::stop() {
    not_ready = "shutting down";
    co_await tasks.stop();
    if (controllers) co_await controllers->stop();
    auto letting_go = [this] { lease.release(); };
    const auto released = co_await pool.run(std::move(letting_go));
    if (!released) log::warning("the lease was not given up", {{"reason", released.error().message}});
    const auto deadline = clock->now() + drain_limit;
    if (door) co_await door->stop(deadline);
    if (metrics_listener) co_await metrics_listener->stop(deadline);
    if (webhook_listener) co_await webhook_listener->stop(deadline);
}

}  // namespace ocim::cli
