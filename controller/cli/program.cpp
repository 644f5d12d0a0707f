#include "cli/program.hpp"

#include "apiserver/server.hpp"
#include "apiserver/webhooks.hpp"
#include "cli/access.hpp"
#include "cli/certificates.hpp"
#include "cli/cli.hpp"
#include "cli/controllers.hpp"
#include "cli/debug_pages.hpp"
#include "cli/files.hpp"
#include "cli/judge.hpp"
#include "cli/process_deadline.hpp"
#include "cli/restored.hpp"
#include "cli/revoked.hpp"
#include "cli/signals.hpp"
#include "cli/subresources.hpp"
#include "cli/token_keys.hpp"
#include "client/client.hpp"
#include "crd/schemas.hpp"
#include "registry/registry.hpp"
#include "runtime/installation.hpp"
#include "store/file_lock.hpp"
#include "store/postgres_journal.hpp"
#include "store/postgres_lease.hpp"
#include "store/store.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace ocim::cli {

namespace {

namespace asio = boost::asio;

constexpr auto database = "ocim.db";
/// What requests in flight may still take when we are asked to end.
constexpr auto drain_limit = std::chrono::seconds(10);

}  // namespace

/// In the order in which things need each other; they go in the reverse order.
struct Program::State {
    explicit State(Settings given) : settings(std::move(given)) {}

    Result<void> open();
    Result<void> open_journal(store::KeyRing keys);
    Result<void> open_doors();
    awaitable<Result<void>> start();
    awaitable<Result<void>> load();
    /// New certificates for the server and the admin; when they run out.
    Result<WallTime> renew_certificates();
    net::TlsSettings identity() const {
        return {access.server.certificate, access.server.private_key, access.ca.certificate};
    }
    awaitable<Result<void>> serve_until_signal();
    awaitable<Result<void>> install();
    awaitable<Result<void>> install_kinds();
    awaitable<Result<void>> name_installation();
    void make_controllers();
    /// The manager, or why there is none here.
    Result<const runtime::Manager*> working() const;
    void look_after_store();
    Result<void> stand_for_leader();
    prometheus::Gauge& led_gauge() {
        return metrics.gauge("leader_election_master_status", "1 while this process leads, else 0.",
                             {{"name", settings.controllers ? "ocim-controller" : "ocim-upkeep"}});
    }
    awaitable<void> lead();
    Result<void> listen();
    Result<void> announce();
    Result<void> write_kubeconfig() const;
    awaitable<void> stop();

    Settings settings;
    asio::io_context loop{1};
    std::unique_ptr<Clock> clock = make_system_clock(loop);
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    asio::signal_set signals{loop, SIGTERM, SIGINT};
    BlockingPool pool{loop.get_executor(), "blocking", 2, 256};
    TaskGroup tasks{loop.get_executor()};

    std::optional<store::FileLock> lock;  ///< of the data directory, when the store is elsewhere
    std::unique_ptr<store::SealedJournal> journal;
    bool new_keys = false;   ///< the encryption keys are not in their file yet
    bool new_store = false;  ///< this process has made the tables in the database
    std::unique_ptr<store::Store> store;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<client::Client> client;
    std::unique_ptr<openedx::RunLogs> logs;
    std::unique_ptr<Controllers> controllers;  ///< null without them
    bool leads = false;                        ///< among replicas
    Signal led;
    Result<void> leading;                         ///< how it began
    std::unique_ptr<ProcessDeadline> deadline;    ///< of this thread, which starts every call
    std::unique_ptr<store::PostgresLease> lease;  ///< null when there are no others

    Access access;
    std::unique_ptr<apiserver::Authorizer> authorizer;
    std::unique_ptr<apiserver::ServiceAccountTokens> tokens;
    std::unique_ptr<apiserver::Authenticator> authenticator;
    std::unique_ptr<apiserver::AuditLog> audit;
    apiserver::Health health;
    std::unique_ptr<apiserver::Server> api;
    apiserver::Webhooks webhooks;
    std::unique_ptr<net::HttpServer> api_listener, metrics_listener, webhook_listener;

    /// Why /readyz says no, or empty.
    std::string not_ready = "starting";
};

Program::Program(Settings settings) : state_(std::make_unique<State>(std::move(settings))) {}
Program::~Program() = default;

Result<void> Program::run() {
    auto& s = *state_;
    survive_broken_pipes();
    if (auto opened = s.open(); !opened) return opened;
    Result<void> result;
    asio::co_spawn(s.loop, s.serve_until_signal(), [&](std::exception_ptr thrown, Result<void> ended) {
        result = std::move(ended);
        s.loop.stop();
        if (thrown) std::rethrow_exception(thrown);
    });
    s.loop.run();
    return result;
}

