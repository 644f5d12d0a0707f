#pragma once

#include "hosts/host.hpp"
#include "loadbalancing/haproxy_scripts.hpp"
#include "loadbalancing/rendering.hpp"
#include "loadbalancing/tar.hpp"
#include "loadbalancing/version.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ocim::loadbalancing::test {

/// A host as the scripts make it look: versions, a check of the whole, one reload a write. Faults come by number of
/// call.
struct Machine {
    std::map<std::string, std::string> files;  // of the version in force, by path in it
    int version = 0, loaded = 0;
    std::set<std::string> faulty;  ///< texts that the check refuses, naming the file
    std::set<std::string> needed;  ///< files whose absence the check refuses, naming none of ours
    std::set<std::string> down;    ///< servers that fail their checks
    int requests = 0;              ///< of each site
    bool unlisted = false;         ///< the process does not read our list of certificates
    bool reload_fails = false;
    std::string said = "HAProxy did not take it";  ///< why a reload fails
    int calls = 0, checks = 0, reloads = 0;
    int tellings = 0;  ///< writes that the running process followed without a reload
    enum class Fault { none, lost_before, lost_after, dies_before_reload };
    std::map<int, Fault> faults;

    Result<net::CommandResult> run(const std::vector<std::string>& command, const std::string& input) {
        const auto found = faults.find(calls++);
        const auto fault = found == faults.end() ? Fault::none : found->second;
        Error lost{ErrorClass::transient, "the connection was cut"};
        lost.outcome_unknown = true;
        if (fault == Fault::lost_before) return lost;
        const std::string script = command.at(2);
        if (script == probe_script) return net::CommandResult();
        auto result = script == observe_script ? net::CommandResult{0, stat() + read().output, ""}
                      : script == read_script  ? read()
                                               : write(command, input, fault == Fault::dies_before_reload);
        if (fault != Fault::none) return lost;
        return result;
    }

private:
    net::CommandResult read() const {
        if (version == 0) return {0, ".\n", ""};
        std::vector<TarFile> out;
        std::string remarks;
        const auto name = "v" + std::to_string(version);
        for (const auto& [path, text] : files) {
            if (path.starts_with("certs/"))
                remarks += "@certificate " + path.substr(6) + " " + sha256_hex(text) + "\n";
            else
                out.push_back({name + "/" + path, text, 0640});
        }
        if (unlisted) remarks += "@unlisted\n";
        out.push_back({"loaded", "v" + std::to_string(loaded) + "\n", 0640});
        return {0, remarks + ".\n" + write_tar(out), ""};
    }

    /// Each server is up, unless `down` names it.
    std::string stat() const {
        std::string out;
        for (const auto& [path, text] : files) {
            if (!path.starts_with("conf.d/")) continue;
            out += path.substr(7, path.size() - 11) + ",BACKEND,1,100,1000,0," + std::to_string(requests) + ",0,0,0\n";
            for (const auto& server : servers_of(text)) {
                const bool fails = down.contains(server.name);
                out += path.substr(7, path.size() - 11) + "," + server.name + (fails ? ",DOWN," : ",UP,") +
                       (server.standby ? "0" : "1") + (fails ? ",L7STS,503\n" : ",L7OK,200\n");
            }
        }
        return out;
    }

    net::CommandResult write(const std::vector<std::string>& command, const std::string& input, bool dies) {
        const auto expected = version == 0 ? "" : "v" + std::to_string(version);
        if (command.at(6) != expected) return {exit_changed, "", "another version"};
        auto next = files;
        const auto sent = read_tar(input);
        bool told = false;
        for (const auto& file : *sent) {
            if (file.path == ".runtime") {
                told = true;
                continue;
            }
            if (file.path == ".expected") continue;
            if (file.path != ".delete") {
                next[file.path] = file.content;
                continue;
            }
            std::string_view names = file.content;
            while (!names.empty()) {
                next.erase(std::string(names.substr(0, names.find('\n'))));
                names.remove_prefix(names.find('\n') + 1);
            }
        }
        ++checks;
        for (const auto& [path, text] : next)
            for (const auto& bad : faulty)
                if (text.find(bad) != std::string::npos)
                    return {exit_refused, "", "[ALERT]    (1) : config : parsing [/x/v9/" + path + ":3] : no good\n"};
        for (const auto& path : needed)
            if (!next.contains(path)) return {exit_refused, "", "[ALERT]    (1) : something is missing\n"};
        if (command.at(4) == "check") return {};
        if (reload_fails) return {exit_not_reloaded, "", said};
        files = std::move(next);
        ++version;
        if (dies) return {};
        ++(told ? tellings : reloads);
        loaded = version;
        return {};
    }
};

class FakeHost final : public hosts::Host {
public:
    explicit FakeHost(Machine& machine) : machine_(machine) {}
    awaitable<Result<net::CommandResult>> run(std::vector<std::string> command, std::string input, Duration) override {
        co_return machine_.run(command, input);
    }

private:
    Machine& machine_;
};

}  // namespace ocim::loadbalancing::test
