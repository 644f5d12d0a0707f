#include "apiserver/webhooks.hpp"

#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

using namespace ocim;
using namespace ocim::apiserver;

namespace {

/// The example of GitHub's documentation.
constexpr auto secret = "It's a Secret to Everybody";
constexpr auto body = "Hello, World!";
constexpr auto signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

struct Keeper : net::Responder {
    awaitable<void> reply(net::ServerReply given) override {
        said = std::move(given);
        co_return;
    }
    awaitable<void> start_stream(unsigned, std::multimap<std::string, std::string>) override { co_return; }
    awaitable<bool> write(std::string) override { co_return false; }
    awaitable<void> finish() override { co_return; }
    net::ServerReply said{0, {}, {}};
};

TEST(Webhooks, AreLetInByTheirSignatureOnly) {
    test::TestLoop loop;
    Webhooks webhooks;
    int received = 0, asked = 0;
    std::vector<Secret> secrets{Secret("another"), Secret(secret)};
    webhooks.add("/github", {[&](const net::ServerRequest&) -> Webhooks::Candidates {
                                 ++asked;
                                 return {secrets, {}};
                             },
                             [&](net::ServerRequest, std::vector<Secret>) -> awaitable<net::ServerReply> {
                                 ++received;
                                 co_return net::ServerReply{202};
                             }});
    const auto code = [&](const std::string& method, const std::string& path, const std::string& signed_with,
                          const std::string& content) {
        net::ServerRequest request;
        request.method = method;
        request.path = path;
        request.body = content;
        if (!signed_with.empty()) request.headers.emplace("x-hub-signature-256", signed_with);
        Keeper responder;
        loop.run(webhooks.handler()(std::move(request), responder));
        return responder.said.status;
    };
    EXPECT_EQ(code("POST", "/github", signature, body), 202U);
    EXPECT_EQ(received, 1);
    const struct {
        const char *reason, *method, *path, *signature, *body;
        unsigned code;
    } cases[] = {
        {"a path that nobody added", "POST", "/gitlab", signature, body, 404},
        {"below one that is", "POST", "/github/x", signature, body, 404},
        {"another method", "GET", "/github", signature, body, 405},
        {"no signature", "POST", "/github", "", body, 401},
        {"another body", "POST", "/github", signature, "Hello, World?", 401},
        {"the old way", "POST", "/github", "sha1=757107ea0eb2509fc211221cce984b8a37570b6d", body, 401},
        {"cut off", "POST", "/github", "sha256=757107ea", body, 401},
        {"in capitals", "POST", "/github", "sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17",
         body, 401},
    };
    asked = 0;
    for (const auto& c : cases) EXPECT_EQ(code(c.method, c.path, c.signature, c.body), c.code) << c.reason;
    EXPECT_EQ(asked, 1) << "only another body has a signature that could be one";
    secrets = {Secret("")};
    EXPECT_EQ(code("POST", "/github", signature, body), 401U);
    EXPECT_EQ(code("POST", "/github", "sha256=2bbcfa9524f3218c7a34b30e6936f8b1a4516cb097f1a85a1c7d98b5977ec769", body),
              401U)
        << "it is signed with an empty secret";
    secrets.clear();
    EXPECT_EQ(code("POST", "/github", signature, body), 401U) << "without a secret nobody is let in";
    EXPECT_EQ(received, 1);
}

/// Which of the secrets a delivery shows.
std::vector<Secret> shown_secrets(const net::ServerRequest& delivery, const std::vector<Secret>& secrets,
                                  const std::vector<Proof>& proofs) {
    Claims claims(delivery, proofs);
    std::vector<Secret> out;
    for (const auto& one : secrets)
        if (claims.show(one)) out.push_back(one);
    return out;
}

TEST(Webhooks, AreLetInAsEachServiceShowsItsSecret) {
    using Headers = std::multimap<std::string, std::string>;
    using enum Proof;
    const std::vector<Secret> secrets{Secret("another"), Secret(secret)};
    const std::string hex(std::string(signature).substr(7));
    const struct {
        const char* reason;
        Headers headers;
        std::vector<Proof> proofs;
        bool good;
    } cases[] = {
        {"GitHub", {{"x-hub-signature-256", signature}}, {hub_signature, gitea_signature, gitlab_token}, true},
        {"Gitea", {{"x-gitea-signature", hex}}, {hub_signature, gitea_signature, gitlab_token}, true},
        {"GitLab", {{"x-gitlab-token", secret}}, {hub_signature, gitea_signature, gitlab_token}, true},
        {"Gitea, which signs as GitHub too",
         {{"x-gitea-signature", hex}, {"x-hub-signature-256", signature}},
         {hub_signature, gitea_signature},
         true},
        {"the ways of others are not taken",
         {{"x-gitea-signature", hex}, {"x-gitlab-token", secret}},
         {hub_signature},
         false},
        {"no way at all", {{"x-gitlab-token", secret}}, {}, false},
        {"a token as a signature", {{"x-gitea-signature", secret}}, {gitea_signature, gitlab_token}, false},
        {"a signature as a token", {{"x-gitlab-token", hex}}, {gitea_signature, gitlab_token}, false},
        {"Gitea's with GitHub's word", {{"x-gitea-signature", signature}}, {gitea_signature}, false},
        {"the beginning of the token", {{"x-gitlab-token", "It's a Secret"}}, {gitlab_token}, false},
        {"an empty token", {{"x-gitlab-token", ""}}, {gitlab_token}, false},
        {"a token that comes twice", {{"x-gitlab-token", secret}, {"x-gitlab-token", secret}}, {gitlab_token}, false},
    };
    for (const auto& c : cases) {
        net::ServerRequest delivery;
        delivery.headers = c.headers;
        delivery.body = body;
        const auto expected = c.good ? std::vector<Secret>{Secret(secret)} : std::vector<Secret>{};
        EXPECT_EQ(shown_secrets(delivery, secrets, c.proofs), expected) << c.reason;
        EXPECT_TRUE(shown_secrets(delivery, {Secret("")}, c.proofs).empty()) << c.reason;
    }
}

/// In hex, with the word of GitHub before it.
std::string signed_with(const std::string& key, const std::string& text) {
    std::array<unsigned char, 32> mac{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), mac.data(), &size);
    std::string out = "sha256=";
    for (const auto byte : mac) {
        out += "0123456789abcdef"[byte >> 4U];
        out += "0123456789abcdef"[byte & 15U];
    }
    return out;
}

