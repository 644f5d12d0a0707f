#include "compute/machine_file.hpp"

#include "api/json.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ocim::compute {
namespace {

namespace fs = std::filesystem;

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

Result<std::vector<std::string>> machine_folders(const std::string& directory) {
    std::vector<std::string> out;
    std::error_code error;
    const auto unknown = [&](const std::string& path) {
        return Error{ErrorClass::transient, "cannot read " + path + ": " + error.message()};
    };
    fs::directory_iterator entry(directory, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const auto& path = entry->path();
        if (path.filename().string().starts_with('.')) continue;  // one that is being made, and the note of the bridge
        const bool folder = fs::is_directory(path, error);
        const bool holds = folder && !error && !fs::is_empty(path, error);
        if (error == std::errc::no_such_file_or_directory) error.clear();  // gone since
        if (error) return unknown(path.string());
        if (holds) out.push_back(path.string());
    }
    if (error) return unknown(directory);
    return out;
}

}  // namespace ocim::compute
