#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::net {

/// One turn of a conversation: what is waited for, then what is said, then whether TLS begins.
struct TalkStep {
    std::string expect{};  ///< a text that must come; "": nothing is waited for
    std::string send{};
    bool start_tls = false;
    bool operator==(const TalkStep&) const = default;
};

/// A connection by somebody who watches a server, and what is said over it.
struct Talk {
    std::string address;        ///< "host:port" or "[address]:port"
    bool tls = false;           ///< from the beginning
    bool verify = true;         ///< the certificate must be good and for server_name
    std::string server_name{};  ///< "": the host of the address
    std::vector<TalkStep> steps{};
};

struct Talked {
    /// Of TLS: when the first of the certificates ends that were shown.
    std::optional<WallTime> certificate_expires{};
};

/// One message to a server that answers with one, such as DNS.
struct Datagram {
    std::string address;  ///< as above
    std::string message;  ///< its first two bytes come back at the beginning of the answer
    bool over_tcp = false;
    Duration resend_after{2'000};  ///< over UDP, where one may be lost
};

/// Lives on the loop thread. Any number may go on at once. Bounds no time of its own: whoever calls has a deadline.
/// Errors: invalid (the address), unreachable (all else, in words that stay the same as long as the reason does).
class Talker {
public:
    static constexpr std::size_t answer_bytes_max = 65'536;  ///< so much is read for one step

    virtual ~Talker() = default;
    virtual awaitable<Result<Talked>> talk(Talk what) = 0;
    virtual awaitable<Result<std::string>> ask(Datagram what) = 0;
};

/// `clock` must outlive it. Destroying it while it is used is a bug.
std::unique_ptr<Talker> make_talker(boost::asio::any_io_executor loop, Clock& clock);

/// What is wrong with "host:port", as invalid. With `port` that one is meant where none is named.
Result<void> check_address(const std::string& address, std::string port = {});

}  // namespace ocim::net
