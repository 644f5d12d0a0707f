#include "gitops/transport.hpp"

#include "base/utf8.hpp"
#include "gitops/known_hosts.hpp"
#include "gitops/limits.hpp"
#include "net/http_client.hpp"
#include "net/ssh.hpp"
#include "runtime/base64.hpp"

#include <charconv>
#include <iterator>

namespace ocim::gitops {

namespace {

constexpr std::size_t words_max = 300;
constexpr std::string_view https = "https://", ssh = "ssh://";

Error invalid(std::string why) { return {ErrorClass::invalid, std::move(why)}; }

class OverHttps final : public Transport {
public:
    OverHttps(std::unique_ptr<net::HttpClient> http, Clock& clock, Secret authorization)
        : http_(std::move(http)), clock_(clock), authorization_(std::move(authorization)) {}

    awaitable<Result<std::string>> refs() override {
        net::HttpRequest request;
        request.target = "/info/refs?service=git-upload-pack";
        co_return co_await send(std::move(request), "application/x-git-upload-pack-advertisement");
    }
    awaitable<Result<std::string>> ask(std::string body) override {
        net::HttpRequest request;
        request.method = "POST";
        request.target = "/git-upload-pack";
        request.content_type = "application/x-git-upload-pack-request";
        request.headers["Accept"] = "application/x-git-upload-pack-result";
        request.body = std::move(body);
        co_return co_await send(std::move(request), "application/x-git-upload-pack-result");
    }

private:
    awaitable<Result<std::string>> send(net::HttpRequest request, std::string type) {
        if (!authorization_.empty()) request.secret_headers["Authorization"] = authorization_;
        CO_TRY(auto reply, co_await http_->send(std::move(request)));
        if (auto refused = judge(reply)) co_return *std::move(refused);
        const auto found = reply.headers.find("content-type");
        if (found == reply.headers.end() || !found->second.starts_with(type))
            co_return invalid("the server speaks no smart protocol of Git there; look at spec.repository");
        co_return std::move(reply.body);
    }
    std::optional<Error> judge(const net::HttpReply& reply) const {
        if (reply.status == 200) return std::nullopt;
        const auto known = authorization_.empty() ? "; it wants spec.credentialsRef" : "; look at the Secret";
        const auto answer = "the server answers " + std::to_string(reply.status);
        if (reply.status == 401 || reply.status == 403) return Error{ErrorClass::auth, answer + known};
        if (reply.status == 404)
            return Error{ErrorClass::not_found, answer + ": there is no such repository, or we may not see it" + known};
        if (reply.status / 100 == 3) {
            const auto to = reply.headers.find("location");
            return invalid(answer + ": it is elsewhere" +
                           (to == reply.headers.end() ? "" : ", at " + one_line(to->second, words_max)) +
                           "; mend spec.repository");
        }
        auto plain = net::expect_success(reply, clock_.wall());
        // what a server says beyond its status may be anything, and is not repeated
        Error out{plain ? ErrorClass::transient : plain.error().error_class, answer};
        if (!plain) out.retry_after = plain.error().retry_after;
        return out;
    }

    std::unique_ptr<net::HttpClient> http_;
    Clock& clock_;
    Secret authorization_;
};

class OverSsh final : public Transport {
public:
    OverSsh(std::unique_ptr<net::SshHost> host, std::string path, Duration call_max)
        : host_(std::move(host)), path_(std::move(path)), call_max_(call_max) {}

    awaitable<Result<std::string>> refs() override { co_return co_await run(std::string(nothing_wanted)); }
    awaitable<Result<std::string>> ask(std::string request) override {
        CO_TRY(const auto answer, co_await run(std::move(request)));
        // it says again what it has
        std::string_view rest;
        const auto again = read_refs(answer, rest);
        if (!again) co_return again.error();
        co_return std::string(rest);
    }

private:
    awaitable<Result<std::string>> run(std::string input) {
        std::vector<std::string> command{"git-upload-pack", path_};
        const auto limit = call_max_;
        auto result = co_await host_->run(std::move(command), std::move(input), limit);
        if (!result) co_return std::move(result).error();
        if (result->exit_code == 0) co_return std::move(result->output);
        // a refusal within the protocol says more than the exit code
        std::string_view rest;
        if (const auto told = read_refs(result->output, rest); told && !rest.empty()) co_return result->output;
        const auto words = one_line(result->errors, words_max);
        const bool missing = words.find("not appear to be a git repository") != std::string::npos ||
                             words.find("not found") != std::string::npos;
        co_return Error(Error{missing ? ErrorClass::not_found : ErrorClass::transient,
                              "git-upload-pack ended with " + std::to_string(result->exit_code) +
                                  (words.empty() ? "" : ": " + words) + "; look at spec.repository"});
    }

