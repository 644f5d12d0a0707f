#include "apiserver/access_limits.hpp"
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

TEST(TokenKeys, TheFirstSignsAndTheOldOnesCheck) {
    auto keys = *TokenKeys::make();
    const auto before = *keys.first().sign(json_of("{'sub':'before'}"));
    const auto old = keys.first().id();
    ASSERT_TRUE(keys.note(old, WallTime(100s)));
    ASSERT_TRUE(keys.renew());
    const auto after = *keys.first().sign(json_of("{'sub':'after'}"));
    EXPECT_NE(keys.first().id(), old);
    EXPECT_EQ(keys.public_jwks().size(), 2U);
    EXPECT_TRUE(keys.verify(before));
    EXPECT_TRUE(keys.verify(after));

    auto read = TokenKeys::parse(keys.to_text().reveal());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(read->same_as(keys));
    EXPECT_EQ(read->to_text(), keys.to_text());
    EXPECT_EQ(read->forget_ended(WallTime(99s)), 0U) << "one of its tokens may be good still";
    EXPECT_TRUE(read->verify(before));
    EXPECT_EQ(read->forget_ended(WallTime(100s)), 1U);
    EXPECT_FALSE(read->verify(before));
    EXPECT_TRUE(read->verify(after));
    EXPECT_EQ(read->forget_ended(WallTime(1000000s)), 0U) << "the first stays whatever it signed";

    EXPECT_EQ(keys.forget_old(), 1U);
    EXPECT_FALSE(keys.verify(before)) << "though its time has not come";
    EXPECT_TRUE(keys.verify(after));
}

TEST(TokenKeys, ATimeThatNobodyKnowsNeverComes) {
    auto keys = *TokenKeys::parse(TokenKey::make_pem()->reveal());
    EXPECT_TRUE(keys.lasts_until(WallTime::max())) << "nothing to write down";
    ASSERT_TRUE(keys.note(keys.first().id(), WallTime(5s)));
    ASSERT_TRUE(keys.renew());
    EXPECT_EQ(keys.forget_ended(WallTime::max()), 0U);
    EXPECT_EQ(keys.forget_old(), 1U);
}

TEST(TokenKeys, AreBounded) {
    auto keys = *TokenKeys::make();
    while (keys.size() < limits::token_keys_max) ASSERT_TRUE(keys.renew());
    EXPECT_FALSE(keys.renew());
    const auto one = keys.to_text().reveal();
    EXPECT_TRUE(TokenKeys::parse(one));
    EXPECT_FALSE(TokenKeys::parse(one + TokenKey::make_pem()->reveal()));
}

