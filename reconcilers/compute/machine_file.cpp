#include "compute/machine_file.hpp"

#include "api/json.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace ocim::compute {
namespace {

Error refused(const std::string& what, const std::string& path) {
    return Error{ErrorClass::transient, what + " " + path + ": " + std::strerror(errno)};
}

std::int64_t number(const api::Json& value, std::string_view name) {
    const auto* found = api::find(value, {name});
    return found && found->is_int64() ? found->get_int64() : 0;
}

}  // namespace

Result<MachineFile> read_machine_file(const std::string& directory) {
    const auto path = directory + "/machine.json";
    std::ifstream in(path);
    if (!in) return Error{ErrorClass::not_found, "cannot read " + path};
    std::stringstream text;
    text << in.rdbuf();
    auto parsed = api::parse_json(text.str());
    if (!parsed) return std::move(parsed).error().within(path);
    const auto& json = parsed->value;
    const auto word = [&](std::string_view name) { return std::string(api::find_text(json, {name})); };
    const auto mark = runtime::Mark::parse(word("mark"));
    if (!mark) return Error{ErrorClass::invalid, path + ": has no mark of ownership"};
    MachineFile out{word("id"),
                    *mark,
                    word("address"),
                    word("gateway"),
                    number(json, "prefixBits"),
                    word("bridge"),
                    word("sshUser"),
                    word("publicKey"),
                    word("keyName"),
                    number(json, "memoryBytes"),
                    number(json, "processes"),
                    word("rebootRequest"),
                    false};
    const auto* stopped = api::find(json, {"stopped"});
    out.stopped = stopped && stopped->is_bool() && stopped->get_bool();
    return out;
}

Result<void> write_machine_file(const std::string& directory, const MachineFile& machine) {
    api::json::object json{{"id", machine.id},
                           {"mark", machine.mark.text()},
                           {"address", machine.address},
                           {"gateway", machine.gateway},
                           {"prefixBits", machine.prefix_bits},
                           {"bridge", machine.bridge},
                           {"sshUser", machine.ssh_user},
                           {"publicKey", machine.public_key},
                           {"keyName", machine.key_name},
                           {"memoryBytes", machine.memory_bytes},
                           {"processes", machine.processes},
                           {"rebootRequest", machine.reboot_request},
                           {"stopped", machine.stopped}};
    const auto text = api::to_text(json);
    const auto path = directory + "/machine.json", temporary = path + ".tmp";
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return refused("cannot write", temporary);
    const bool written =
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    const auto failure = refused("cannot write", temporary);
    ::close(file);
    if (!written) return failure;
    if (::rename(temporary.c_str(), path.c_str()) != 0) return refused("cannot rename onto", path);
    return {};
}

}  // namespace ocim::compute
