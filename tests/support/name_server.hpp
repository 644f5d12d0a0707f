#pragma once

#include "support/raw_socket.hpp"
#include "support/service.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::test {

/// A BIND or Knot DNS of the test's own, with one zone that a TSIG key may transfer and update.
class NameServerService {
public:
    enum class Kind { bind, knot };
    struct Key {
        std::string name = "ocim", algorithm = "hmac-sha256";
        std::string secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYyE=";
    };

    /// No update may change the name `forbidden`.<domain> at BIND.
    explicit NameServerService(std::string domain, Kind kind = Kind::bind) : domain_(std::move(domain)), kind_(kind) {
        std::filesystem::create_directories(directory_.file("run"));
        write_file(directory_.file("zone"), "$TTL 300\n@ IN SOA ns1." + domain_ + ". admin." + domain_ +
                                                ". 1 3600 600 86400 60\n@ IN NS ns1." + domain_ + ".\nns1." + domain_ +
                                                ". IN A 127.0.0.1\n");
        write_config();
        const auto command = kind == Kind::bind
                                 ? std::vector<std::string>{"/usr/sbin/named", "-g", "-n", "1", "-c", file("conf")}
                                 : std::vector<std::string>{"/usr/sbin/knotd", "-c", file("conf")};
        service.emplace(Service::Settings{.command = command, .log = file("log"), .environment = {}});
        service->wait_until([this] { return serves(); });
    }

    /// The same server and data, which takes another key from now on.
    void restart_with_key(Key another) {
        service->stop();
        key = std::move(another);
        write_config();
        start();
    }
    void start() {
        service->start();
        service->wait_until([this] { return serves(); });
    }

    /// Changes the zone by other means than ours; what nsupdate says.
    std::string change(const std::string& commands) const {
        return run_program(
                   {"nsupdate", "-v", "-y", key.algorithm + ":" + key.name + ":" + key.secret},
                   "server 127.0.0.1 " + std::to_string(port) + "\nzone " + domain_ + "\n" + commands + "\nsend\n")
            .output;
    }
    /// What the server itself answers, by dig, one value a line, sorted.
    std::string dig(const std::string& name, const std::string& type) const {
        const auto answer = run_program(
            {"dig", "+short", "+norecurse", "+tcp", "+time=5", "@127.0.0.1", "-p", std::to_string(port), name, type});
        return run_program({"sort"}, answer.output).output;
    }
    std::string ttl(const std::string& name, const std::string& type) const {
        return run_program({"sh", "-c",
                            "dig +noall +answer +norecurse +tcp @127.0.0.1 -p " + std::to_string(port) + " " + name +
                                " " + type + " | awk '{print $2}' | sort -u"})
            .output;
    }

    const std::uint16_t port = free_port();
    Key key;

private:
    std::string file(const std::string& name) const { return directory_.file(name); }
    bool serves() const { return port_answers(port) && !dig(domain_, "SOA").empty(); }

    void write_config() const { write_file(file("conf"), kind_ == Kind::bind ? bind_config() : knot_config()); }
    std::string bind_config() const {
        return "options { directory \"" + file("run") + "\"; pid-file \"" + file("run/pid") + "\"; session-keyfile \"" +
               file("run/session.key") + "\"; lock-file none; listen-on port " + std::to_string(port) +
               " { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no; };\n"
               "controls { };\nkey \"" +
               key.name + ".\" { algorithm " + key.algorithm + "; secret \"" + key.secret + "\"; };\nzone \"" +
               domain_ + "\" { type primary; file \"" + file("zone") + "\"; update-policy { deny " + key.name +
               ". name forbidden." + domain_ + ". ANY; grant " + key.name +
               ". zonesub ANY; }; allow-transfer { key \"" + key.name + ".\"; }; };\n";
    }
    std::string knot_config() const {
        return "server:\n  rundir: " + file("run") + "\n  listen: 127.0.0.1@" + std::to_string(port) +
               "\ndatabase:\n  storage: " + file("run") + "\nkey:\n  - id: " + key.name +
               "\n    algorithm: " + key.algorithm + "\n    secret: " + key.secret +
               "\nacl:\n  - id: ours\n    key: " + key.name +
               "\n    action: [transfer, update]\nzone:\n  - domain: " + domain_ + "\n    file: " + file("zone") +
               "\n    acl: ours\n";
    }

    TempDir directory_;
    std::string domain_;
    Kind kind_;

public:
    std::optional<Service> service;  // after the directory: it ends first
};

/// One message of DNS over TCP, with its length before it; "" when the peer closes.
inline std::string read_message(RawSocket& socket) {
    std::string all;
    for (;;) {
        const auto more = socket.read_some();
        if (more.empty()) return {};
        all += more;
        if (all.size() < 2) continue;
        const auto length =
            static_cast<std::size_t>(static_cast<unsigned char>(all[0]) << 8 | static_cast<unsigned char>(all[1]));
        if (all.size() >= length + 2) return all;
    }
}
inline bool is_update(const std::string& message) { return message.size() > 4 && (message[4] >> 3 & 0xf) == 5; }

/// Leads to the server, and keeps its answers to updates.
inline auto losing_answers(std::uint16_t port) {
    return [port](RawSocket& client) {
        const auto request = read_message(client);
        if (request.empty()) return;
        auto server = RawSocket::connect(port);
        server.send(request);
        const auto answer = read_message(server);
        if (!is_update(request)) client.send(answer);
    };
}

/// Answers every update, or with `all` everything, with an rcode; else leads to the server.
inline auto refusing(std::uint16_t port, char rcode, bool all) {
    return [=](RawSocket& client) {
        const auto request = read_message(client);
        if (request.size() < 14) return;
        if (all || is_update(request)) {
            const char flags = static_cast<char>(0x80 | static_cast<unsigned char>(request[4]));
            client.send(std::string("\0\x0c", 2) + request.substr(2, 2) + flags + rcode + std::string(8, '\0'));
            return;
        }
        auto server = RawSocket::connect(port);
        server.send(request);
        client.send(read_message(server));
    };
}

}  // namespace ocim::test
