#include "net/tls.hpp"

#include "support/service.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace ocim::net {
namespace {

using namespace std::chrono_literals;
using test::run_program;
using test::TempDir;
using test::write_file;

WallTime now() { return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()); }

std::string openssl_text(const std::string& pem) {
    return run_program({"openssl", "x509", "-noout", "-text", "-certopt", "no_sigdump,no_pubkey"}, pem).output;
}

class Tls : public ::testing::Test {
protected:
    void SetUp() override {
        auto ca = make_ca("ocim test CA", now());
        ASSERT_TRUE(ca) << ca.error().message;
        ca_ = *std::move(ca);
        write_file(directory_.file("ca.pem"), ca_.certificate);
    }
    KeyPair issue(const CertificateRequest& request) {
        auto pair = issue_certificate(ca_, request, now());
        EXPECT_TRUE(pair) << pair.error().message;
        return pair ? *std::move(pair) : KeyPair();
    }
    std::string verify(const std::string& pem, std::vector<std::string> how) {
        write_file(directory_.file("leaf.pem"), pem);
        std::vector<std::string> command{"openssl", "verify", "-x509_strict", "-CAfile", directory_.file("ca.pem")};
        command.insert(command.end(), how.begin(), how.end());
        command.push_back(directory_.file("leaf.pem"));
        return run_program(command).output;
    }

    TempDir directory_;
    KeyPair ca_;
};

TEST_F(Tls, OpensslAcceptsAServersCertificateForItsNamesOnly) {
    const auto pair = issue({.common_name = "ocim",
                             .dns_names = {"localhost", "ocim.ocim-system.svc"},
                             .ip_addresses = {"127.0.0.1", "::1"},
                             .server = true});
    EXPECT_NE(verify(pair.certificate, {"-purpose", "sslserver"}).find("OK"), std::string::npos);
    EXPECT_NE(verify(pair.certificate, {"-verify_hostname", "ocim.ocim-system.svc"}).find("OK"), std::string::npos);
    EXPECT_NE(verify(pair.certificate, {"-verify_ip", "::1"}).find("OK"), std::string::npos);
    EXPECT_EQ(verify(pair.certificate, {"-verify_hostname", "example.com"}).find("OK"), std::string::npos);
    EXPECT_EQ(verify(pair.certificate, {"-purpose", "sslclient"}).find("leaf.pem: OK"), std::string::npos)
        << "a server's certificate is nobody's identity as a client";
    const auto text = openssl_text(pair.certificate);
    for (const char* part :
         {"CA:FALSE", "Digital Signature", "TLS Web Server Authentication", "ecdsa-with-SHA256",
          "DNS:localhost, DNS:ocim.ocim-system.svc, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
          "Subject Key Identifier", "Authority Key Identifier"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST_F(Tls, OpensslAcceptsAClientsCertificateWithItsGroups) {
    const auto pair = issue({.common_name = "admin", .organizations = {"system:masters", "ops"}});
    EXPECT_NE(verify(pair.certificate, {"-purpose", "sslclient"}).find("OK"), std::string::npos);
    EXPECT_EQ(verify(pair.certificate, {"-purpose", "sslserver"}).find("leaf.pem: OK"), std::string::npos);
    const auto text = openssl_text(pair.certificate);
    EXPECT_NE(text.find("Subject: O = system:masters, O = ops, CN = admin"), std::string::npos) << text;
}

TEST_F(Tls, ACaIsACaAndNoMore) {
    const auto text = openssl_text(ca_.certificate);
    for (const char* part : {"CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Subject: CN = ocim test CA"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    const auto expiry = certificate_expiry(ca_.certificate);
    ASSERT_TRUE(expiry);
    EXPECT_NEAR(static_cast<double>((*expiry - now()) / 24h), 3652, 1);
}

TEST_F(Tls, EverySerialIsItsOwn) {
    const auto serial = [](const std::string& pem) {
        return run_program({"openssl", "x509", "-noout", "-serial"}, pem).output;
    };
    const auto one = serial(issue({.common_name = "a"}).certificate);
    EXPECT_NE(one, serial(issue({.common_name = "a"}).certificate));
    EXPECT_GT(one.size(), std::string("serial=").size() + 30);
}

TEST_F(Tls, NothingOutlivesItsCa) {
    const auto late = issue_certificate(ca_, {.common_name = "late", .valid_for = 24h * 365 * 20}, now());
    ASSERT_TRUE(late);
    EXPECT_LE(*certificate_expiry(late->certificate), *certificate_expiry(ca_.certificate));
    const auto expired = issue_certificate(ca_, {.common_name = "x"}, now() + 24h * 365 * 11);
    ASSERT_FALSE(expired);
    EXPECT_EQ(expired.error(), (Error{ErrorClass::invalid, "CA: expired"}));
}

TEST_F(Tls, RefusesWhatDoesNotFitACertificate) {
    const auto other = make_ca("other", now());
    struct {
        const char* reason;
        KeyPair ca;
        CertificateRequest request;
    } const cases[] = {
        {"no name", ca_, {}},
        {"too long a name", ca_, {.common_name = std::string(65, 'x')}},
        {"a NUL in the name", ca_, {.common_name = std::string("admin\0x", 7)}},
        {"a newline in a group", ca_, {.common_name = "a", .organizations = {"a\nb"}}},
        {"a server without a name", ca_, {.common_name = "a", .server = true}},
        {"not a DNS name", ca_, {.common_name = "a", .dns_names = {"a b"}, .server = true}},
        {"an empty DNS name", ca_, {.common_name = "a", .dns_names = {""}, .server = true}},
        {"not an address", ca_, {.common_name = "a", .ip_addresses = {"localhost"}, .server = true}},
        {"no CA", {}, {.common_name = "a"}},
        {"another CA's key", {ca_.certificate, other->private_key}, {.common_name = "a"}},
    };
    for (const auto& c : cases) {
        const auto made = issue_certificate(c.ca, c.request, now());
        ASSERT_FALSE(made) << c.reason;
        EXPECT_EQ(made.error().error_class, ErrorClass::invalid) << c.reason;
    }
    EXPECT_EQ(certificate_expiry("nonsense").error().error_class, ErrorClass::invalid);
}

TEST_F(Tls, OpensshReadsTheSshKey) {
    const auto pair = make_ssh_key();
    ASSERT_TRUE(pair) << pair.error().message;
    write_file(directory_.file("key"), pair->private_key.reveal());
    ::chmod(directory_.file("key").c_str(), 0600);
    const auto shown = run_program({"ssh-keygen", "-y", "-f", directory_.file("key")});
    EXPECT_EQ(shown.exit_code, 0) << shown.output;
    EXPECT_EQ(shown.output.substr(0, pair->public_key.size()), pair->public_key);
    EXPECT_NE(make_ssh_key()->public_key, pair->public_key);
}

}  // namespace
}  // namespace ocim::net
