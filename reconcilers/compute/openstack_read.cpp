#include "compute/openstack_read.hpp"

#include "base/utf8.hpp"
#include "runtime/base64.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::compute::openstack {
namespace {

using api::Json;
namespace json = api::json;
using State = Machine::State;
using runtime::Mark;

constexpr std::size_t description_bytes_max = 255;
constexpr std::size_t fault_bytes_max = 500;

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

std::int64_t number(const Json& value, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(value, path);
    return found && found->is_number() ? found->to_number<std::int64_t>() : 0;
}

std::optional<Mark> read_mark(const Json& server) {
    Mark mark{text(server, {"metadata", "ocim-installation"}),
              text(server, {"metadata", "ocim-namespace"}) + "/" + text(server, {"metadata", "ocim-name"}),
              text(server, {"metadata", "ocim-uid"}), text(server, {"metadata", "ocim-retained"}) == "true"};
    if (mark.installation.empty() || mark.uid.empty()) return {};
    return mark;
}

WallTime time_of(const std::string& text) {
    const auto read = parse_rfc3339(text);
    return read ? *read : WallTime{};
}

std::vector<std::string> addresses_of(const Json& server) {
    std::vector<std::string> v4, v6;
    const auto* networks = api::find(server, {"addresses"});
    if (!networks || !networks->is_object()) return {};
    for (const auto& network : networks->get_object()) {
        if (!network.value().is_array()) continue;
        for (const auto& one : network.value().get_array()) {
            if (text(one, {"OS-EXT-IPS:type"}) == "floating") continue;  // Neutron tells of these, and sooner
            (number(one, {"version"}) == 6 ? v6 : v4).push_back(text(one, {"addr"}));
        }
    }
    v4.insert(v4.end(), v6.begin(), v6.end());
    return v4;
}

void read_state(const Json& server, Machine& out) {
    const auto status = text(server, {"status"});
    const auto task = text(server, {"OS-EXT-STS:task_state"});
    out.busy = !task.empty();
    if (status == "ERROR") {  // also while it is being deleted: why it was is not forgotten
        out.fault = one_line(text(server, {"fault", "message"}), fault_bytes_max);
        if (out.fault.empty()) out.fault = "the cloud says ERROR and not why";
        out.never_ran = text(server, {"OS-SRV-USG:launched_at"}).empty();
    }
    if (task == "deleting" || status == "SOFT_DELETED" || status == "DELETED") {
        out.state = State::leaving;
    } else if (status == "BUILD") {
        out.state = State::building;
        out.busy = true;
    } else if (status == "ERROR") {
        out.state = State::failed;
    } else if (status == "SHUTOFF" || status == "PAUSED" || status == "SUSPENDED" || status.starts_with("SHELVED")) {
        out.state = State::stopped;
    } else {
        out.state = State::booting;
        out.busy = out.busy || status != "ACTIVE";
    }
}

bool older(const Server& a, const Server& b) {
    return std::tuple(!a.machine.mark, a.machine.since, a.id) < std::tuple(!b.machine.mark, b.machine.since, b.id);
}

}  // namespace

Result<std::optional<Server>> read_server(const Json& server) {
    Server out;
    out.id = text(server, {"id"});
    const auto status = text(server, {"status"});
    if (out.id.empty() || status.empty())
        return Error{ErrorClass::unreachable, "nova: its list of servers cannot be read"};
    if (status == "UNKNOWN" || !api::find(server, {"metadata"})) return std::optional<Server>();
    out.name = text(server, {"name"});
    out.gone = status == "DELETED";
    auto& machine = out.machine;
    machine.id = out.id;
    machine.mark = read_mark(server);
    if (!machine.mark) {  // somebody else's: that it is there is all that concerns us
        machine.state = State::running;
        return std::optional(std::move(out));
    }
    read_state(server, machine);
    machine.since = time_of(text(server, {machine.state == State::building ? "created" : "updated"}));
    machine.born = time_of(text(server, {"created"}));
    machine.addresses = addresses_of(server);
    machine.key_name = text(server, {"key_name"});
    machine.reboot_request = text(server, {"metadata", reboot_entry});
    machine.given_host_key = text(server, {"metadata", host_key_entry});
    machine.flavor_id = text(server, {"metadata", "ocim-flavor"});
    machine.image_id = text(server, {"image", "id"});
    const auto attempt = text(server, {"metadata", "ocim-attempt"});
    std::from_chars(attempt.data(), attempt.data() + attempt.size(), machine.attempt);
    return std::optional(std::move(out));
}

Snapshot by_key(const std::vector<Server>& servers) {
    auto sorted = servers;
    std::ranges::sort(sorted, older);
    Snapshot out;
    for (auto& server : sorted)
        if (!out.try_emplace(server.name, server.machine).second)
            out.emplace(server.name + "/" + server.id, std::move(server.machine));
    return out;
}

