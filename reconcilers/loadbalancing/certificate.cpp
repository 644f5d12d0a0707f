#include "loadbalancing/certificate.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <memory>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr std::string_view note_prefix = "# certificate ";
constexpr std::size_t chain_max = 10;
constexpr std::size_t pem_bytes_max = 100'000;
constexpr std::chrono::hours warning_time(24 * 14);

template <class T, void (*Free)(T*)>
struct Freed {
    void operator()(T* object) const { Free(object); }
};
using OwnedKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using OwnedCertificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
using OwnedBio = std::unique_ptr<BIO, Freed<BIO, BIO_free_all>>;

std::string hex(const unsigned char* bytes, std::size_t count) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += digits[bytes[i] >> 4U];
        out += digits[bytes[i] & 15U];
    }
    return out;
}

OwnedBio reader(const Secret& text) {
    const auto& bytes = text.reveal();
    return OwnedBio(BIO_new_mem_buf(bytes.data(), static_cast<int>(std::min(bytes.size(), pem_bytes_max))));
}

/// No terminal is ever asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

std::vector<OwnedCertificate> read_chain(const Secret& text) {
    std::vector<OwnedCertificate> out;
    const auto bio = reader(text);
    while (bio && out.size() <= chain_max) {
        OwnedCertificate next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
        if (!next) break;
        out.push_back(std::move(next));
    }
    ERR_clear_error();
    return out;
}

/// Whether a certificate begins or ends in `text` that is none of the `count` that were read.
bool has_more_than(std::size_t count, std::string_view text) {
    constexpr std::string_view border = "CERTIFICATE-----";
    std::size_t borders = 0;
    for (auto at = text.find(border); at != std::string_view::npos; at = text.find(border, at + border.size()))
        ++borders;
    return borders != 2 * count;
}

/// Whether `issuer` signed `certificate`, and may.
bool vouches(X509* issuer, X509* certificate) {
    const bool out = X509_check_issued(issuer, certificate) == X509_V_OK && X509_check_ca(issuer) != 0 &&
                     X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return out;
}

OwnedKey read_key(const Secret& text) {
    const auto bio = reader(text);
    OwnedKey out(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
    ERR_clear_error();
    return out;
}

std::optional<WallTime> time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    return WallTime(std::chrono::seconds(::timegm(&parts)));
}

std::string print_of(const X509* certificate, const EVP_MD* digest) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    if (X509_digest(certificate, digest, bytes.data(), &size) != 1) return {};
    return hex(bytes.data(), size);
}

Secret whole(const std::vector<X509*>& chain, EVP_PKEY* key) {
    const OwnedBio bio(BIO_new(BIO_s_secmem()));
    bool good = bio != nullptr;
    for (auto* one : chain) good = good && PEM_write_bio_X509(bio.get(), one) == 1;
    good = good && PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
    char* data = nullptr;
    const auto size = good ? BIO_get_mem_data(bio.get(), &data) : 0;
    ERR_clear_error();
    return Secret(std::string(data ? data : "", static_cast<std::size_t>(size)));
}

std::string not_covered(X509* certificate, const std::vector<std::string>& domains) {
    std::string out;
    for (const auto& domain : domains) {
        constexpr unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
        if (X509_check_host(certificate, domain.data(), domain.size(), flags, nullptr) == 1) continue;
        out += (out.empty() ? "" : ", ") + domain;
    }
    return out;
}

JudgedCertificate refused(std::string reason, std::string message) {
    return {std::nullopt, {}, std::move(reason), std::move(message)};
}

std::string seconds(WallTime time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

std::string joined(const std::optional<std::vector<std::string>>& names) {
    std::string out;
    if (names)
        for (const auto& name : *names) out += (out.empty() ? ' ' : ',') + name;
    return out;
}

/// What comes before the next `border`, or the end; both are taken off `text`.
std::string_view take(std::string_view& text, char border) {
    const auto end = std::min(text.find(border), text.size());
    const auto out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return out;
}

bool good_at(WallTime now, const X509* certificate) {
    const auto from = time_of(X509_get0_notBefore(certificate)), until = time_of(X509_get0_notAfter(certificate));
    return from && until && *from <= now && now < *until;
}

/// From the first certificate to those that vouch for it, whatever the order of the others, and nothing else. Of two
/// that vouch for the same one it is that which is good today.
std::vector<X509*> path_of(const std::vector<OwnedCertificate>& certificates, WallTime now) {
    std::vector<X509*> out{certificates.front().get()};
    for (;;) {
        X509* next = nullptr;
        for (const auto& one : certificates) {
            const bool there = std::ranges::any_of(out, [&](X509* had) { return X509_cmp(had, one.get()) == 0; });
            if (there || (next && (good_at(now, next) || !good_at(now, one.get())))) continue;
            if (vouches(one.get(), out.back())) next = one.get();
        }
        if (!next) return out;
        out.push_back(next);
    }
}

/// What keeps the chain from being understood.
std::optional<JudgedCertificate> wrong_with_text(const std::vector<OwnedCertificate>& certificates,
                                                 const Secret& chain) {
    if (certificates.size() > chain_max)
        return refused("ChainTooLong", "the chain has more than " + std::to_string(chain_max) + " certificates");
    if (has_more_than(certificates.size(), chain.reveal()))
        return refused("ChainUnreadable",
                       "certificate " + std::to_string(certificates.size() + 1) + " of the chain cannot be read");
    return std::nullopt;
}

/// Visitors who do not know the one that signed the certificate are lost when nothing leads there.
bool leads_nowhere(const std::vector<OwnedCertificate>& certificates, const std::vector<X509*>& path) {
    auto* leaf = path.front();
    const bool others =
        std::ranges::any_of(certificates, [&](const auto& one) { return X509_cmp(leaf, one.get()) != 0; });
    const bool out = others && path.size() == 1 && X509_self_signed(leaf, 1) != 1;
    ERR_clear_error();
    return out;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr) != 1) return {};
    return hex(out.data(), size);
}

