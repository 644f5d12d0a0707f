#pragma once

#include "api/json.hpp"
#include "support/service.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace ocim::test {

/// tests/support/mail_server.py: a real SMTP server that can be told to be difficult.
class MailService {
public:
    explicit MailService(const std::string& tls = "") {
        behave("{}");
        std::vector<std::string> command{"/usr/bin/python3", OCIM_SOURCE_DIR "/tests/support/mail_server.py",
                                         std::to_string(port), directory_.path()};
        if (!tls.empty()) command.insert(command.end(), {"--tls", tls, "--authority", authority_file()});
        service.emplace(Service::Settings{command, directory_.file("log"), {}});
        service->wait_for_port(port);
    }

    void behave(const std::string& json) const {
        write_file(directory_.file("behaviour.new"), json);
        std::filesystem::rename(directory_.file("behaviour.new"), directory_.file("behaviour.json"));
    }
    /// It has a mail whose taking it does not answer.
    bool stalls() const { return std::filesystem::exists(directory_.file("stalled")); }
    /// What was taken, oldest first.
    std::vector<api::Json> mails() const {
        std::vector<std::string> paths;
        for (const auto& entry : std::filesystem::directory_iterator(directory_.file("mails")))
            if (entry.path().extension() == ".json") paths.push_back(entry.path());
        std::ranges::sort(paths);
        std::vector<api::Json> out;
        for (const auto& path : paths) out.push_back(api::parse_json(read_file(path))->value);
        return out;
    }
    std::string authority_file() const { return directory_.file("ca.crt"); }
    std::string authority() const { return read_file(authority_file()); }

private:
    TempDir directory_;

public:
    const std::uint16_t port = free_port();
    std::optional<Service> service;  // after the directory: it ends first
};

}  // namespace ocim::test
