#include "apiserver/webhooks.hpp"

#include "apiserver/exchange.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

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

/// The signature that a header has, in hex; "" when it has none of the right shape.
std::string_view signature_in(Proof proof, std::string_view given) {
    constexpr std::string_view prefix = "sha256=";
    constexpr std::size_t digits = 64;
    if (proof == Proof::hub_signature) {
        if (!given.starts_with(prefix)) return "";
        given.remove_prefix(prefix.size());
    }
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return given.size() == digits && std::ranges::all_of(given, is_digit) ? given : "";
}

bool any_is(const std::vector<std::string>& given, std::string_view expected) {
    bool good = false;
    for (const auto& one : given) good |= is_same(one, expected);
    return good;
}

/// Which of the secrets are shown. Others have the loop between hashes that take long.
awaitable<std::vector<Secret>> shown_of(Claims& claims, const std::vector<Secret>& secrets) {
    constexpr std::size_t slice_bytes = 1024 * 1024;  // a millisecond or two
    const auto loop = co_await boost::asio::this_coro::executor;
    std::vector<Secret> out;
    auto slice_end = claims.hashed_bytes() + slice_bytes;
    for (const auto& secret : secrets) {
        if (claims.hashed_bytes() >= slice_end) {
            slice_end = claims.hashed_bytes() + slice_bytes;
            co_await boost::asio::post(loop, boost::asio::use_awaitable);
        }
        if (claims.show(secret)) out.push_back(secret);
    }
    co_return out;
}

}  // namespace

Claims::Claims(const net::ServerRequest& delivery, const std::vector<Proof>& proofs) : body_(delivery.body) {
    for (const auto proof : proofs) {
        const auto name = header_of(proof);
        if (delivery.headers.count(name) != 1) continue;
        const auto given = delivery.header(name);
        if (proof == Proof::gitlab_token) {
            if (!given.empty()) tokens_.emplace_back(given);
        } else if (const auto signature = signature_in(proof, given); !signature.empty()) {
            signatures_.emplace_back(signature);
        }
    }
}

bool Claims::show(const Secret& secret) {
    const auto& text = secret.reveal();
    // an empty secret is none: anybody could sign with it
    if (text.empty() || !tried_.insert(text).second) return false;
    bool good = any_is(tokens_, text);
    if (!signatures_.empty() && hashed_ + body_.size() <= hashed_bytes_max) {
        hashed_ += body_.size();
        const auto expected = hmac_of(body_, text);
        good |= !expected.empty() && any_is(signatures_, expected);
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
    const auto& route = found->second;
    std::vector<Secret> shown;
    Claims claims(request, route.proofs);
    if (claims.any()) {
        const auto candidates = route.secrets(request);
        shown = co_await shown_of(claims, candidates.meant);
        if (shown.empty()) shown = co_await shown_of(claims, candidates.others);
    }
    if (shown.empty()) {
        co_await responder.reply(wire_refusal(401, "the delivery is not signed with a secret that is known"));
        co_return;
    }
    auto reply = co_await route.receive(std::move(request), std::move(shown));
    co_await responder.reply(std::move(reply));
}

}  // namespace ocim::apiserver
