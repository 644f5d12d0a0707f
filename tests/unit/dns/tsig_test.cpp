#include "dns/tsig.hpp"

#include "dns/message.hpp"
#include "support/tsig_peer.hpp"

#include <gtest/gtest.h>

namespace ocim::dns {
namespace {

const WallTime now{std::chrono::seconds(1'800'000'000)};

TsigKey key(const std::string& name = "ocim", const std::string& secret = "c2VjcmV0") {
    auto made = make_tsig_key(name, "hmac-sha256", Secret(secret));
    EXPECT_TRUE(made);
    return *std::move(made);
}

/// The server with that key, as it answers at that time.
struct Peer : ocim::test::TsigPeer {
    using TsigPeer::TsigPeer;
    std::string answer(unsigned id, bool with_signature, std::chrono::seconds skew = {}, unsigned error = 0) {
        auto message = question(id, 0, "example.org", type_soa);
        message[2] = static_cast<char>(message[2] | '\x80');
        return TsigPeer::answer(std::move(message), with_signature,
                                std::chrono::time_point_cast<std::chrono::seconds>(now + skew), error);
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
    Peer peer{Peer::signature_of(session.sign(question(7, 0, "example.org", type_soa), now))};
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
        auto answer = Peer{peer.prior()}.answer(7, true, {}, error);
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
