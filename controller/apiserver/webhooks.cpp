#include "apiserver/webhooks.hpp"

#include "apiserver/exchange.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace ocim::apiserver {

namespace {

/// Takes as long whichever character differs.
bool is_same(std::string_view given, std::string_view expected) {
    return given.size() == expected.size() && CRYPTO_memcmp(given.data(), expected.data(), given.size()) == 0;
}

/// In hex; "" when there is none.
std::string hmac_of(std::string_view body, const std::string& key) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<unsigned char, 32> mac{};
    unsigned size = 0;
    std::string out;
    if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
              reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(), &size))
        return out;
    for (const auto byte : mac) (out += digits[byte >> 4U]) += digits[byte & 15U];
    return out;
}

std::string header_of(Proof proof) {
    switch (proof) {
        case Proof::hub_signature: return "x-hub-signature-256";
        case Proof::gitea_signature: return "x-gitea-signature";
        case Proof::gitlab_token: return "x-gitlab-token";
    }
    return "";
}

bool shows(Proof proof, std::string_view given, std::string_view body, const std::string& secret) {
    constexpr std::string_view prefix = "sha256=";
    switch (proof) {
        case Proof::gitlab_token: return is_same(given, secret);
        case Proof::hub_signature:
            if (!given.starts_with(prefix)) return false;
            given.remove_prefix(prefix.size());
            [[fallthrough]];
        case Proof::gitea_signature:
            if (const auto expected = hmac_of(body, secret); !expected.empty()) return is_same(given, expected);
    }
    return false;
}

}  // namespace

bool is_proven(const net::ServerRequest& delivery, const std::vector<Secret>& secrets,
               const std::vector<Proof>& proofs) {
    bool good = false;
    for (const auto proof : proofs) {
        const auto header = header_of(proof);
        if (delivery.headers.count(header) != 1) continue;
        for (const auto& secret : secrets)
            // an empty secret is none: anybody could sign with it
            if (!secret.reveal().empty()) good |= shows(proof, delivery.header(header), delivery.body, secret.reveal());
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
    if (!is_proven(request, found->second.secrets(), found->second.proofs)) {
        co_await responder.reply(wire_refusal(401, "the delivery is not signed with a secret that is known"));
        co_return;
    }
    auto reply = co_await found->second.receive(std::move(request));
    co_await responder.reply(std::move(reply));
}

}  // namespace ocim::apiserver
