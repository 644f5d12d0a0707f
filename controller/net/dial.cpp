#include "net/dial.hpp"

#include "base/async.hpp"
#include "net/lookup.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <ctime>
#include <functional>
#include <mutex>
#include <utility>

namespace ocim::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// The way back to the loop from a thread of the resolver, shut when the one who asked goes.
class Resolver::Door {
public:
    explicit Door(asio::any_io_executor loop) : loop_(std::move(loop)) {}
    void deliver(std::function<void()> what) {
        const std::lock_guard lock(mutex_);
        if (open_) asio::post(loop_, std::move(what));
    }
    void shut() {
        const std::lock_guard lock(mutex_);
        open_ = false;
    }

private:
    std::mutex mutex_;
    bool open_ = true;
    asio::any_io_executor loop_;
};

namespace {

using Endpoints = std::vector<tcp::endpoint>;

struct Waiting {
    Signal done;
    std::optional<Result<Endpoints>> found;
};

Result<Endpoints> endpoints_of(const Result<const addrinfo*>& list) {
    if (!list) return list.error();
    Endpoints out;
    for (const auto* item = *list; item; item = item->ai_next) {
        tcp::endpoint endpoint;
        if (item->ai_socktype != SOCK_STREAM && item->ai_socktype != 0) continue;
        if (item->ai_addrlen > endpoint.capacity()) continue;
        endpoint.resize(item->ai_addrlen);
        std::copy_n(reinterpret_cast<const char*>(item->ai_addr), item->ai_addrlen,
                    reinterpret_cast<char*>(endpoint.data()));
        out.push_back(endpoint);
    }
    if (out.empty()) return Error{ErrorClass::unreachable, "the name has no address"};
    return out;
}

}  // namespace

Resolver::Resolver(asio::any_io_executor loop) : door_(std::make_shared<Door>(std::move(loop))) {}
Resolver::~Resolver() { door_->shut(); }

awaitable<Result<Endpoints>> Resolver::resolve(std::string host, std::string port) {
    const auto waiting = std::make_shared<Waiting>();  // the resolver's thread knows it weakly
    look_up(host, port, [door = door_, weak = std::weak_ptr(waiting)](const Result<const addrinfo*>& list) {
        auto found = endpoints_of(list);
        door->deliver([weak, found = std::move(found)] {
            const auto asker = weak.lock();
            if (!asker) return;
            asker->found = found;
            asker->done.notify();
        });
    });
    while (!waiting->found) co_await waiting->done.wait();
    co_return std::move(*waiting->found);
}

VisitorTls::VisitorTls() {
    for (auto* context : {&trusting_, &strict_})
        SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    trusting_.set_verify_mode(asio::ssl::verify_none);
    boost::system::error_code ignored;  // without authorities every certificate is refused, as should then happen
    strict_.set_default_verify_paths(ignored);
    strict_.set_verify_mode(asio::ssl::verify_peer);
}

void leave_if_cancelled(const boost::system::error_code& code) {
    if (code == asio::error::operation_aborted) throw boost::system::system_error(code);
}

std::optional<WallTime> first_expiry(const SSL* connection) {
    std::optional<WallTime> out;
    const auto* chain = SSL_get_peer_cert_chain(connection);
    for (int i = 0; chain && i < sk_X509_num(chain); ++i) {
        std::tm parts{};
        if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &parts) != 1) continue;
        const WallTime ends{std::chrono::seconds(::timegm(&parts))};
        if (!out || ends < *out) out = ends;
    }
    return out;
}

std::string tls_refusal(const SSL* connection, const boost::system::error_code& code) {
    auto out = "TLS is refused: " + code.message();
    const auto verified = SSL_get_verify_result(connection);
    if (verified != X509_V_OK) out += std::string(": ") + X509_verify_cert_error_string(verified);
    return out;
}

}  // namespace ocim::net
