#include "apiserver/webhooks.hpp"

#include "apiserver/exchange.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace ocim::apiserver {

bool is_signed(std::string_view header, std::string_view body, const std::vector<Secret>& secrets) {
    constexpr std::string_view prefix = "sha256=";
    constexpr std::string_view digits = "0123456789abcdef";
    if (!header.starts_with(prefix)) return false;
    header.remove_prefix(prefix.size());
    bool good = false;
    for (const auto& secret : secrets) {
        const auto& key = secret.reveal();
        std::array<unsigned char, 32> mac{};
        unsigned size = 0;
        // an empty secret is none: anybody could sign with it
        if (key.empty() || !HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                 reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(), &size))
            continue;
        std::string expected;
        for (const auto byte : mac) (expected += digits[byte >> 4U]) += digits[byte & 15U];
        // takes as long whichever character differs
        good |= header.size() == expected.size() && CRYPTO_memcmp(header.data(), expected.data(), header.size()) == 0;
    }
    return good;
}

net::Handler Webhooks::handler() {
    return
        [this](net::ServerRequest request, net::Responder& responder) { return handle(std::move(request), responder); };
}

awaitable<void> Webhooks::handle(net::ServerRequest request, net::Responder& responder) {
    const auto found = routes_.find(request.path);
    if (found == routes_.end()) {
        co_await responder.reply(page_not_found());
        co_return;
    }
    if (request.method != "POST") {
        co_await responder.reply(wire_refusal(405, "only POST is understood here"));
        co_return;
    }
    const auto given = request.header("x-hub-signature-256");
    if (request.headers.count("x-hub-signature-256") != 1 || !is_signed(given, request.body, found->second.secrets())) {
        co_await responder.reply(wire_refusal(401, "the delivery is not signed with a secret that is known"));
        co_return;
    }
    auto reply = co_await found->second.receive(std::move(request));
    co_await responder.reply(std::move(reply));
}

}  // namespace ocim::apiserver
