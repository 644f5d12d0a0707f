#include "hosts/host.hpp"

#include "net/process.hpp"

#include <utility>

namespace ocim::hosts {

namespace {

class LocalHost final : public Host {
public:
    explicit LocalHost(BlockingPool& blocking) : blocking_(blocking) {}

    awaitable<Result<net::CommandResult>> run(std::vector<std::string> command, std::string input,
                                              Duration limit) override {
        net::ProcessSettings settings;
        settings.command = std::move(command);
        settings.input = std::move(input);
        settings.limit = limit;
        co_return co_await net::run_process(blocking_, std::move(settings));
    }

private:
    BlockingPool& blocking_;
};

class RemoteHost final : public Host {
public:
    RemoteHost(std::unique_ptr<net::SshHost> ssh, bool sudo) : ssh_(std::move(ssh)), sudo_(sudo) {}

    awaitable<Result<net::CommandResult>> run(std::vector<std::string> command, std::string input,
                                              Duration limit) override {
        if (sudo_) command.insert(command.begin(), {"sudo", "-n", "--"});
        co_return co_await ssh_->run(std::move(command), std::move(input), limit);
    }

private:
    std::unique_ptr<net::SshHost> ssh_;
    bool sudo_;
};

}  // namespace

std::unique_ptr<Host> make_local_host(BlockingPool& blocking) { return std::make_unique<LocalHost>(blocking); }

std::unique_ptr<Host> make_remote_host(std::unique_ptr<net::SshHost> ssh, bool sudo) {
    return std::make_unique<RemoteHost>(std::move(ssh), sudo);
}

}  // namespace ocim::hosts