    std::unique_ptr<net::SshHost> host_;
    std::string path_;
    Duration call_max_;
};

Result<std::unique_ptr<Transport>> over_https(const RepositorySettings& settings, const runtime::Services& services) {
    auto url = settings.repository;
    while (url.ends_with('/')) url.pop_back();
    auto http = net::make_http_client(
        services.loop, services.clock, services.metrics,
        {.base_url = url, .ca_certificate = settings.ca_certificate, .timeout = settings.call_max});
    if (!http) return std::move(http).error().within("spec.repository");
    Secret authorization;
    if (!settings.password.empty()) {
        const auto user = settings.username.empty() ? std::string("git") : settings.username;
        authorization = Secret("Basic " + runtime::base64(user + ":" + settings.password.reveal()));
    }
    return std::unique_ptr<Transport>(
        std::make_unique<OverHttps>(*std::move(http), services.clock, std::move(authorization)));
}

/// By which keys the host may show itself. One is needed: without it anybody could be the server.
Result<void> pin(const RepositorySettings& settings, net::SshSettings& out) {
    if (!settings.host_key.empty()) {
        out.host_key = settings.host_key;
        return {};
    }
    if (settings.known_hosts.empty())
        return invalid("the SSH server's key is not known: set spec.hostKey, or the key \"known_hosts\" of the Secret");
    auto keys = keys_of_host(settings.known_hosts, out.host, out.port);
    if (!keys) return std::move(keys).error().within("the Secret that spec.credentialsRef names");
    out.host_key = std::move(keys->front());
    out.more_host_keys.assign(std::next(keys->begin()), keys->end());
    return {};
}

Result<std::unique_ptr<Transport>> over_ssh(const RepositorySettings& settings, const runtime::Services& services) {
    std::string_view rest(settings.repository);
    rest.remove_prefix(ssh.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return invalid("spec.repository has no path");
    const std::string path(rest.substr(slash));
    auto place = rest.substr(0, slash);
    net::SshSettings out;
    out.commands_only = true;
    out.user = "git";
    if (const auto at = place.find('@'); at != std::string_view::npos) {
        out.user = place.substr(0, at);
        place.remove_prefix(at + 1);
    }
    if (const auto colon = place.rfind(':'); colon != std::string_view::npos && !place.ends_with(']')) {
        const auto digits = place.substr(colon + 1);
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
        if (read.ec != std::errc() || read.ptr != digits.data() + digits.size())
            return invalid("spec.repository has a port that is none");
        place = place.substr(0, colon);
    }
    if (place.starts_with('[') && place.ends_with(']')) place = place.substr(1, place.size() - 2);
    out.host = place;
    if (auto pinned = pin(settings, out); !pinned) return std::move(pinned).error();
    if (settings.identity.empty())
        return Error{ErrorClass::auth,
                     "there is no private key: put one into the key \"identity\" of the Secret that "
                     "spec.credentialsRef names"};
    out.private_key = settings.identity;
    return std::unique_ptr<Transport>(
        std::make_unique<OverSsh>(net::make_ssh_host(services.loop, std::move(out)), path, settings.call_max));
}

}  // namespace

Result<std::unique_ptr<Transport>> open_transport(const RepositorySettings& settings,
                                                  const runtime::Services& services) {
    if (settings.repository.starts_with(https)) return over_https(settings, services);
    if (settings.repository.starts_with(ssh)) return over_ssh(settings, services);
    return invalid("spec.repository must begin with https:// or ssh://");
}

}  // namespace ocim::gitops
