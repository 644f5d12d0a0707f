#include "apiserver/authenticator.hpp"
#include "apiserver/authorizer.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

using namespace ocim;
using namespace ocim::apiserver;
using namespace std::chrono_literals;
using test::json_of;

namespace {

TEST(TokenKey, SignsAndRefuses) {
    const auto key = TokenKey::read(*TokenKey::make_pem());
    const auto other = TokenKey::read(*TokenKey::make_pem());
    ASSERT_TRUE(key && other);
    EXPECT_EQ(key->id().size(), 43U);
    const auto token = key->sign(json_of("{'sub':'x'}"));
    ASSERT_TRUE(token);
    const auto claims = key->verify(*token);
    ASSERT_TRUE(claims) << claims.error().message;
    EXPECT_EQ(api::to_text(*claims), R"({"sub":"x"})");

    const auto first = token->find('.'), last = token->rfind('.');
    const auto body = token->substr(first + 1, last - first - 1), signature = token->substr(last + 1);
    const auto with = [&](const std::string& header, const std::string& said, const std::string& signed_by) {
        return base64url(header) + "." + said + "." + signed_by;
    };
    auto flipped = *token;
    flipped[first + 3] = flipped[first + 3] == 'A' ? 'B' : 'A';
    const struct {
        const char* reason;
        std::string token;
    } cases[] = {
        {"empty", ""},
        {"no dots", "abc"},
        {"one dot", "a.b"},
        {"three dots", *token + ".x"},
        {"unsigned", with(R"({"alg":"none","kid":")" + key->id() + "\"}", body, "")},
        {"an algorithm of the token's choice", with(R"({"alg":"HS256","kid":")" + key->id() + "\"}", body, signature)},
        {"no key named", with(R"({"alg":"ES256"})", body, signature)},
        {"the claims changed", flipped},
        {"the signature cut", token->substr(0, token->size() - 2)},
        {"zeros for a signature", token->substr(0, last + 1) + base64url(std::string(64, '\0'))},
        {"padding", *token + "="},
        {"signed by another", *other->sign(json_of("{'sub':'x'}"))},
    };
    for (const auto& c : cases) EXPECT_FALSE(key->verify(c.token)) << c.reason;
}

TEST(TokenKey, ReadsOnlyKeysOfItsKind) {
    EXPECT_FALSE(TokenKey::read(Secret("")));
    EXPECT_FALSE(TokenKey::read(Secret("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")));
}

