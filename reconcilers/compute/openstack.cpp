#include "compute/openstack.hpp"

#include "compute/openstack_sight.hpp"
#include "runtime/backend_spec.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>

namespace ocim::compute {
namespace openstack {
namespace {

using api::Json;
namespace json = api::json;
using namespace std::chrono_literals;
using Verb = Action::Verb;
using State = Machine::State;
using Done = runtime::Done<Key, Machine>;

constexpr Duration call_timeout{25'000};
constexpr Duration turn_limit{30'000};  // the last action of a batch begins within this

/// What is asked before it is acted on: an answer that is late here had no effect.
Error only_a_look(Error error) {
    error.outcome_unknown = false;
    return error;
}

class Project final : public System {
public:
    Project(std::unique_ptr<Session> session, const runtime::Services& services, ProjectSettings settings)
        : session_(std::move(session)),
          loop_(services.loop),
          clock_(services.clock),
          settings_(settings),
          sight_(*session_, services, settings) {}

    awaitable<Result<Snapshot>> observe() override { co_return co_await sight_.look(); }
    awaitable<Result<void>> probe() override { co_return co_await session_->prove(); }

    /// Several at a time, within the cloud's bounds; those of one key one after another.
    awaitable<void> act(std::vector<Action> actions, runtime::Results<Key, Machine>& results) override {
        Work work{actions, results, {}, {}, clock_.now() + turn_limit};
        // one look tells for all of them what has come to be there since
        if (std::ranges::count(actions, Verb::create, &Action::verb) > 0) work.looked = co_await look_before_creating();
        std::map<Key, std::vector<std::size_t>> by_key;
        for (std::size_t index = 0; index < actions.size(); ++index) by_key[actions[index].key].push_back(index);
        for (auto& [key, indices] : by_key) work.todo.push_back(std::move(indices));
        TaskGroup lanes(loop_);
        for (std::size_t lane = 0; lane < std::min(settings_.in_flight, work.todo.size()); ++lane)
            lanes.spawn("actions in a project", run_lane(work));
        std::exception_ptr cancelled;
        try {
            co_await lanes.join();
        } catch (...) { cancelled = std::current_exception(); }  // nothing can be awaited in here
        if (!cancelled) co_return;
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        co_await lanes.stop();
        std::rethrow_exception(cancelled);
    }

private:
    /// What a batch has to do; the lanes take from it.
    struct Work {
        const std::vector<Action>& actions;
        runtime::Results<Key, Machine>& results;
        Result<void> looked;
        std::vector<std::vector<std::size_t>> todo;  // by key
        Instant turns_end;
        std::size_t next = 0;
    };

    awaitable<void> run_lane(Work& work) {
        while (work.next < work.todo.size()) {
            const auto indices = work.todo[work.next++];
            for (const auto index : indices) {
                auto done = co_await take_turn(work, work.actions[index]);
                work.results.set(index, std::move(done));
            }
        }
    }

    awaitable<Result<Done>> take_turn(const Work& work, Action action) {
        if (!work.looked && action.verb == Verb::create) co_return only_a_look(work.looked.error());
        // else the runtime would end what is going on, and nobody knew its outcome
        if (clock_.now() > work.turns_end)
            co_return Error(Error{ErrorClass::transient, "the cloud is slow, its turn has not come yet"});
        auto done = co_await perform(std::move(action));
        if (!done && done.error().outcome_unknown) sight_.sweep_next();  // it may be anything now
        if (!done && is_quota(done.error())) sight_.quota_is_in_the_way();
        co_return done;
    }

    // --- what is done

    /// A whole list: what has our mark, or the name, must be found whatever happened meanwhile.
    awaitable<Result<void>> look_before_creating() {
        std::string path = "/servers/detail";
        CO_TRY(const auto listed, co_await session_->list(Service::compute, std::move(path), "servers"));
        found_.clear();
        for (const auto& item : listed) {
            auto read = read_server(item);
            if (!read) co_return std::move(read).error();
            if (!*read)
                co_return Error(
                    Error{ErrorClass::transient, "nova: a part of the cloud is down, so what it holds is not known"});
            found_.push_back(**std::move(read));
        }
        co_return Result<void>();
    }

    awaitable<Result<Done>> perform(Action action) {
        switch (action.verb) {
            case Verb::create: co_return co_await create(std::move(action));
            case Verb::remove: co_return co_await remove(std::move(action));
            case Verb::attach: co_return co_await attach(std::move(action));
            case Verb::release: co_return co_await release(std::move(action));
            case Verb::start:
            case Verb::stop:
            case Verb::reboot:
            case Verb::mark: co_return co_await change(std::move(action));
        }
        co_return Done{};
    }

    awaitable<Result<Done>> create(Action action) {
        for (const auto& server : found_) {
            const auto& mark = server.machine.mark;
            const bool ours = mark && mark->installation == action.mark.installation && mark->uid == action.mark.uid &&
                              server.machine.state != State::leaving;
            if (ours) co_return Done{{{action.key, sight_.seen_as(server)}}};  // a lost answer told of it
            if (server.name == action.key && server.machine.state != State::leaving)
                co_return Error(Error{ErrorClass::conflict, "a machine of that name has come to be there"});
        }
        Request request{.service = Service::compute, .method = "POST", .path = "/servers", .body = create_body(action)};
        auto reply = co_await session_->call(std::move(request));
        if (!reply) co_return without_user_data(std::move(reply).error());
        auto id = std::string(api::find_text(reply->body, {"server", "id"}));
        if (id.empty()) {
            Error error{ErrorClass::transient, "nova POST /servers: its answer cannot be read"};
            error.outcome_unknown = true;
            co_return error;
        }
        auto made = just_made(action, id, clock_.wall());
        // Nova's lists of what has changed do not tell of it before a host has it
        sight_.remember(Server{id, action.key, false, made});
        Done done;
        done.now.emplace_back(action.key, std::move(made));
        co_return done;
    }

    /// The server that an action is about, as it is now. Error: conflict when it is not ours any more.
    awaitable<Result<std::optional<Server>>> look_at(Action action) {
        Request request{.service = Service::compute, .path = server_path(action.id)};
        auto reply = co_await session_->call(std::move(request));
        auto found = or_absent(std::move(reply));
        if (!found) co_return only_a_look(std::move(found).error());
        if (!*found) co_return std::optional<Server>();
        const auto* body = api::find(**found, {"server"});
        auto server = read_server(body ? *body : Json());
        if (!server) co_return std::move(server).error();
        if (!*server)
            co_return Error(Error{ErrorClass::transient, "nova: a part of the cloud is down; the machine is there"});
        if (runtime::ownership((*server)->machine.mark, action.mark) == runtime::Ownership::foreign &&
            !((*server)->machine.mark && (*server)->machine.mark->uid == action.mark.uid))
            co_return Error(Error{ErrorClass::conflict, "it has come to belong to another"});
        co_return *std::move(server);
    }

    awaitable<Result<Done>> remove(Action action) {
        Done done;
        CO_TRY(auto server, co_await look_at(action));
        if (!server) {
            sight_.forget(action.id);  // one that no host ever had is in no list of changes
            done.now.emplace_back(action.key, std::nullopt);
            co_return done;
        }
        auto now = server->machine;
        if (now.state != State::leaving) {
            Request request{.service = Service::compute, .method = "DELETE", .path = server_path(action.id)};
            auto reply = co_await session_->call(std::move(request));
            if (!reply && reply.error().error_class != ErrorClass::not_found) co_return std::move(reply).error();
        }
        now.state = State::leaving;
        now.busy = true;
        done.now.emplace_back(action.key, std::move(now));
        co_return done;
    }

    static json::object body_of(const Action& action) {
        switch (action.verb) {
            case Verb::start: return {{"os-start", nullptr}};
            case Verb::stop: return {{"os-stop", nullptr}};
            case Verb::reboot: return {{"reboot", json::object{{"type", "SOFT"}}}};
            case Verb::create:
            case Verb::remove:
            case Verb::mark:
            case Verb::attach:
            case Verb::release: break;
        }
        return {};
    }

    awaitable<Result<Done>> change(Action action) {
        CO_TRY(auto server, co_await look_at(action));
        if (!server || server->gone) co_return Error(Error{ErrorClass::not_found, "the machine is not there any more"});
        auto now = sight_.seen_as(*server);
        auto metadata = action.verb == Verb::mark ? metadata_of(action.mark) : json::object();
        if (action.verb == Verb::reboot) metadata[reboot_entry] = action.reboot_request;
        const bool there_already = (action.verb == Verb::stop && now.state == State::stopped) ||
                                   (action.verb == Verb::start && now.state == State::running) ||
                                   (action.verb == Verb::reboot && now.reboot_request == action.reboot_request);
        if (action.verb != Verb::mark && !there_already) {
            auto body = body_of(action);
            // a machine that is in ERROR does not listen to a soft one
            if (action.verb == Verb::reboot && now.state == State::failed) body = {{"reboot", {{"type", "HARD"}}}};
            Request request{.service = Service::compute,
                            .method = "POST",
                            .path = server_path(action.id) + "/action",
                            .body = api::to_text(body)};
            CO_TRY([[maybe_unused]] const auto reply, co_await session_->call(std::move(request)));
            sight_.restarts(action.id);
            now.busy = true;
            now.ssh_host_key.clear();
            if (now.state == State::running) now.state = State::booting;
        }
        // only then the note that it was done: a crash in between reboots once more
        if (!metadata.empty()) {
            Request request{.service = Service::compute,
                            .method = "POST",
                            .path = server_path(action.id) + "/metadata",
                            .body = api::to_text(json::object{{"metadata", std::move(metadata)}})};
            CO_TRY([[maybe_unused]] const auto reply, co_await session_->call(std::move(request)));
        }
        if (action.verb == Verb::mark) now.mark = action.mark;
        if (action.verb == Verb::reboot) now.reboot_request = action.reboot_request;
        Done done;
        done.now.emplace_back(action.key, std::move(now));
        co_return done;
    }

    // --- public addresses

    awaitable<Result<std::vector<std::pair<Key, Machine>>>> own_addresses(Action action) {
        std::string path =
            "/floatingips?sort_key=id&sort_dir=asc&description=" + net::percent_encode(description_of(action.mark));
        CO_TRY(const auto listed, co_await session_->list(Service::network, std::move(path), "floatingips"));
        std::vector<std::pair<Key, Machine>> out;
        for (const auto& item : listed) out.push_back(read_floating(item));
        co_return out;
    }

    awaitable<Result<Done>> attach(Action action) {
        std::string path = "/ports?sort_key=id&sort_dir=asc&device_id=" + net::percent_encode(action.id);
        auto ports = co_await session_->list(Service::network, std::move(path), "ports");
        if (!ports) co_return only_a_look(std::move(ports).error());
        if (ports->empty())
            co_return Error(Error{ErrorClass::conflict, "the machine has no port that an address could lead to"});
        const auto port = std::string(api::find_text(ports->front(), {"id"}));
        auto held = co_await own_addresses(action);
        if (!held) co_return only_a_look(std::move(held).error());
        json::object wanted{{"port_id", port}};
        Request request{.service = Service::network, .method = "POST", .path = "/floatingips"};
        if (!held->empty()) {  // one that was given to us and leads elsewhere, or nowhere yet
            if (held->front().second.floating->machine_id == action.id) co_return Done{{held->front()}};
            request.method = "PUT";
            request.path += "/" + net::percent_encode(held->front().second.id);
        } else {
            wanted["floating_network_id"] = action.network_id;
            wanted["description"] = description_of(action.mark);
        }
        request.body = api::to_text(json::object{{"floatingip", std::move(wanted)}});
        CO_TRY(const auto reply, co_await session_->call(std::move(request)));
        const auto* body = api::find(reply.body, {"floatingip"});
        auto now = read_floating(body ? *body : Json());
        if (now.second.id.empty()) {
            Error error{ErrorClass::transient, "neutron: its answer cannot be read"};
            error.outcome_unknown = true;
            co_return error;
        }
        now.second.floating->machine_id = action.id;  // told only at the next look
        Done done;
        done.now.emplace_back(now.first, std::optional(now.second));
        co_return done;
    }

    awaitable<Result<Done>> release(Action action) {
        Request request{
            .service = Service::network, .method = "DELETE", .path = "/floatingips/" + net::percent_encode(action.id)};
        auto reply = co_await session_->call(std::move(request));
        if (!reply && reply.error().error_class != ErrorClass::not_found) co_return std::move(reply).error();
        Done done;
        done.now.emplace_back(action.key, std::nullopt);
        co_return done;
    }

    std::unique_ptr<Session> session_;
    boost::asio::any_io_executor loop_;
    Clock& clock_;
    const ProjectSettings settings_;
    Sight sight_;
    std::vector<Server> found_;  // by the look before creating
};

}  // namespace

std::unique_ptr<System> open_project(std::unique_ptr<Session> session, const runtime::Services& services,
                                     ProjectSettings settings) {
    return std::make_unique<Project>(std::move(session), services, settings);
}

Result<std::unique_ptr<Session>> open_session(const crd::Cloud& cloud, const runtime::Inputs& inputs,
                                              const runtime::Services& services) {
    auto credentials = credentials_of(cloud, inputs);
    if (!credentials) return std::move(credentials).error();
    auto connect = [services, certificates = credentials->ca_certificate](const std::string& url) {
        return net::make_http_client(services.loop, services.clock, services.metrics,
                                     {.base_url = url, .ca_certificate = certificates, .timeout = call_timeout});
    };
    return std::make_unique<Session>(*std::move(credentials), services.clock, std::move(connect));
}

}  // namespace openstack

Result<std::unique_ptr<System>> open_openstack(const crd::Cloud& cloud, const runtime::Inputs& inputs,
                                               const runtime::Services& services) {
    auto session = openstack::open_session(cloud, inputs, services);
    if (!session) return std::move(session).error();
    const auto& spec = *cloud.spec.openstack;
    openstack::ProjectSettings settings{runtime::settings_of(cloud.spec).drift_interval,
                                        spec.floating_network.has_value(), spec.wait_for_ssh,
                                        runtime::settings_of(cloud.spec).in_flight};
    return openstack::open_project(*std::move(session), services, settings);
}

}  // namespace ocim::compute
