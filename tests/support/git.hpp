#pragma once

#include "support/service.hpp"

#include <optional>
#include <string>
#include <vector>

/// Real repositories and Git servers for tests.
namespace ocim::test {

/// A repository with a working copy; what is pushed is what servers serve.
class GitRepository {
public:
    /// Bare at DIRECTORY/fleet.git.
    explicit GitRepository(const std::string& directory) : bare_(directory + "/fleet.git"), work_(directory + "/work") {
        git({"init", "-q", "--bare", "-b", "main", bare_}, "/");
        git({"init", "-q", "-b", "main", work_}, "/");
        git({"remote", "add", "origin", bare_});
        git({"config", "user.name", "Ada"});
        git({"config", "user.email", "ada@example.com"});
    }
    /// Its output, without the newline at its end.
    std::string git(std::vector<std::string> words) { return git(std::move(words), work_); }
    void write(const std::string& path, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(work_ + "/" + path).parent_path());
        write_file(work_ + "/" + path, text);
    }
    void remove(const std::string& path) { std::filesystem::remove_all(work_ + "/" + path); }
    /// Everything as it is in the working copy; the commit's name.
    std::string push(const std::string& branch = "main") {
        git({"add", "-A"});
        git({"commit", "-q", "--allow-empty", "-m", "next"});
        git({"push", "-q", "-f", "origin", "HEAD:refs/heads/" + branch});
        return git({"rev-parse", "HEAD"});
    }
    const std::string& path() const { return bare_; }
    const std::string& work() const { return work_; }

private:
    static std::string git(std::vector<std::string> words, const std::string& where) {
        words.insert(words.begin(), {"/usr/bin/git", "-C", where});
        auto ran = run_program(words);
        if (ran.exit_code != 0) throw std::runtime_error("git: " + ran.output);
        while (ran.output.ends_with('\n')) ran.output.pop_back();
        return ran.output;
    }

    std::string bare_, work_;
};

/// Git's http-backend over TLS, with a certificate of its own.
class GitHttps {
public:
    /// `account`: "user:token" that it wants; "" lets everybody in.
    GitHttps(const std::string& folder, const std::string& account) : folder_(folder), port_(free_port()) {
        const auto made = run_program({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                       "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=git",
                                       "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory_.file("key"),
                                       "-out", directory_.file("certificate")});
        if (made.exit_code != 0) throw std::runtime_error("openssl: " + made.output);
        service_.emplace(Service::Settings{
            .command = {"/usr/bin/python3", OCIM_SOURCE_DIR "/tests/support/git_server.py", std::to_string(port_),
                        directory_.file("certificate"), directory_.file("key"), folder, account},
            .log = directory_.file("log"),
            .environment = {}});
        service_->wait_for_port(port_);
    }
    std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/fleet.git"; }
    std::string certificate() const { return read_file(directory_.file("certificate")); }
    std::string log() const { return read_file(directory_.file("log")); }
    void trouble(const std::string& what) const { write_file(folder_ + "/trouble", what); }
    Service& service() { return *service_; }

private:
    TempDir directory_;
    std::string folder_;
    std::uint16_t port_;
    std::optional<Service> service_;
};

}  // namespace ocim::test
