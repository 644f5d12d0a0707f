#include "compute/openstack_sight.hpp"

#include "net/ssh_greeting.hpp"

#include <set>

namespace ocim::compute::openstack {
namespace {

using api::Json;
using namespace std::chrono_literals;
using State = Machine::State;

constexpr Duration greeting_limit{3'000};
constexpr std::size_t greetings_max = 100;  // of one look; the others at the next
constexpr int offers_every = 10;            // sweeps: flavors and images change seldom
constexpr Duration clocks_apart{30'000};    // what Nova's hosts may differ by, and what its list may lag

}  // namespace

std::string server_path(const std::string& id) { return "/servers/" + net::percent_encode(id); }

Result<std::optional<Json>> or_absent(Result<Reply> reply) {
    if (reply) return std::optional(std::move(reply->body));
    if (reply.error().error_class == ErrorClass::not_found) return std::optional<Json>();
    return std::move(reply).error();
}

awaitable<Result<Snapshot>> Sight::look() {
    CO_CHECK(co_await look_at_servers());
    if (settings_.floating) { CO_CHECK(co_await look_at_addresses()); }
    CO_CHECK(co_await look_at_offers());
    CO_CHECK(co_await greet());
    co_return snapshot();
}

awaitable<Result<void>> Sight::look_at_servers() {
    [[maybe_unused]] auto version = co_await session_.microversion();
    if (!version) co_return std::move(version).error();
    const auto began = clock_.now();
    const bool whole = !sweep_at_ || !changes_from_ || began >= *sweep_at_;
    std::string path = "/servers/detail";
    if (!whole) path += "?changes-since=" + net::percent_encode(rfc3339(*changes_from_));
    std::optional<WallTime> date;
    meanwhile_.clear();
    CO_TRY(const auto listed, co_await session_.list(Service::compute, std::move(path), "servers", &date));
    std::map<std::string, Server> now;
    std::vector<Server> going;
    if (!whole) now = servers_;
    for (const auto& item : listed) {
        auto read = read_server(item);
        if (!read) co_return std::move(read).error();
        const auto id = std::string(api::find_text(item, {"id"}));
        const auto known = servers_.find(id);
        if (!*read) {  // Nova cannot say: what it said before stands
            if (known == servers_.end())
                co_return Error(
                    Error{ErrorClass::transient, "nova: a part of the cloud is down, so what it holds is not known"});
            now.insert_or_assign(id, known->second);
        } else if ((*read)->gone) {
            // what it was when it still was there is remembered to the last
            if (known != servers_.end())
                going.push_back(known->second);
            else if (whole)
                going.push_back(**std::move(read));
        } else {
            now.insert_or_assign(id, **read);
        }
    }
    for (auto& server : going) {
        const auto id = server.id;
        CO_TRY(const bool gone, co_await is_gone(id));
        if (gone)
            now.erase(id);
        else
            now.insert_or_assign(id, std::move(server)).first->second.machine.state = State::leaving;
    }
    for (auto& [id, server] : meanwhile_) {  // what was done while we looked may be newer than what we saw
        if (server)
            now.try_emplace(id, *std::move(server));
        else
            now.erase(id);
    }
    servers_ = std::move(now);
    if (whole) {
        sweep_at_ = began + settings_.drift_interval * 8 / 10;  // the runtime comes a little sooner than told
        ++sweeps_;
    }
    changes_from_ = date ? std::optional(*date - clocks_apart) : std::nullopt;
    co_return Result<void>();
}

/// A list says DELETED a moment before the server is gone, and for long after it: only 404 is its end.
awaitable<Result<bool>> Sight::is_gone(std::string id) {
    Request request{.service = Service::compute, .path = server_path(id)};
    auto reply = co_await session_.call(std::move(request));
    auto found = or_absent(std::move(reply));
    if (!found) co_return std::move(found).error();
    co_return !*found;
}

awaitable<Result<void>> Sight::look_at_addresses() {
    std::string path = "/floatingips?sort_key=id&sort_dir=asc";
    CO_TRY(const auto listed, co_await session_.list(Service::network, std::move(path), "floatingips"));
    addresses_.clear();
    for (const auto& item : listed) addresses_.insert(read_floating(item));
    co_return Result<void>();
}

/// What machines are made of; with every tenth sweep, groups with each, and the quota as long as it is in the way.
awaitable<Result<void>> Sight::look_at_offers() {
    if (!offers_ || sweeps_ >= offers_from_ + offers_every) {
        CO_TRY(auto offers, co_await read_offers());
        if (offers_) offers.quota = offers_->quota;
        offers_ = std::move(offers);
        offers_from_ = groups_from_ = sweeps_;
    }
    if (sweeps_ != groups_from_) {  // people make groups while machines wait for them
        CO_TRY(offers_->groups, co_await read_groups());
        groups_from_ = sweeps_;
    }
    if (!quota_in_the_way_) co_return Result<void>();
    Request request{.service = Service::compute, .path = "/limits"};
    CO_TRY(const auto limits, co_await session_.call(std::move(request)));
    auto left = read_limits(limits.body);
    if (!left) co_return std::move(left).error();
    offers_->quota = *left;
    co_return Result<void>();
}

awaitable<Result<Offers>> Sight::read_offers() {
    Offers out;
    std::string path = "/flavors/detail";
    CO_TRY(const auto flavors, co_await session_.list(Service::compute, std::move(path), "flavors"));
    for (const auto& item : flavors) out.flavors.push_back(read_flavor(item));
    path = "/images?status=active";
    CO_TRY(const auto images, co_await session_.list(Service::image, std::move(path), "images"));
    for (const auto& item : images) out.images.push_back(read_image(item));
    path = "/networks?sort_key=id&sort_dir=asc&fields=id&fields=name&fields=router:external";
    CO_TRY(const auto networks, co_await session_.list(Service::network, std::move(path), "networks"));
    for (const auto& item : networks) {
        const auto* external = api::find(item, {"router:external"});
        out.networks.push_back({std::string(api::find_text(item, {"id"})), std::string(api::find_text(item, {"name"})),
                                external && external->is_bool() && external->get_bool()});
    }
    CO_TRY(out.groups, co_await read_groups());
    path = "/os-keypairs";
    CO_TRY(const auto pairs, co_await session_.list(Service::compute, std::move(path), "keypairs"));
    for (const auto& item : pairs) out.key_pairs.emplace_back(api::find_text(item, {"keypair", "name"}));
    co_return out;
}

awaitable<Result<std::vector<Offers::Group>>> Sight::read_groups() {
    std::vector<Offers::Group> out;
    std::string path = "/security-groups?sort_key=id&sort_dir=asc&fields=id&fields=name";
    CO_TRY(const auto groups, co_await session_.list(Service::network, std::move(path), "security_groups"));
    for (const auto& item : groups)
        out.push_back({std::string(api::find_text(item, {"id"})), std::string(api::find_text(item, {"name"}))});
    co_return out;
}

/// Finds out which of the machines that run answer by SSH. Who has answered is not asked again until it was
/// restarted.
awaitable<Result<void>> Sight::greet() {
    std::set<std::string> running;
    std::map<net::SshDoor, std::string> asked;  // who is behind it
    for (const auto& [id, server] : servers_) {
        const auto& machine = server.machine;
        if (!machine.mark || machine.state != State::booting || machine.busy) continue;
        running.insert(id);
        const auto address = address_of(server);
        const auto answer = answers_.find(id);
        // one that shows another key than it was given may not have come to where it takes that in
        const bool known =
            answer != answers_.end() && (machine.given_host_key.empty() || machine.given_host_key == answer->second);
        if (known || address.empty() || asked.size() >= greetings_max) continue;
        asked.emplace(net::SshDoor{address}, id);
    }
    std::erase_if(answers_, [&](const auto& known) { return !running.contains(known.first); });
    if (!settings_.wait_for_ssh || asked.empty()) co_return Result<void>();
    std::vector<net::SshDoor> doors;
    for (const auto& [door, id] : asked) doors.push_back(door);
    CO_TRY(const auto keys, co_await net::greet_ssh_hosts(blocking_, std::move(doors), greeting_limit));
    for (const auto& [door, key] : keys) answers_[asked.at(door)] = key;
    co_return Result<void>();
}

std::string Sight::address_of(const Server& server) const {
    for (const auto& [key, address] : addresses_)
        if (address.floating->machine_id == server.id) return address.floating->address;
    if (settings_.floating) return {};
    return server.machine.addresses.empty() ? "" : server.machine.addresses.front();
}

Machine Sight::seen_as(const Server& server) const {
    auto out = server.machine;
    if (!out.mark || out.state != State::booting || out.busy) return out;
    const auto answer = answers_.find(server.id);
    if (answer != answers_.end()) out.ssh_host_key = answer->second;
    if (answer != answers_.end() || !settings_.wait_for_ssh) out.state = State::running;
    return out;
}

Snapshot Sight::snapshot() const {
    std::vector<Server> servers;
    for (const auto& [id, server] : servers_) {
        servers.push_back(server);
        servers.back().machine = seen_as(server);
    }
    auto out = by_key(servers);
    for (const auto& [key, address] : addresses_)
        if (address.mark) out.emplace(key, address);
    out[offers_key].offers = offers_;
    return out;
}

void Sight::remember(Server server) {
    const auto id = server.id;
    meanwhile_.insert_or_assign(id, server);
    servers_.insert_or_assign(id, std::move(server));
}

void Sight::forget(const std::string& id) {
    meanwhile_.insert_or_assign(id, std::nullopt);
    servers_.erase(id);
}

void Sight::restarts(const std::string& id) { answers_.erase(id); }

}  // namespace ocim::compute::openstack