Offers::Flavor read_flavor(const Json& flavor) {
    return {text(flavor, {"id"}), text(flavor, {"name"}), number(flavor, {"ram"}), number(flavor, {"disk"}),
            number(flavor, {"vcpus"})};
}

Offers::Image read_image(const Json& image) {
    Offers::Image out{
        text(image, {"id"}), text(image, {"name"}), {}, number(image, {"min_ram"}), number(image, {"min_disk"})};
    static constexpr std::string_view own[] = {"id",   "name",  "self",   "file",       "schema",
                                               "size", "owner", "stores", "updated_at", "checksum"};
    if (image.is_object())
        for (const auto& property : image.get_object())
            if (property.value().is_string() &&
                std::ranges::find(own, std::string_view(property.key())) == std::end(own))
                out.properties.emplace(property.key(), property.value().get_string());
    return out;
}

Result<Offers::Quota> read_limits(const Json& limits) {
    const auto left = [&](const char* most, const char* used) -> std::int64_t {
        const auto all = number(limits, {"limits", "absolute", most});
        return all < 0 ? -1 : std::max<std::int64_t>(0, all - number(limits, {"limits", "absolute", used}));
    };
    if (!api::find(limits, {"limits", "absolute", "maxTotalInstances"}))
        return Error{ErrorClass::unreachable, "nova: its limits cannot be read"};
    return Offers::Quota{left("maxTotalInstances", "totalInstancesUsed"), left("maxTotalCores", "totalCoresUsed"),
                         left("maxTotalRAMSize", "totalRAMUsed")};
}

std::pair<Key, Machine> read_floating(const Json& address) {
    Machine out;
    out.id = text(address, {"id"});
    out.state = State::running;
    out.mark = Mark::parse(text(address, {"description"}));
    out.floating =
        Machine::Floating{text(address, {"floating_ip_address"}), text(address, {"port_details", "device_id"})};
    return {"address " + out.floating->address, std::move(out)};
}

json::object metadata_of(const Mark& mark) {
    const auto slash = mark.namespace_name.find('/');
    return {{"ocim-installation", mark.installation},
            {"ocim-namespace", mark.namespace_name.substr(0, slash)},
            {"ocim-name", slash == std::string::npos ? "" : mark.namespace_name.substr(slash + 1)},
            {"ocim-uid", mark.uid},
            {"ocim-retained", mark.retained ? "true" : "false"}};
}

std::string description_of(const Mark& mark) {
    auto shorter = mark;
    if (const auto excess = mark.text().size(); excess > description_bytes_max)
        shorter.namespace_name.resize(mark.namespace_name.size() - (excess - description_bytes_max));
    return shorter.text();
}

std::string create_body(const Action& action) {
    const auto& plan = action.plan;
    auto metadata = metadata_of(action.mark);
    metadata["ocim-attempt"] = std::to_string(plan.attempt);
    metadata["ocim-flavor"] = plan.flavor_id;
    metadata[reboot_entry] = plan.reboot_request;
    if (plan.host_key) metadata[host_key_entry] = plan.host_key->public_key;
    json::array networks, groups;
    for (const auto& network : plan.networks) {
        json::object one{{"uuid", network.id}};
        if (!network.fixed_ip.empty()) one["fixed_ip"] = network.fixed_ip;
        networks.push_back(std::move(one));
    }
    for (const auto& group : plan.group_ids) groups.push_back(json::object{{"name", group}});
    json::object server{
        {"name", action.key},
        {"flavorRef", plan.flavor_id},
        {"imageRef", plan.image_id},
        {"key_name", plan.key_name},
        {"networks", std::move(networks)},
        {"metadata", std::move(metadata)},
        {"tags", json::array{"ocim", "ocim-i-" + action.mark.installation, "ocim-u-" + action.mark.uid}}};
    if (!groups.empty()) server["security_groups"] = std::move(groups);
    if (plan.host_key)
        server["user_data"] = runtime::base64(user_data_with(*plan.host_key, plan.user_data).reveal());
    else if (!plan.user_data.empty())
        server["user_data"] = runtime::base64(plan.user_data);
    return api::to_text(json::object{{"server", std::move(server)}});
}

Error without_user_data(Error error) {
    if (error.message.find("user_data") != std::string::npos)
        error.message = "nova POST /servers: it refuses the machine's user data";
    return error;
}

Machine just_made(const Action& action, std::string id, WallTime now) {
    Machine out;
    out.mark = action.mark;
    out.state = State::building;
    out.busy = true;
    out.id = std::move(id);
    out.key_name = action.plan.key_name;
    if (action.plan.host_key) out.given_host_key = action.plan.host_key->public_key;
    out.reboot_request = action.plan.reboot_request;
    out.attempt = action.plan.attempt;
    out.flavor_id = action.plan.flavor_id;
    out.image_id = action.plan.image_id;
    out.since = out.born = now;
    return out;
}

}  // namespace ocim::compute::openstack