TEST(Webhooks, HaveUsHashSoMuchAndNoMore) {
    const std::vector<Proof> proofs{Proof::hub_signature};
    net::ServerRequest delivery;
    delivery.body = std::string(3UL * 1024 * 1024, 'x');
    delivery.headers.emplace("x-hub-signature-256", signed_with(secret, delivery.body));
    std::vector<Secret> others;
    for (int i = 0; i < 500; ++i) others.emplace_back("of another " + std::to_string(i));
    auto secrets = others;
    secrets.emplace_back(secret);
    EXPECT_TRUE(shown_secrets(delivery, secrets, proofs).empty()) << "a large body is not hashed 501 times";
    secrets.assign(500, Secret("the same for all"));
    secrets.emplace_back(secret);
    EXPECT_EQ(shown_secrets(delivery, secrets, proofs).size(), 1U) << "what is the same is tried once";
    delivery.body.resize(20UL * 1024);
    delivery.headers = {{"x-hub-signature-256", signed_with(secret, delivery.body)}};
    others.emplace_back(secret);
    EXPECT_EQ(shown_secrets(delivery, others, proofs).size(), 1U) << "of an ordinary one every secret is tried";
}

TEST(Webhooks, TryTheSecretsOfOthersWhereNoneIsShownThatIsMeant) {
    test::TestLoop loop;
    Webhooks webhooks;
    Webhooks::Candidates candidates;
    std::vector<Secret> received;
    webhooks.add("/git", {[&](const net::ServerRequest&) { return candidates; },
                          [&](net::ServerRequest, std::vector<Secret> shown) -> awaitable<net::ServerReply> {
                              received = std::move(shown);
                              co_return net::ServerReply{204};
                          }});
    const auto code = [&](const std::string& key, std::size_t body_bytes) {
        net::ServerRequest request;
        request.method = "POST";
        request.path = "/git";
        request.body = std::string(body_bytes, 'x');
        request.headers.emplace("x-hub-signature-256", signed_with(key, request.body));
        Keeper responder;
        received.clear();
        loop.run(webhooks.handler()(std::move(request), responder));
        return responder.said.status;
    };
    constexpr std::size_t ordinary = 20UL * 1024, large = 3UL * 1024 * 1024;
    candidates = {{Secret("meant")}, {Secret("another"), Secret("known")}};
    EXPECT_EQ(code("meant", ordinary), 204U);
    EXPECT_EQ(received, std::vector<Secret>{Secret("meant")});
    EXPECT_EQ(code("known", ordinary), 204U) << "a service gives up hooks that are answered with an error";
    EXPECT_EQ(received, std::vector<Secret>{Secret("known")});
    EXPECT_EQ(code("unknown", ordinary), 401U);
    candidates.others = {Secret("meant")};
    EXPECT_EQ(code("unknown", ordinary), 401U);
    candidates.others.clear();
    for (int i = 0; i < 9; ++i) candidates.others.emplace_back("of another " + std::to_string(i));
    candidates.others.emplace_back("known");
    EXPECT_EQ(code("known", large), 401U)
        << "the bound is one for all: ten of them, and one that is meant, are too many";
    candidates.meant.clear();
    EXPECT_EQ(code("known", large), 204U);
}

}  // namespace