TEST(TokenKeys, RefuseAFileThatIsNone) {
    const auto good = TokenKeys::make()->to_text().reveal();
    const struct {
        const char* reason;
        std::string text;
    } cases[] = {
        {"empty", ""},
        {"a time and no key", "tokens-until: 2026-01-01T00:00:00Z\n"},
        {"a time that is none", "tokens-until: tomorrow\n" + good},
        {"the same key twice", good + good},
        {"half a key", good.substr(0, good.size() / 2)},
        {"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    };
    for (const auto& c : cases) {
        const auto read = TokenKeys::parse(c.text);
        ASSERT_FALSE(read) << c.reason;
        EXPECT_EQ(read.error().message.find("BEGIN"), std::string::npos) << "never with its content";
    }
}

TEST(Revoked, CoversWhatWasGivenUntilThen) {
    Revoked revoked;
    EXPECT_FALSE(revoked.covers({"ann", {}}));
    revoked.add("ann", WallTime(100s));
    const auto read = Revoked::parse(revoked.to_text());
    ASSERT_TRUE(read) << read.error().message;
    const auto covers = [&](const char* name, WallTime begins) {
        return read->covers({name, {}, WallTime::max(), begins});
    };
    EXPECT_TRUE(covers("ann", WallTime(99s)));
    EXPECT_TRUE(covers("ann", WallTime(100s)));
    EXPECT_FALSE(covers("ann", WallTime(101s))) << "a new one is good";
    EXPECT_FALSE(covers("bob", WallTime(99s)));
    EXPECT_TRUE(read->covers({"ann", {}})) << "nobody knows since when it is good";
    auto earlier = *read;
    earlier.add("ann", WallTime(50s));
    EXPECT_EQ(earlier.of("ann"), WallTime(100s)) << "a clock that was set back gives nothing back";
    for (const auto* text : {"", "[]", "{", "{\"ann\":1}", "{\"ann\":\"yesterday\"}",
                             R"({"ann":"2026-01-01T00:00:00Z","ann":"1990-01-01T00:00:00Z"})"})
        EXPECT_FALSE(Revoked::parse(text)) << text;
}

TEST(Attempted, NamesTheWayAndNothingElse) {
    const auto with = [](const std::string& authorization) {
        net::ServerRequest out;
        if (!authorization.empty()) out.headers.emplace("authorization", authorization);
        return std::string(attempted(out));
    };
    EXPECT_EQ(with(""), "none");
    EXPECT_EQ(with("Bearer s3cr3t"), "bearer");
    EXPECT_EQ(with("bearer s3cr3t"), "bearer");
    EXPECT_EQ(with("Basic YTpi"), "basic");
    EXPECT_EQ(with("s3cr3t"), "other") << "what is in the wrong place may be a secret";
    net::ServerRequest refused;
    refused.peer_refused = true;
    EXPECT_EQ(attempted(refused), "x509");
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

    /// What was written down, and whether that fails.
    std::vector<std::pair<std::string, WallTime>> kept;
    bool full = false;
    test::World world;
    ServiceAccountTokens tokens{world.registry(),
                                world.loop.clock(),
                                *world.random,
                                *TokenKeys::make(),
                                {.keep = [this](const auto& key, WallTime until) -> Result<void> {
                                    if (full) return Error{ErrorClass::transient, "the disk is full"};
                                    kept.emplace_back(key, until);
                                    return {};
                                }}};
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

TEST_F(Credentials, ATokenOutlivesARotationAndNotAnEndToOldKeys) {
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    const auto token = issue("robot");
    EXPECT_EQ(check(token), "system:serviceaccount:default:robot");
    auto renewed = *TokenKeys::parse(tokens.keys().to_text().reveal());
    ASSERT_TRUE(renewed.renew());
    const auto text = renewed.to_text();
    tokens.use(std::move(renewed));
    EXPECT_EQ(check(token), "system:serviceaccount:default:robot");
    const auto newer = issue("robot");
    EXPECT_EQ(check(newer), "system:serviceaccount:default:robot");
    auto alone = *TokenKeys::parse(text.reveal());
    alone.forget_old();
    tokens.use(std::move(alone));
    EXPECT_EQ(check(token), "the token is not signed with our key") << "though it was found good before";
    EXPECT_EQ(check(newer), "system:serviceaccount:default:robot");
}

TEST_F(Credentials, HowLongAKeyIsNeededIsWrittenDownBeforeATokenIsGiven) {
    make("serviceaccounts", "{'metadata':{'name':'robot'}}");
    full = true;
    EXPECT_EQ(issue("robot"), "503 the key that signs tokens: the disk is full");
    full = false;
    EXPECT_EQ(check(issue("robot")), "system:serviceaccount:default:robot");
    ASSERT_EQ(kept.size(), 1U);
    EXPECT_EQ(kept[0].first, tokens.keys().first().id());
    EXPECT_GE(kept[0].second, world.loop.clock().wall() + 1h);
    EXPECT_LE(kept[0].second, world.loop.clock().wall() + 25h);
    for (int i = 0; i < 20; ++i) issue("robot", "{'expirationSeconds':600}");
    EXPECT_EQ(kept.size(), 1U) << "shorter ones are covered";
    issue("robot", "{'expirationSeconds':864000}");
    ASSERT_EQ(kept.size(), 2U);
    EXPECT_GE(kept[1].second, world.loop.clock().wall() + 240h);
}

TEST_F(Credentials, ACertificateThatWasTakenBackIsNoGood) {
    net::ServerRequest ann;
    ann.peer = net::PeerCertificate{"ann", {"ops"}, WallTime::max(), world.loop.clock().wall()};
    EXPECT_EQ(who(ann), "ann");
    Revoked revoked;
    revoked.add("ann", world.loop.clock().wall());
    authenticator.use(revoked);
    EXPECT_EQ(who(ann), "401");
    EXPECT_EQ(who(ann, "/healthz"), "401");
    ann.peer->not_before = world.loop.clock().wall() + 1s;
    EXPECT_EQ(who(ann), "ann") << "one that was made later";
    ann.peer->common_name = "bob";
    EXPECT_EQ(who(ann), "bob");
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