std::string CertificateNote::line() const {
    return std::string(note_prefix) + fingerprint + " " + short_print + " " + file + " " + seconds(not_before) + " " +
           seconds(not_after) + joined(names);
}

std::optional<CertificateNote> CertificateNote::parse(std::string_view line) {
    if (!line.starts_with(note_prefix) || line.find('\n') != std::string_view::npos) return std::nullopt;
    line.remove_prefix(note_prefix.size());
    std::array<std::string, 5> words;
    for (auto& word : words) {
        word = take(line, ' ');
        if (word.empty()) return std::nullopt;
    }
    const auto time = [](const std::string& digits) -> std::optional<WallTime> {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        constexpr std::int64_t far = 253'402'300'799;  // the end of 9999, as far as a certificate can tell
        if (error != std::errc() || end != digits.data() + digits.size() || value > far || value < -far)
            return std::nullopt;
        return WallTime(std::chrono::seconds(value));
    };
    const auto from = time(words[3]), until = time(words[4]);
    if (!from || !until) return std::nullopt;
    CertificateNote out{words[0], words[1], words[2], *from, *until};
    if (line.empty()) return out;
    auto& names = out.names.emplace();
    for (auto rest = take(line, ' '); !rest.empty();) {
        names.emplace_back(take(rest, ','));
        if (names.back().empty()) return std::nullopt;
    }
    if (!line.empty() || names.empty()) return std::nullopt;
    std::ranges::sort(names);
    return out;
}

WallTime CertificateNote::warn_at() const {
    const auto third = (not_after - not_before) / 3;
    return not_after - std::min<WallTime::duration>(warning_time, third);
}

JudgedCertificate judge_certificate(const Secret& chain, const Secret& key, const std::vector<std::string>& domains,
                                    WallTime now) {
    if (chain.reveal().size() > pem_bytes_max || key.reveal().size() > pem_bytes_max)
        return refused("Unreadable",
                       "the certificate or its key is longer than " + std::to_string(pem_bytes_max) + " bytes");
    const auto certificates = read_chain(chain);
    if (certificates.empty()) return refused("Unreadable", "there is no certificate in PEM");
    if (auto wrong = wrong_with_text(certificates, chain)) return *std::move(wrong);
    const auto path = path_of(certificates, now);
    if (leads_nowhere(certificates, path))
        return refused("ChainBroken", "none of the other certificates of the chain signed the first one");
    auto* leaf = path.front();
    const auto private_key = read_key(key);
    if (!private_key) return refused("Unreadable", "there is no private key in PEM, or it has a passphrase");
    if (X509_check_private_key(leaf, private_key.get()) != 1) {
        ERR_clear_error();
        return refused("KeyMismatch", "the private key is not that of the first certificate");
    }
    if (const auto missing = not_covered(leaf, domains); !missing.empty())
        return refused("NamesNotCovered", "the certificate does not cover " + missing);
    const auto from = time_of(X509_get0_notBefore(leaf)), until = time_of(X509_get0_notAfter(leaf));
    if (!from || !until) return refused("Unreadable", "the certificate does not say when it is good");
    if (now < *from) return refused("NotYetValid", "the certificate is good from " + rfc3339(*from) + " only");
    if (now >= *until) return refused("Expired", "the certificate ended at " + rfc3339(*until));
    JudgedCertificate out;
    out.pem = whole(path, private_key.get());
    if (out.pem.empty()) return refused("Unreadable", "the certificate or its key cannot be written in PEM");
    out.note = CertificateNote{
        print_of(leaf, EVP_sha256()), print_of(leaf, EVP_sha1()), sha256_hex(out.pem.reveal()), *from, *until, domains};
    return out;
}

}  // namespace ocim::loadbalancing
