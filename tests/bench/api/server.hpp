#pragma once

#include "support/https_clients.hpp"
#include "support/service.hpp"

#include <sys/types.h>
#include <chrono>
#include <string>

namespace ocim::bench {

/// `ocim serve --no-controllers` in a directory of its own, which goes with it.
class Server {
public:
    explicit Server(std::string program) : program_(std::move(program)) {}
    ~Server() { stop(); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// From fork to the line that says it is ready.
    std::chrono::duration<double> start();
    /// SIGTERM, and waits.
    void stop();

    test::Endpoint endpoint() const { return test::Endpoint::in(directory_.file("data")); }
    double resident_mib() const;
    /// Of all its threads since its start.
    double cpu_seconds() const;
    pid_t pid() const { return pid_; }

private:
    std::string program_;
    test::TempDir directory_;
    pid_t pid_ = -1;
    int output_ = -1;
};

}  // namespace ocim::bench