TEST(Base64Url, HasOneTextForOneMeaning) {
    for (const std::string text : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"})
        EXPECT_EQ(*from_base64url(base64url(text)), text);
    for (const char* text : {"a", "ab+", "YQ==", "YR", "\n"}) EXPECT_FALSE(from_base64url(text)) << text;
}

TEST(StaticTokens, ReadTheFormOfKubernetes) {
    const auto tokens = StaticTokens::parse(
        "secret1,alice,1\n"
        "secret2,bob,2,\"dev, ops\"\r\n"
        "\n"
        "\"se\"\"cret3\",\"c,d\",3,one");
    ASSERT_TRUE(tokens) << tokens.error().message;
    ASSERT_TRUE(tokens->find("secret1"));
    EXPECT_EQ(tokens->find("secret1")->user, "alice");
    EXPECT_EQ(tokens->find("secret1")->uid, "1");
    EXPECT_TRUE(tokens->find("secret1")->groups.empty());
    EXPECT_EQ(tokens->find("secret2")->groups, (std::vector<std::string>{"dev", "ops"}));
    ASSERT_TRUE(tokens->find("se\"cret3"));
    EXPECT_EQ(tokens->find("se\"cret3")->user, "c,d");
    EXPECT_FALSE(tokens->find(""));
    EXPECT_FALSE(tokens->find("alice"));

    for (const auto& [text, why] :
         {std::pair("hush,alice", "record 1 must have at least 3 columns (token, user name, user uid), found 2"),
          std::pair("a,b,c\n,alice,1", "record 2 has no token"), std::pair("hush,,1", "record 1 has no user name"),
          std::pair("\"hush", "record 1 has a quotation without an end"),
          std::pair("hush,a,1\nhush,b,2", "record 2 has the token of another one")}) {
        const auto refused = StaticTokens::parse(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().message, why);
        EXPECT_EQ(refused.error().message.find("hush"), std::string::npos) << "never with its content";
    }
}

class Credentials : public testing::Test {
protected:
    void make(const std::string& plural, const std::string& object) {
        const auto* resource = world.registry().resource("", "v1", plural);
        auto made =
            world.loop.run(world.registry().create(*resource, "default", "", api::Parsed{json_of(object), {}}, {}));
        ASSERT_TRUE(made) << made.error().message;
    }
    void remove(const std::string& plural, const std::string& name) {
        const auto* resource = world.registry().resource("", "v1", plural);
        ASSERT_TRUE(world.loop.run(world.registry().remove(*resource, "default", name, {})));
    }
    std::string issue(const std::string& name, const std::string& spec = "{}") {
        const auto made = tokens.issue("default", name, json_of("{'spec':" + spec + "}"));
        if (!made) return std::to_string(made.error().code) + " " + made.error().message;
        return std::string(api::find_text(*made, {"status", "token"}));
    }
    /// The user, or why not.
    std::string check(const std::string& token, std::vector<std::string> audiences = {}) {
        const auto found = authenticator.check_token(token, std::move(audiences));
        return found ? found->caller.user : found.error().message;
    }
    std::string who(net::ServerRequest request, const std::string& path = "/api") {
        const auto found = authenticator.authenticate(request, path);
        return found ? found->user : "401";
    }
    static net::ServerRequest bearing(const std::string& header) {
        net::ServerRequest out;
        out.headers.emplace("authorization", header);
        return out;
    }

    test::World world;
    ServiceAccountTokens tokens{
        world.registry(), world.loop.clock(), *world.random, *TokenKey::read(*TokenKey::make_pem()), {}};
    Authenticator authenticator{world.loop.clock(), &tokens, *StaticTokens::parse("written,carol,7,\"g1,g2\"")};
};

TEST_F(Credentials, ATokenIsGoodForItsAccountItsTimeAndItsAudience) {
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    const auto token = issue("robot");
    EXPECT_EQ(check(token), "system:serviceaccount:default:robot");
    const auto identity = authenticator.check_token(token, {});
    ASSERT_TRUE(identity);
    EXPECT_EQ(
        identity->caller.groups,
        (std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"}));
    EXPECT_EQ(identity->caller.uid.size(), 36U);
    EXPECT_EQ(check(token, {"vault"}), "the token is for another audience");

    const auto foreign = issue("robot", "{'audiences':['vault']}");
    EXPECT_EQ(check(foreign), "the token is for another audience");
    EXPECT_EQ(check(foreign, {"vault", "other"}), "system:serviceaccount:default:robot");

    const auto brief = issue("robot", "{'expirationSeconds':600}");
    world.loop.advance(599s);
    EXPECT_EQ(check(brief), "system:serviceaccount:default:robot");
    world.loop.advance(1s);
    EXPECT_EQ(check(brief), "the token has expired") << "though its signature was found good before";
    EXPECT_EQ(check(token), "system:serviceaccount:default:robot") << "an hour unless asked otherwise";
    world.loop.advance(3000s);
    EXPECT_EQ(check(token), "the token has expired");
}

TEST_F(Credentials, ATokenGoesWithItsAccount) {
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    const auto token = issue("robot");
    EXPECT_EQ(check(token), "system:serviceaccount:default:robot");
    remove("serviceaccounts", "robot");
    EXPECT_EQ(check(token), "the token is of a service account that is gone");
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    EXPECT_EQ(check(token), "the token is of a service account that is gone") << "another of the same name";
    EXPECT_EQ(check(issue("robot")), "system:serviceaccount:default:robot");
}

TEST_F(Credentials, ATokenGoesWithTheSecretItIsBoundTo) {
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    make("secrets", "{'metadata':{'name':'key'}}");
    const auto token = issue("robot", "{'boundObjectRef':{'kind':'Secret','apiVersion':'v1','name':'key'}}");
    EXPECT_EQ(check(token), "system:serviceaccount:default:robot");
    remove("secrets", "key");
    EXPECT_EQ(check(token), "the token is bound to a Secret that is gone");
}

TEST_F(Credentials, WhatARequestForATokenMayAsk) {
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    const struct {
        const char *spec, *answer;
    } cases[] = {
        {"{'expirationSeconds':599}",
         "422 TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not "
         "specify a duration less than 10 minutes"},
        {"{'expirationSeconds':4294967297}",
         "422 TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967297: "
         "may not specify a duration larger than 2^32 seconds"},
        {"{'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p'}}",
         "400 cannot bind token to object of type v1, Kind=Pod"},
        {"{'boundObjectRef':{'kind':'Secret','apiVersion':'v1','name':'nope'}}", "404 secrets \"nope\" not found"},
    };
    for (const auto& c : cases) EXPECT_EQ(issue("robot", c.spec), c.answer);
    EXPECT_EQ(issue("nobody"), "404 serviceaccounts \"nobody\" not found");
}

TEST_F(Credentials, WhoSendsARequest) {
    net::ServerRequest nobody, known, refused, expired;
    known.peer = net::PeerCertificate{"alice", {"dev"}};
    refused.peer_refused = true;
    expired.peer = net::PeerCertificate{"alice", {}, world.loop.clock().wall()};
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    const auto token = issue("robot");
    EXPECT_EQ(who(nobody), "401");
    EXPECT_EQ(who(nobody, "/healthz"), "system:anonymous");
    EXPECT_EQ(who(nobody, "/readyz/startup"), "system:anonymous");
    EXPECT_EQ(who(nobody, "/version"), "system:anonymous");
    EXPECT_EQ(who(nobody, "/versions"), "401");
    EXPECT_EQ(who(known), "alice");
    EXPECT_EQ(who(refused, "/healthz"), "401") << "a certificate that is no good is worse than none";
    EXPECT_EQ(who(expired), "401") << "it was good when the connection began";
    EXPECT_EQ(who(bearing("Bearer written")), "carol");
    EXPECT_EQ(who(bearing("bearer  written ")), "carol");
    EXPECT_EQ(who(bearing("Bearer " + token)), "system:serviceaccount:default:robot");
    EXPECT_EQ(who(bearing("Bearer " + token + "x")), "401");
    EXPECT_EQ(who(bearing("Bearer wrong"), "/healthz"), "401");
    EXPECT_EQ(who(bearing("Bearer ")), "401");
    EXPECT_EQ(who(bearing("Basic YTpi")), "401");
    auto twice = bearing("Bearer written");
    twice.headers.emplace("authorization", "Bearer " + token);
    EXPECT_EQ(who(twice), "401") << "which of them?";
    auto both = bearing("Bearer written");
    both.peer = known.peer;
    EXPECT_EQ(who(both), "alice") << "as Kubernetes: the certificate goes first";
}

}  // namespace