Result<void> Program::State::open() {
    const auto& directory = settings.data_directory;
    if (auto opened = open_data_directory(directory, database); !opened) return opened;
    auto keys = read_keys(settings.encryption);
    if (!keys) return std::move(keys).error();
    new_keys = !*keys;
    auto ring = new_keys ? store::KeyRing::make() : Result<store::KeyRing>(**std::move(keys));
    if (!ring) return std::move(ring).error();
    if (auto opened = open_journal(*std::move(ring)); !opened) return opened;
    auto found = open_access(directory, {settings.listen.host, settings.tls_names}, clock->wall());
    if (!found) return std::move(found).error();
    access = *std::move(found);
    report_expiry(metrics, access);
    auto log = apiserver::AuditFile::open(directory + "/audit.log", {});
    if (!log) return std::move(log).error();
    audit = std::make_unique<apiserver::AuditLog>(loop.get_executor(), metrics, *std::move(log));
    store = std::make_unique<store::Store>(loop.get_executor(), *journal, *clock, metrics);
    registry = std::make_unique<registry::Registry>(*store, *clock, *random, metrics, registry::Registry::Settings{});
    return open_doors();
}

Result<void> Program::State::open_journal(store::KeyRing keys) {
    const auto file = settings.data_directory + "/" + database;
    if (settings.database) {
        if (std::filesystem::exists(file))
            return Error{ErrorClass::conflict,
                         file +
                             " is the store of a server without --store, which would be left aside: carry it over "
                             "with \"ocim migrate --from sqlite:" +
                             file + "\", then move it and what is beside it away; or give another --data-dir"};
        // the same lock: "ocim secrets" sees that a server runs
        auto taken = store::FileLock::take(file + ".lock");
        if (!taken) return std::move(taken).error();
        lock.emplace(*std::move(taken));
        journal = store::open_postgres_journal(
            loop.get_executor(), metrics, std::move(keys),
            {.database = *settings.database, .name = settings.identity, .made = [this] { new_store = true; }});
        return {};
    }
    auto opened = store::open_sealed_journal(loop.get_executor(), file, std::move(keys));
    if (opened) journal = *std::move(opened);
    return opened ? Result<void>() : Result<void>(std::move(opened).error());
}

/// Who may come in, and what he may do.
Result<void> Program::State::open_doors() {
    auto keys = open_token_keys(settings.data_directory);
    if (!keys) return std::move(keys).error();
    auto revoked = read_revoked(settings.data_directory);
    if (!revoked) return std::move(revoked).error();
    apiserver::StaticTokens fixed;
    if (!settings.token_auth_file.empty()) {
        auto found = read_token_file(settings.token_auth_file);
        if (!found) return std::move(found).error();
        fixed = *std::move(found);
    }
    authorizer = apiserver::make_rbac_authorizer(*registry);
    registry->set_guard(apiserver::escalation_guard(*authorizer));
    apiserver::ServiceAccountTokens::Settings of_tokens;
    if (!settings.service_account_issuer.empty()) of_tokens.issuer = settings.service_account_issuer;
    of_tokens.keep = [directory = settings.data_directory](const std::string& key, WallTime until) {
        return keep_token_key(directory, key, until);
    };
    tokens = std::make_unique<apiserver::ServiceAccountTokens>(*registry, *clock, *random, *std::move(keys), of_tokens);
    authenticator = std::make_unique<apiserver::Authenticator>(*clock, tokens.get(), std::move(fixed));
    authenticator->use(*std::move(revoked));
    return {};
}

