#include "api/json.hpp"
#include "base/utf8.hpp"
#include "compute/cloud.hpp"
#include "compute/machine_file.hpp"
#include "compute/machine_process.hpp"
#include "net/process.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

namespace ocim::compute {
namespace {

namespace fs = std::filesystem;

constexpr Duration start_limit{45'000};  ///< the machine process itself gives up after 30 s
constexpr Duration stop_limit{30'000};

/// An IPv4 network whose first address is the gateway.
struct Subnet {
    std::uint32_t base = 0;
    unsigned bits = 24;

    std::string address(std::uint32_t offset) const {
        const in_addr address{htonl(base + offset)};
        char text[INET_ADDRSTRLEN];
        return inet_ntop(AF_INET, &address, text, sizeof text);
    }
    std::uint32_t size() const { return 1U << (32 - bits); }
};

Result<Subnet> parse_subnet(const std::string& text) {
    const auto slash = text.find('/');
    in_addr address{};
    unsigned bits = 0;
    const auto* end = text.data() + text.size();
    if (slash == std::string::npos || inet_pton(AF_INET, text.substr(0, slash).c_str(), &address) != 1 ||
        std::from_chars(text.data() + slash + 1, end, bits).ptr != end || bits < 16 || bits > 29)
        return Error{ErrorClass::invalid,
                     "spec.local.subnet: \"" + text + "\" is not an IPv4 network of 16 to 29 bits"};
    const auto base = ntohl(address.s_addr);
    if (base & ((1U << (32 - bits)) - 1))
        return Error{ErrorClass::invalid, "spec.local.subnet: \"" + text + "\" has bits set beyond its length"};
    return Subnet{base, bits};
}

std::string read_line(const fs::path& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

/// "ssh-ed25519 AAAA…" without the comment.
std::string host_key_of(const fs::path& directory) {
    const auto line = read_line(directory / "rootfs/etc/ssh/ssh_host_ed25519_key.pub");
    return line.substr(0, line.find(' ', line.find(' ') + 1));
}

/// Everything about the machines of one cloud that is on disk. Blocking: used on threads of the pool.
class Folder {
public:
    explicit Folder(fs::path path) : path_(std::move(path)) {}

    std::string directory(const Key& key) const { return (path_ / key).string(); }

    Result<Snapshot> read() const {
        Snapshot out;
        std::error_code error;
        fs::create_directories(path_, error);
        const auto folders = machine_folders(path_.string());
        if (!folders) return folders.error();
        for (const auto& folder : *folders) {
            auto machine = read_one(folder);
            if (!machine) return std::move(machine).error();
            out.emplace(fs::path(folder).filename(), *std::move(machine));
        }
        return out;
    }

    /// Leaves word of the cloud's network, for whoever cleans up without us.
    void note_bridge(const std::string& bridge) const {
        std::error_code ignored;
        fs::create_directories(path_, ignored);
        std::ofstream(path_ / ".bridge") << bridge << "\n";
    }
    void forget_bridge() const {
        std::error_code ignored;
        fs::remove(path_ / ".bridge", ignored);
    }

    Result<Machine> read_one(const fs::path& path) const {
        Machine out;
        out.id = path.filename();
        auto file = read_machine_file(path);
        if (!file) {
            // a folder without a readable file carries no mark: not ours to touch
            out.state = Machine::State::failed;
            out.fault = file.error().message;
            return out;
        }
        out.mark = file->mark;
        out.addresses = {file->address};
        out.key_name = file->key_name;
        out.reboot_request = file->reboot_request;
        out.ssh_host_key = host_key_of(path);
        const bool runs = supervisor_of(path) > 0;
        out.state =
            runs ? Machine::State::running
                 : (file->stopped ? Machine::State::stopped
                                  : (out.ssh_host_key.empty() ? Machine::State::building : Machine::State::failed));
        if (out.state == Machine::State::failed) out.fault = "the machine should run and does not";
        return out;
    }

    Result<void> change(const Key& key, const std::function<void(MachineFile&)>& change) const {
        auto file = read_machine_file(directory(key));
        if (!file) return std::move(file).error();
        change(*file);
        return write_machine_file(directory(key), *file);
    }

    /// Writes the file of a new machine, with the lowest free address; nothing to do when it is there. Its folder
    /// appears as a whole, and never where somebody else has one (conflict).
    Result<void> create(const Action& action, const Subnet& subnet, const std::string& bridge,
                        std::int64_t memory_bytes_max, std::int64_t processes) const {
        if (auto there = read_machine_file(directory(action.key))) return {};
        std::set<std::string> taken;
        std::error_code error;
        fs::create_directories(path_, error);
        const auto made = path_ / (".new-" + action.key);
        fs::remove_all(made, error);
        for (const auto& entry : fs::directory_iterator(path_, error))
            if (auto other = read_machine_file(entry.path())) taken.insert(other->address);
        std::uint32_t offset = 2;
        while (offset < subnet.size() - 1 && taken.contains(subnet.address(offset))) ++offset;
        if (offset >= subnet.size() - 1)
            return Error{ErrorClass::rate_limited,
                         "no address is free in the cloud's subnet; delete a machine, or give "
                         "the cloud a larger spec.local.subnet"};
        fs::create_directory(made, error);
        if (error) return Error{ErrorClass::transient, "cannot make " + made.string() + ": " + error.message()};
        constexpr std::int64_t mebibyte = 1024 * 1024;
        const auto wanted = action.plan.ram_mib > 0 ? action.plan.ram_mib * mebibyte : memory_bytes_max;
        auto written =
            write_machine_file(made.string(), {action.key, action.mark, subnet.address(offset), subnet.address(1),
                                               subnet.bits, bridge, action.plan.ssh_user, action.plan.public_key,
                                               action.plan.key_name, std::min(wanted, memory_bytes_max), processes,
                                               action.plan.reboot_request, action.plan.stopped});
        if (!written) return written;
        fs::rename(made, directory(action.key), error);
        if (!error) return {};
        std::error_code ignored;
        fs::remove_all(made, ignored);
        return Error{ErrorClass::conflict, "cannot make " + directory(action.key) + ": " + error.message()};
    }

private:
    fs::path path_;
};

class LocalCloud final : public System {
public:
    LocalCloud(const crd::Cloud::Spec::Local& spec, Subnet subnet, std::string bridge, Folder folder,
               BlockingPool& blocking)
        : memory_bytes_max_(spec.memory_bytes_max),
          processes_max_(spec.processes_max),
          subnet_(subnet),
          bridge_(std::move(bridge)),
          folder_(std::move(folder)),
          blocking_(blocking) {}

    awaitable<Result<Snapshot>> observe() override {
        CO_CHECK(co_await make_bridge());
        auto read = [folder = folder_] { return folder.read(); };
        co_return co_await blocking_.call(std::move(read));
    }

    awaitable<Result<void>> probe() override { co_return co_await make_bridge(); }

    awaitable<void> act(std::vector<Action> actions, runtime::Results<Key, Machine>& results) override {
        for (std::size_t index = 0; index < actions.size(); ++index) {
            auto done = co_await perform(actions[index]);
            results.set(index, std::move(done));
        }
    }

    awaitable<Result<void>> retire() override {
        auto command = std::vector<std::string>{"unbridge", bridge_};
        CO_CHECK(co_await run(std::move(command), stop_limit));
        folder_.forget_bridge();
        co_return Result<void>{};
    }

private:
    using Done = runtime::Done<Key, Machine>;
    using Verb = Action::Verb;

    awaitable<Result<Done>> perform(Action action) {
        const auto directory = folder_.directory(action.key);
        switch (action.verb) {
            case Verb::create: CO_CHECK(co_await create(action)); break;
            case Verb::start:
                CO_CHECK(co_await set_stopped(action.key, false));
                CO_CHECK(co_await machine("start", directory, start_limit));
                break;
            case Verb::stop:
                CO_CHECK(co_await set_stopped(action.key, true));
                CO_CHECK(co_await machine("stop", directory, stop_limit));
                break;
            case Verb::reboot: CO_CHECK(co_await reboot(action)); break;
            case Verb::remove: CO_CHECK(co_await machine("remove", directory, stop_limit)); break;
            case Verb::mark: CO_CHECK(co_await set_mark(action)); break;
            case Verb::attach:
            case Verb::release: co_return Error(Error{ErrorClass::invalid, "a local cloud has no public addresses"});
        }
        Done done;
        std::optional<Machine> now;
        if (action.verb != Verb::remove) {
            auto read = [folder = folder_, directory] { return folder.read_one(directory); };
            CO_TRY(now, co_await blocking_.call(std::move(read)));
        }
        done.now.emplace_back(action.key, std::move(now));
        co_return done;
    }

    awaitable<Result<void>> create(Action action) {
        auto write = [folder = folder_, action, subnet = subnet_, bridge = bridge_, memory = memory_bytes_max_,
                      processes = processes_max_] { return folder.create(action, subnet, bridge, memory, processes); };
        CO_CHECK(co_await blocking_.call(std::move(write)));
        if (action.plan.stopped) co_return Result<void>{};
        CO_CHECK(co_await make_bridge());
        co_return co_await machine("start", folder_.directory(action.key), start_limit);
    }

    /// Stop, start, and only then the note that it was done: a crash in between reboots once more.
    awaitable<Result<void>> reboot(Action action) {
        const auto directory = folder_.directory(action.key);
        CO_CHECK(co_await machine("stop", directory, stop_limit));
        CO_CHECK(co_await machine("start", directory, start_limit));
        auto note = [folder = folder_, action] {
            return folder.change(action.key, [&](MachineFile& file) { file.reboot_request = action.reboot_request; });
        };
        co_return co_await blocking_.call(std::move(note));
    }

    awaitable<Result<void>> set_stopped(Key key, bool stopped) {
        auto note = [folder = folder_, key = std::move(key), stopped] {
            return folder.change(key, [&](MachineFile& file) { file.stopped = stopped; });
        };
        co_return co_await blocking_.call(std::move(note));
    }

    awaitable<Result<void>> set_mark(Action action) {
        auto note = [folder = folder_, action] {
            return folder.change(action.key, [&](MachineFile& file) { file.mark = action.mark; });
        };
        co_return co_await blocking_.call(std::move(note));
    }

    awaitable<Result<void>> make_bridge() {
        std::error_code ignored;
        if (fs::exists("/sys/class/net/" + bridge_, ignored)) co_return Result<void>{};
        folder_.note_bridge(bridge_);
        auto command =
            std::vector<std::string>{"bridge", bridge_, subnet_.address(1) + "/" + std::to_string(subnet_.bits)};
        co_return co_await run(std::move(command), stop_limit);
    }

    awaitable<Result<void>> machine(std::string verb, std::string directory, Duration limit) {
        auto command = std::vector<std::string>{std::move(verb), std::move(directory)};
        co_return co_await run(std::move(command), limit);
    }

    awaitable<Result<void>> run(std::vector<std::string> arguments, Duration limit) {
        net::ProcessSettings settings;
        settings.command = {"/proc/self/exe", "machine"};
        settings.command.insert(settings.command.end(), arguments.begin(), arguments.end());
        settings.limit = limit;
        CO_TRY(const auto result, co_await net::run_process(blocking_, std::move(settings)));
        if (result.exit_code == 0) co_return Result<void>{};
        co_return Error{ErrorClass::transient, one_line(result.errors, 300)};
    }

    std::int64_t memory_bytes_max_, processes_max_;
    Subnet subnet_;
    std::string bridge_;
    Folder folder_;
    BlockingPool& blocking_;
};

}  // namespace

Result<std::unique_ptr<System>> open_local(const crd::Cloud& cloud, const runtime::Services& services) {
    if (const auto reason = unsupported_reason(); !reason.empty())
        return Error{ErrorClass::invalid, "Unsupported: " + reason};
    if (!cloud.spec.local) return Error{ErrorClass::invalid, "spec: exactly one provider is needed: local"};
    auto subnet = parse_subnet(cloud.spec.local->subnet);
    if (!subnet) return std::move(subnet).error();
    // several processes on this host may share the folder by links; a machine is known by its path
    std::error_code unknown;
    auto clouds = fs::weakly_canonical(fs::path(services.data_directory) / "local-cloud", unknown);
    if (unknown) return Error{ErrorClass::transient, "local-cloud in the data directory: " + unknown.message()};
    const auto path = clouds / cloud.metadata.name;
    if (path.string().find_first_of(",:\\") != std::string::npos)
        return Error{ErrorClass::invalid,
                     "Unsupported: the data directory's path may hold no comma, colon or backslash"};
    // One bridge a cloud of one installation; an interface name has 15 characters at most.
    char bridge[16];
    std::snprintf(bridge, sizeof bridge, "ocb%08zx",
                  std::hash<std::string>{}(services.installation + "/" + cloud.metadata.name) & 0xffffffffU);
    return std::unique_ptr<System>(
        std::make_unique<LocalCloud>(*cloud.spec.local, *subnet, bridge, Folder(path), services.blocking));
}

}  // namespace ocim::compute
