#include "dns/tsig.hpp"

#include "dns/message.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <gtest/gtest.h>

namespace ocim::dns {
namespace {

const WallTime now{std::chrono::seconds(1'800'000'000)};

TsigKey key(const std::string& name = "ocim", const std::string& secret = "c2VjcmV0") {
    auto made = make_tsig_key(name, "hmac-sha256", Secret(secret));
    EXPECT_TRUE(made);
    return *std::move(made);
}

std::string hmac(const std::string& text) {
    unsigned char out[32];
    unsigned length = 0;
    HMAC(EVP_sha256(), "secret", 6, reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &length);
    return {reinterpret_cast<const char*>(out), length};
}

/// The last 32 bytes before the TSIG record's trailer: the signature.
std::string signature_of(const std::string& message) { return message.substr(message.size() - 6 - 32, 32); }

/// A server with the same key, by the letter of RFC 8945, 4.3.
struct Peer {
    std::string prior;
    std::string pending{};
    bool first = true;

    std::string answer(unsigned id, bool with_signature, std::chrono::seconds skew = {}, unsigned error = 0) {
        auto message = question(id, 0, "example.org", type_soa);
        message[2] = static_cast<char>(message[2] | '\x80');
        if (!with_signature) {
            pending += message;
            return message;
        }
        const auto time = static_cast<std::uint64_t>((now + skew).time_since_epoch() / std::chrono::seconds(1));
        const auto when =
            be16(0) + be16(static_cast<unsigned>(time >> 16)) + be16(static_cast<unsigned>(time & 0xffff)) + be16(300);
        auto covered = be16(static_cast<unsigned>(prior.size())) + prior + pending + message;
        const auto name = wire_name("ocim"), algorithm = wire_name("hmac-sha256");
        covered += first ? name + be16(255) + be16(0) + be16(0) + algorithm + when + be16(error) + be16(0) : when;
        prior = hmac(covered);
        pending.clear();
        first = false;
        const auto rdata = algorithm + when + be16(32) + prior + be16(id) + be16(error) + be16(0);
        message += name + be16(250) + be16(255) + be16(0) + be16(0) + be16(static_cast<unsigned>(rdata.size())) + rdata;
        set_count(message, 3, 1);
        return message;
    }
};

class Tsig : public testing::Test {
protected:
    ErrorClass refused(std::string answer, WallTime at = now) {
        const auto checked = session.check(answer, at);
        EXPECT_FALSE(checked);
        return checked ? ErrorClass::transient : checked.error().error_class;
    }
    TsigSession session{key()};
    Peer peer{signature_of(session.sign(question(7, 0, "example.org", type_soa), now))};
};

TEST_F(Tsig, AnAnswerIsTakenWithItsSignatureAndWithoutIt) {
    auto answer = peer.answer(7, true);
    ASSERT_TRUE(session.check(answer, now));
    EXPECT_TRUE(session.all_signed());
    EXPECT_EQ(count_of(answer, 3), 0U) << "the signature is taken off";
    EXPECT_TRUE(layout_of(answer));
}

TEST_F(Tsig, AnswersOfSeveralMessagesAreOneChain) {
    std::vector<std::string> messages{peer.answer(7, true), peer.answer(7, false), peer.answer(7, false),
                                      peer.answer(7, true), peer.answer(7, false)};
    for (std::size_t i = 0; i < messages.size(); ++i) {
        ASSERT_TRUE(session.check(messages[i], now)) << i;
        EXPECT_EQ(session.all_signed(), i == 0 || i == 3) << "the last must be signed, and covers those before";
    }
}

TEST_F(Tsig, AMessageThatWasSlippedInBreaksTheChain) {
    auto first = peer.answer(7, true), forged = Peer{""}.answer(7, false), last = peer.answer(7, true);
    ASSERT_TRUE(session.check(first, now));
    ASSERT_TRUE(session.check(forged, now));
    EXPECT_EQ(refused(last), ErrorClass::auth);
}

TEST_F(Tsig, WhatIsNotTheServersIsRefused) {
    const auto good = peer.answer(7, true);
    EXPECT_EQ(refused(Peer{""}.answer(7, false)), ErrorClass::auth) << "not signed";
    EXPECT_EQ(refused(Peer{std::string(32, 'x')}.answer(7, true)), ErrorClass::auth)
        << "the answer to another question";
    for (std::size_t at = 2; at < good.size(); ++at) {
        auto bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        if (rcode_of(bad) != 0) continue;  // a refusal needs no signature
        (void)refused(bad);
    }
    auto late = good;
    EXPECT_EQ(refused(late, now + std::chrono::seconds(301)), ErrorClass::auth) << "an old answer, played again";
    auto cut = good;
    cut.resize(cut.size() - 1);
    EXPECT_EQ(refused(cut), ErrorClass::unreachable);
    auto kept = good;
    EXPECT_TRUE(session.check(kept, now)) << "and none of it did any harm";
}

TEST_F(Tsig, WhatTheServerSaysOfOurKeyIsTold) {
    auto checked = [&](unsigned error) {
        auto answer = Peer{peer.prior}.answer(7, true, {}, error);
        const auto result = session.check(answer, now);
        EXPECT_FALSE(result);
        return result ? "" : result.error().message;
    };
    EXPECT_NE(checked(18).find("BADTIME"), std::string::npos);
    EXPECT_NE(checked(17).find("BADKEY"), std::string::npos);
}

TEST(TsigKeys, AreChecked) {
    struct {
        const char* name;
        const char* algorithm;
        const char* secret;
        bool good;
        const char* reason;
    } const rows[] = {
        {"ocim", "hmac-sha256", "c2VjcmV0", true, "the usual"},
        {"Ocim.", "HMAC-SHA512.", "c2VjcmV0\n", true, "as tools print it"},
        {"ocim", "hmac-sha384", "c2VjcmV0", true, "another hash"},
        {"ocim", "hmac-md5", "c2VjcmV0", false, "obsolete"},
        {"ocim", "sha256", "c2VjcmV0", false, "no HMAC"},
        {"ocim", "hmac-sha256", "not base64!", false, "a secret that is none"},
        {"ocim", "hmac-sha256", "", false, "no secret"},
        {"o c", "hmac-sha256", "c2VjcmV0", false, "no name"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(bool(make_tsig_key(row.name, row.algorithm, Secret(row.secret))), row.good) << row.reason;
}

TEST(DnsMessage, IsReadWithinItsBounds) {
    auto message = question(7, opcode_update, "example.org", type_soa);
    const auto record = wire_record({"www.example.org", "TXT"}, class_in, 300, "\"a \\\"b\\\"; (c)\"");
    ASSERT_TRUE(record);
    auto answer = message + *record;
    set_count(answer, 1, 1);
    const auto read = answers_of(answer);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->front().key, (Key{"www.example.org", "TXT"}));
    EXPECT_EQ(read->front().content, "\"a \\\"b\\\"; (c)\"");
    for (std::size_t length = 0; length < answer.size(); ++length)
        EXPECT_FALSE(layout_of(std::string_view(answer).substr(0, length))) << length;
    auto loop = message.substr(0, 12) + "\xc0\x0c" + std::string(4, '\0');
    EXPECT_FALSE(layout_of(loop)) << "a compressed name that points at itself";
    EXPECT_FALSE(wire_record({"www.example.org", "A"}, class_in, 300, "192.0.2.256"));
    EXPECT_FALSE(wire_empty({"www.example.org", "NONSENSE"}, class_any));
}

}  // namespace
}  // namespace ocim::dns
