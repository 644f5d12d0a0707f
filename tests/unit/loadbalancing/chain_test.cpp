#include "loadbalancing/certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <map>
#include <memory>

namespace ocim::loadbalancing {
namespace {

const WallTime today = *parse_rfc3339("2026-11-23T10:00:00Z");
constexpr std::int64_t year = std::int64_t{365} * 24 * 3600;

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

Key make_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

std::string written(const auto& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    EXPECT_EQ(write(bio.get()), 1);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

struct Issuer {
    std::string name;
    Key key;
};

/// What `by` says of `whom`, from a year before `until` on.
std::string issue(const Issuer& by, const Issuer& whom, bool is_ca, WallTime until = today + std::chrono::hours(24)) {
    const Certificate out(X509_new(), X509_free);
    static long serial = 0;
    const auto name = [](X509_NAME* to, const std::string& text) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
        X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8, bytes, static_cast<int>(text.size()), -1, 0);
    };
    X509_set_version(out.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial);
    const auto ends = std::chrono::duration_cast<std::chrono::seconds>(until.time_since_epoch()).count();
    ASN1_TIME_set(X509_getm_notBefore(out.get()), ends - year);
    ASN1_TIME_set(X509_getm_notAfter(out.get()), ends);
    name(X509_get_issuer_name(out.get()), by.name);
    name(X509_get_subject_name(out.get()), whom.name);
    X509_set_pubkey(out.get(), whom.key.get());
    X509V3_CTX context;
    X509V3_set_ctx(&context, nullptr, out.get(), nullptr, nullptr, 0);
    const auto extend = [&](int what, const std::string& value) {
        const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
            X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()), X509_EXTENSION_free);
        EXPECT_EQ(X509_add_ext(out.get(), extension.get(), -1), 1);
    };
    extend(NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!is_ca) extend(NID_subject_alt_name, "DNS:" + whom.name);
    EXPECT_GT(X509_sign(out.get(), by.key.get(), EVP_sha256()), 0);
    return written([&](BIO* to) { return PEM_write_bio_X509(to, out.get()); });
}

/// Whatever order a bundle is in, visitors get the way from the certificate to those that vouch for it.
TEST(Chain, IsTheWayFromTheCertificateToThoseThatVouchForIt) {
    const Issuer site{"site1.example.org", make_key()}, between{"between", make_key()}, root{"root", make_key()},
        old{"old root", make_key()}, stranger{"between", make_key()};
    const auto yesterday = today - std::chrono::hours(24);
    const std::map<std::string, std::string> made{
        {"leaf", issue(between, site, false)},  {"between", issue(root, between, true)},
        {"root", issue(root, root, true)},      {"ended", issue(old, between, true, yesterday)},
        {"old", issue(old, old, true)},         {"stranger", issue(root, stranger, true)},
        {"no CA", issue(root, between, false)}, {"alone", issue(site, site, false)}};
    using Names = std::vector<std::string>;
    const auto bundle = [&](const Names& names) {
        std::string out;
        for (const auto& name : names) out += made.at(name);
        return out;
    };
    const Secret key(written(
        [&](BIO* to) { return PEM_write_bio_PrivateKey(to, site.key.get(), nullptr, nullptr, 0, nullptr, nullptr); }));
    const struct {
        const char* reason;
        Names given;
        Names served;  ///< none: it is refused
    } rows[] = {
        {"by itself", {"leaf"}, {"leaf"}},
        {"in order", {"leaf", "between", "root"}, {"leaf", "between", "root"}},
        {"in another order", {"leaf", "root", "between"}, {"leaf", "between", "root"}},
        {"the certificate twice", {"leaf", "leaf", "between"}, {"leaf", "between"}},
        {"only that, twice", {"leaf", "leaf"}, {"leaf"}},
        {"another one twice", {"leaf", "between", "between", "root", "root"}, {"leaf", "between", "root"}},
        {"a root too many", {"leaf", "between", "root", "old"}, {"leaf", "between", "root"}},
        {"a root that is not theirs", {"leaf", "between", "old"}, {"leaf", "between"}},
        {"one that has ended first", {"leaf", "ended", "old", "between", "root"}, {"leaf", "between", "root"}},
        {"one that has ended last", {"leaf", "between", "ended", "root", "old"}, {"leaf", "between", "root"}},
        {"none but one that has ended", {"leaf", "ended"}, {"leaf", "ended"}},
        {"one of the same name among them", {"leaf", "stranger", "between"}, {"leaf", "between"}},
        {"it signed itself", {"alone", "root"}, {"alone"}},
        {"nobody who vouches for it", {"leaf", "root"}, {}},
        {"only one of the same name", {"leaf", "stranger"}, {}},
        {"only one who may not", {"leaf", "no CA", "root"}, {}},
    };
    for (const auto& row : rows) {
        const auto judged = judge_certificate(Secret(bundle(row.given)), key, {site.name}, today);
        EXPECT_EQ(judged.reason, row.served.empty() ? "ChainBroken" : "") << row.reason << ": " << judged.message;
        EXPECT_EQ(judged.pem.reveal(), row.served.empty() ? "" : bundle(row.served) + key.reveal()) << row.reason;
    }
}

}  // namespace
}  // namespace ocim::loadbalancing