awaitable<Result<void>> Program::State::serve_until_signal() {
    auto result = co_await start();
    if (result) {
        const auto [error, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
        log::info("asked to end", {{"signal", error ? error.message() : std::to_string(number)}});
        result = leading;
    }
    co_await stop();
    co_return result;
}

awaitable<Result<void>> Program::State::start() {
    CO_CHECK(co_await load());
    CO_CHECK(co_await registry->start());
    CO_CHECK(co_await install());
    settings.database ? tasks.spawn("follow", store->follow()) : look_after_store();
    tasks.spawn("audit", audit->run());
    tasks.spawn("encryption keys", follow_keys(*clock, *journal, settings.encryption));
    tasks.spawn("token keys", follow_token_keys(*clock, settings.data_directory, *tokens));
    auto use_revoked = [this](apiserver::Revoked revoked) { authenticator->use(std::move(revoked)); };
    tasks.spawn("revoked", follow_revoked(*clock, settings.data_directory, std::move(use_revoked)));
    tasks.spawn("loop-lag", apiserver::measure_loop_lag(*clock, metrics));
    tasks.spawn("restored", tell_restored(*clock, *store, metrics));
    client = client::make_local_client(*registry, *clock, "ocim/" OCIM_VERSION);
    logs = std::make_unique<openedx::RunLogs>(*client, *clock, pool, settings.data_directory);
    if (!settings.installation_id.empty()) CO_CHECK(co_await name_installation());
    if (store->get(restored_key))
        log::warning("restored: nothing is changed in the world until \"ocim resume --all\"", {});
    // before anybody can write: what the controllers refuse must be refused from the first request on
    if (settings.controllers) make_controllers();
    CO_CHECK(listen());
    if (settings.database) CO_CHECK(stand_for_leader());
    if (!settings.database && controllers) {
        CO_CHECK(co_await controllers->start());
        led_gauge().Set(1);  // there are no others
    }
    not_ready.clear();
    CO_CHECK(announce());
    co_return Result<void>();
}

awaitable<Result<void>> Program::State::load() {
    auto loaded = co_await store->load();
    if (!loaded && new_keys)
        co_return std::move(loaded).error().within(settings.encryption.path + " is not there, so a new key was tried");
    if (!loaded) co_return loaded;
    // before anything is encrypted with it
    if (new_keys) CO_CHECK(write_keys(settings.encryption, journal->ring()));
    co_return Result<void>();
}

/// Replicas that start together are in each other's way: who was not first looks again.
awaitable<Result<void>> Program::State::install() {
    for (int attempt = 0;; ++attempt) {
        CO_CHECK(co_await store->catch_up());
        auto installed = co_await install_kinds();
        if (installed) installed = co_await apiserver::install_policy(*registry);
        if (installed || installed.error().error_class != ErrorClass::conflict || attempt == 20) co_return installed;
    }
}

awaitable<Result<void>> Program::State::install_kinds() {
    for (const auto text : crd::schemas()) {
        CO_TRY(const auto schema, api::parse_json(text));
        auto installed = co_await registry->install(schema.value);
        if (!installed) co_return to_error(installed.error());
    }
    co_return Result<void>();
}

awaitable<Result<void>> Program::State::name_installation() {
    auto learnt = co_await runtime::learn_installation(*client, *random, settings.installation_id);
    if (!learnt) co_return std::move(learnt).error().within("--installation-id");
    co_return Result<void>();
}

void Program::State::make_controllers() {
    Controllers::Settings chosen;
    if (!settings.local_machines) chosen.local_machines = compute::LocalMachines::refused;
    chosen.manager.data_directory = settings.data_directory;
    chosen.manager.may_act = [this] {
        return !store->get(restored_key) && (!settings.database || (lease && lease->may_act()));
    };
    chosen.delegates = client::make_local_delegates(*registry, judge_by(*authorizer), "ocim/" OCIM_VERSION);
    controllers =
        std::make_unique<Controllers>(loop.get_executor(), *client, *clock, *random, metrics, pool, *logs, chosen);
    controllers->add_routes(webhooks);
    for (const auto& kind : controllers->manager().kinds())
        registry->set_admission(kind.group, kind.plural, [this, kind](const api::Json& object, const api::Json* old) {
            return controllers->manager().admit(kind, object, old);
        });
}

Result<const runtime::Manager*> Program::State::working() const {
    if (!controllers) return Error{ErrorClass::transient, "this server runs without controllers (--no-controllers)"};
    if (settings.database && !leads)
        return Error{ErrorClass::transient, "the controllers run in another replica: ask the one that leads"};
    return &controllers->manager();
}

/// What one process does for all.
void Program::State::look_after_store() {
    tasks.spawn("collectors", registry->run_collectors());
    tasks.spawn("upkeep", registry->run_upkeep());
}

Result<void> Program::State::stand_for_leader() {
    auto made = ProcessDeadline::make();
    if (!made) return std::move(made).error();
    deadline = *std::move(made);
    store::PostgresLease::Listeners listeners;
    listeners.told = [](const std::string& holder) { log::info("who leads", {{"holder", holder}}); };
    listeners.leads = [this] { asio::post(loop, [this] { leads = true, led.notify(); }); };
    listeners.held = [this](Instant end) { deadline->move_to(end); };
    listeners.lost = [](const std::string& why) {
        log::error("the lease is lost: this process ends", {{"reason", why}});
        // not in order: what is in flight must not be seen through
        std::_Exit(exit_failed);
    };
    lease = std::make_unique<store::PostgresLease>(
        metrics,
        store::PostgresLease::Settings{.database = *settings.database,
                                       .holder = settings.identity,
                                       .name = settings.controllers ? "controllers" : "upkeep",
                                       .of_new_store = new_store},
        std::move(listeners));
    led_gauge().Set(0);
    tasks.spawn("leading", lead());
    return {};
}

awaitable<void> Program::State::lead() {
    while (!leads) co_await led.wait();
    log::info(controllers ? "this process leads" : "this process looks after the store for servers without controllers",
              {{"holder", settings.identity}});
    led_gauge().Set(1);
    look_after_store();
    if (controllers) leading = co_await controllers->start();
    if (leading) co_return;
    log::error("the controllers cannot start", {{"error", leading.error().message}});
    signals.cancel();
}

Result<void> Program::State::listen() {
    health.add("startup", [this]() -> std::optional<std::string> {
        if (not_ready.empty()) return std::nullopt;
        return not_ready;
    });
    apiserver::Subresources known;
    if (settings.controllers) known.push_back(appserver_log(*logs));  // else whoever runs them has them
    const apiserver::Server::Parts parts{*registry,
                                         *clock,
                                         *random,
                                         metrics,
                                         pool,
                                         *authorizer,
                                         *audit,
                                         health,
                                         OCIM_VERSION,
                                         std::move(known),
                                         authenticator.get(),
                                         {},
                                         debug_pages([this] { return working(); })};
    api = std::make_unique<apiserver::Server>(parts);

    net::ServerSettings secure;
    secure.address = settings.listen.host;
    secure.port = settings.listen.port;
    secure.tls = identity();
    secure.refusal = apiserver::wire_refusal;
    auto served = net::serve(loop.get_executor(), *clock, std::move(secure), api->handler());
    if (!served) return std::move(served).error().within("--listen");
    api_listener = *std::move(served);

    net::ServerSettings plain;
    plain.address = settings.metrics_listen.host;
    plain.port = settings.metrics_listen.port;
    served = net::serve(loop.get_executor(), *clock, std::move(plain), apiserver::metrics_handler(metrics, health));
    if (!served) return std::move(served).error().within("--metrics-listen");
    metrics_listener = *std::move(served);
    if (!settings.webhook_listen) return {};

    net::ServerSettings deliveries;
    deliveries.address = settings.webhook_listen->host;
    deliveries.port = settings.webhook_listen->port;
    deliveries.refusal = apiserver::wire_refusal;
    served = net::serve(loop.get_executor(), *clock, std::move(deliveries), webhooks.handler());
    if (!served) return std::move(served).error().within("--webhook-listen");
    webhook_listener = *std::move(served);
    return {};
}

Result<void> Program::State::write_kubeconfig() const {
    const auto address = url("https", reachable_host(settings.listen.host), api_listener->port());
    const auto text = kubeconfig({address, access.ca.certificate, admin_name, "default"}, access.admin);
    return write_file(settings.data_directory + "/kubeconfig", text);
}

Result<WallTime> Program::State::renew_certificates() {
    const ServerNames names{settings.listen.host, settings.tls_names};
    if (auto renewed = renew_access(access, settings.data_directory, names, clock->wall()); !renewed)
        return std::move(renewed).error();
    if (auto shown = api_listener->renew(identity()); !shown) return std::move(shown).error();
    if (auto wrote = write_kubeconfig(); !wrote) return std::move(wrote).error();
    report_expiry(metrics, access);
    return net::certificate_expiry(access.server.certificate);
}

Result<void> Program::State::announce() {
    const auto path = settings.data_directory + "/kubeconfig";
    const auto address = url("https", reachable_host(settings.listen.host), api_listener->port());
    if (auto wrote = write_kubeconfig(); !wrote) return wrote;
    const auto expires = net::certificate_expiry(access.server.certificate);
    if (!expires) return expires.error();
    tasks.spawn("certificates", renew_in_time(*clock, *expires, [this] { return renew_certificates(); }));
    log::info("ready",
              {{"api", address},
               {"metrics", url("http", settings.metrics_listen.host, metrics_listener->port())},
               {"webhooks", webhook_listener ? url("http", settings.webhook_listen->host, webhook_listener->port())
                                             : std::string("none")},
               {"version", OCIM_VERSION}});
    std::cout << "ocim is ready: export KUBECONFIG=" << path << std::endl;
    return {};
}

awaitable<void> Program::State::stop() {
    not_ready = "shutting down";
    if (api) api->drain();
    if (controllers) co_await controllers->stop();
    if (lease) {
        auto letting_go = [this] { lease->release(); };
        (void)co_await pool.run(std::move(letting_go));
    }
    const auto deadline = clock->now() + drain_limit;
    if (api_listener) co_await api_listener->stop(deadline);
    if (metrics_listener) co_await metrics_listener->stop(deadline);
    if (webhook_listener) co_await webhook_listener->stop(deadline);
    co_await tasks.stop();
    if (audit) co_await audit->flush();
    if (store) co_await store->stop();
}

}  // namespace ocim::cli
