#include "loadbalancing/haproxy_commands.hpp"

#include "loadbalancing/haproxy_scripts.hpp"

namespace ocim::loadbalancing {

namespace {

std::vector<std::string> shell(const char* script) { return {"/bin/sh", "-c", script, "ocim"}; }

std::vector<std::string> with_tool(const char* script, const HaproxySettings& settings) {
    auto out = shell(script);
    for (const auto& argument : {settings.tool->command, settings.directory, settings.tool->fragment})
        out.push_back(argument);
    return out;
}

}  // namespace

std::vector<std::string> observe_command(const HaproxySettings& settings) {
    if (settings.tool) return read_command(settings);
    auto out = shell(observe_script);
    for (const auto& argument : {settings.directory, settings.master_socket, std::string(read_script)})
        out.push_back(argument);
    return out;
}

std::vector<std::string> read_command(const HaproxySettings& settings) {
    if (settings.tool) {
        auto out = with_tool(tool_script, settings);
        out.emplace_back("read");
        return out;
    }
    auto out = shell(read_script);
    out.push_back(settings.directory);
    return out;
}

std::vector<std::string> probe_command(const HaproxySettings& settings) {
    if (settings.tool) {
        auto out = with_tool(tool_script, settings);
        out.emplace_back("probe");
        return out;
    }
    auto out = shell(probe_script);
    out.push_back(settings.directory);
    out.push_back(settings.master_socket);
    return out;
}

std::vector<std::string> write_command(const HaproxySettings& settings, const std::string& mode,
                                       const std::string& expected) {
    if (settings.tool) {
        auto out = with_tool(tool_script, settings);
        out.push_back(mode);
        out.push_back(expected);
        return out;
    }
    auto out = shell(write_script);
    for (const auto& argument : {mode, settings.directory, expected, settings.master_socket}) out.push_back(argument);
    out.insert(out.end(), settings.config_files.begin(), settings.config_files.end());
    return out;
}

}  // namespace ocim::loadbalancing
