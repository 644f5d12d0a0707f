#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string>
#include <string_view>

namespace ocim::net {

/// One GET over TLS whose answer is read as it comes, such as a log that grows.
struct StreamRequest {
    std::string url{};              ///< https, percent-encoded
    std::string ca_certificate{};   ///< PEM: the only authorities that are trusted
    std::string certificate{};      ///< PEM: who we are; empty: nobody by certificate
    Secret private_key{};           ///< PEM, of the certificate
    Secret bearer_token{};          ///< empty: none
    Duration head_timeout{30'000};  ///< until the head of the answer; what follows may take as long as it likes
};

/// Calls `take` with the status and each part of the body; returns the status when the body has ended. Runs on the
/// loop. Errors: invalid (the URL, a PEM), unreachable (no connection, TLS refused, no answer in HTTP, cut off).
awaitable<Result<unsigned>> read_stream(boost::asio::any_io_executor loop, Clock& clock, StreamRequest request,
                                        std::function<void(unsigned status, std::string_view part)> take);

}  // namespace ocim::net
