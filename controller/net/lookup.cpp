#include "net/lookup.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <memory>

namespace ocim::net {

namespace {

/// Owned by the C library from start to end.
struct Lookup {
    std::string host, port;
    addrinfo hints{};
    gaicb request{};
    std::function<void(Result<const addrinfo*>)> done;

    void finish(int error) {
        if (error == 0) return done(request.ar_result);
        done(Error{ErrorClass::unreachable, std::string("its name is unknown: ") + ::gai_strerror(error)});
    }
    static void ended(sigval value) {
        const std::unique_ptr<Lookup> self(static_cast<Lookup*>(value.sival_ptr));
        self->finish(::gai_error(&self->request));
        if (self->request.ar_result != nullptr) ::freeaddrinfo(self->request.ar_result);
    }
};

}  // namespace

void look_up(const std::string& host, const std::string& port,
             std::function<void(Result<const addrinfo*> addresses)> done) {
    auto lookup = std::make_unique<Lookup>();
    lookup->host = host;
    lookup->port = port;
    lookup->done = std::move(done);
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->hints.ai_flags = AI_ADDRCONFIG;
    lookup->request.ar_name = lookup->host.c_str();
    lookup->request.ar_service = lookup->port.c_str();
    lookup->request.ar_request = &lookup->hints;
    sigevent notify{};
    notify.sigev_notify = SIGEV_THREAD;
    notify.sigev_notify_function = &Lookup::ended;
    notify.sigev_value.sival_ptr = lookup.get();
    gaicb* list[] = {&lookup->request};
    if (const int failed = ::getaddrinfo_a(GAI_NOWAIT, list, 1, &notify); failed != 0) return lookup->finish(failed);
    (void)lookup.release();  // ended() frees it
}

bool is_address(const std::string& host) {
    in6_addr ignored{};
    return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace ocim::net
