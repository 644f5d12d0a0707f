#pragma once

#include "dns/message.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace ocim::test {

/// A name server with the key "ocim" (HMAC-SHA256), by the letter of RFC 8945, 4.3: what it says to one question.
class TsigPeer {
public:
    /// `request`: the signature of the question. `secret`: as it is, not base64.
    explicit TsigPeer(std::string request, std::string secret = "secret")
        : prior_(std::move(request)), secret_(std::move(secret)) {}

    /// The last 32 bytes before the TSIG record's trailer.
    static std::string signature_of(const std::string& message) { return message.substr(message.size() - 6 - 32, 32); }

    /// The message as it goes out; without a signature the next one covers it.
    std::string answer(std::string message, bool with_signature, std::chrono::sys_seconds at, unsigned error = 0) {
        using dns::be16, dns::wire_name;
        if (!with_signature) {
            pending_ += message;
            return message;
        }
        const auto time = static_cast<std::uint64_t>(at.time_since_epoch().count());
        const auto when =
            be16(0) + be16(static_cast<unsigned>(time >> 16)) + be16(static_cast<unsigned>(time & 0xffff)) + be16(300);
        auto covered = be16(static_cast<unsigned>(prior_.size())) + prior_ + std::exchange(pending_, {}) + message;
        const auto name = wire_name("ocim"), algorithm = wire_name("hmac-sha256");
        constexpr unsigned tsig = 250, any = 255;
        covered += std::exchange(first_, false)
                       ? name + be16(any) + be16(0) + be16(0) + algorithm + when + be16(error) + be16(0)
                       : when;
        prior_ = hmac(covered);
        const auto rdata = algorithm + when + be16(32) + prior_ + be16(dns::id_of(message)) + be16(error) + be16(0);
        message +=
            name + be16(tsig) + be16(any) + be16(0) + be16(0) + be16(static_cast<unsigned>(rdata.size())) + rdata;
        dns::set_count(message, 3, 1);
        return message;
    }

    /// The signature of what was said last, or of the question.
    const std::string& prior() const { return prior_; }

private:
    std::string hmac(const std::string& text) const {
        unsigned char out[32];
        unsigned length = 0;
        HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &length);
        return {reinterpret_cast<const char*>(out), length};
    }

    std::string prior_, secret_, pending_{};
    bool first_ = true;
};

}  // namespace ocim::test
