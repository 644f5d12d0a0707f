#include "dns/tsig.hpp"

#include "dns/message.hpp"
#include "dns/values.hpp"
#include "runtime/base64.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace ocim::dns {

namespace {

constexpr std::uint16_t fudge_seconds = 300;  // RFC 8945, 10: how far clocks may differ
constexpr std::size_t unsigned_max = 99;      // RFC 8945, 5.3.1: at least each hundredth is signed
constexpr unsigned no_error = 0, bad_signature = 16, bad_key = 17, bad_time = 18, bad_truncation = 22;

const EVP_MD* hash_of(std::string_view algorithm) {
    if (algorithm == "hmac-sha1") return EVP_sha1();
    if (algorithm == "hmac-sha224") return EVP_sha224();
    if (algorithm == "hmac-sha256") return EVP_sha256();
    if (algorithm == "hmac-sha384") return EVP_sha384();
    if (algorithm == "hmac-sha512") return EVP_sha512();
    return nullptr;
}

Error refused(const std::string& what) { return Error{ErrorClass::auth, what}; }

std::string time_and_fudge(std::uint64_t time, unsigned fudge) {
    return be16(static_cast<unsigned>(time >> 32)) + be16(static_cast<unsigned>(time >> 16 & 0xffff)) +
           be16(static_cast<unsigned>(time & 0xffff)) + be16(fudge);
}

std::uint64_t seconds(WallTime now) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

/// What a TSIG record says.
struct Signature {
    std::uint64_t time = 0;
    unsigned fudge = 0, original_id = 0, error = 0;
    std::string mac, other;
};

/// Of the record's RDATA. Nothing when it is cut off, or made by another algorithm.
std::optional<Signature> read_signature(std::string_view rdata, const std::string& algorithm) {
    WireReader reader(rdata);
    Signature out;
    if (reader.name() != algorithm) return std::nullopt;
    const auto high = reader.number16(), middle = reader.number16(), low = reader.number16();
    out.time = static_cast<std::uint64_t>(high) << 32 | static_cast<std::uint64_t>(middle) << 16 | low;
    out.fudge = reader.number16();
    out.mac = reader.bytes(reader.number16());
    out.original_id = reader.number16();
    out.error = reader.number16();
    out.other = reader.bytes(reader.number16());
    if (!reader.good() || !reader.at_end()) return std::nullopt;
    return out;
}

Error said(unsigned error) {
    switch (error) {
        case bad_signature: return refused("the server refuses the TSIG key's secret (BADSIG)");
        case bad_key: return refused("the server does not know the TSIG key (BADKEY)");
        case bad_time: return refused("the server's clock and ours differ by more than 300 s (BADTIME)");
        case bad_truncation: return refused("the server refuses the length of our signature (BADTRUNC)");
        default: return refused("the server refuses our signature (TSIG error " + std::to_string(error) + ")");
    }
}

}  // namespace

Result<TsigKey> make_tsig_key(std::string_view name, std::string_view algorithm, const Secret& secret) {
    if (const auto wrong = wrong_with_name(name, NameRule::target); !wrong.empty())
        return Error{ErrorClass::invalid, "the TSIG key's name " + wrong};
    auto canonical = canonical_name(algorithm);
    if (!hash_of(canonical))
        return Error{ErrorClass::invalid,
                     "the TSIG algorithm must be hmac-sha256, hmac-sha512, hmac-sha384, hmac-sha224 or hmac-sha1"};
    auto text = secret.reveal();
    std::erase_if(text, [](char c) { return c == '\n' || c == ' '; });
    auto bytes = runtime::from_base64(text);
    OPENSSL_cleanse(text.data(), text.size());
    if (!bytes || bytes->empty()) return Error{ErrorClass::invalid, "the TSIG key's secret is not base64"};
    return TsigKey{canonical_name(name), std::move(canonical), Secret(*std::move(bytes))};
}

std::string TsigSession::digest(std::string_view what) const {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned length = 0;
    const auto& key = key_.secret.reveal();
    HMAC(hash_of(key_.algorithm), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(what.data()), what.size(), out.data(), &length);
    return std::string(out.begin(), out.begin() + length);
}

std::string TsigSession::sign(std::string message, WallTime now) {
    const auto name = wire_name(key_.name), algorithm = wire_name(key_.algorithm);
    const auto when = time_and_fudge(seconds(now), fudge_seconds);
    const auto head = name + be16(class_any) + be16(0) + be16(0);
    prior_ = digest(message + head + algorithm + when + be16(no_error) + be16(0));
    const auto rdata = algorithm + when + be16(static_cast<unsigned>(prior_.size())) + prior_ + message.substr(0, 2) +
                       be16(no_error) + be16(0);
    message += name + be16(type_tsig) + be16(class_any) + be16(0) + be16(0) +
               be16(static_cast<unsigned>(rdata.size())) + rdata;
    set_count(message, 3, count_of(message, 3) + 1);
    return message;
}

Result<void> TsigSession::check(std::string& message, WallTime now) {
    const auto layout = layout_of(message);
    if (!layout) return Error{ErrorClass::unreachable, "what answers is not a name server"};
    const auto& last = layout->last;
    if (!layout->records || last.type != type_tsig) {
        if (rcode_of(message) != 0) return {};
        if (answers_ == 0) return refused("the answer is not signed");
        if (++unsigned_count_ > unsigned_max) return refused("too much of the answer is not signed");
        unsigned_ += message;
        return {};
    }
    const auto found = read_signature(std::string_view(message).substr(last.rdata, last.length), key_.algorithm);
    const bool formal = last.record_class == class_any && last.ttl_high == 0 && last.ttl_low == 0;
    if (!found || !formal || last.name != key_.name) return refused("the answer is signed with another key");
    message.resize(last.begin);
    set_count(message, 3, count_of(message, 3) - 1);
    if (found->error != no_error && found->mac.empty()) return said(found->error);
    auto covered =
        be16(static_cast<unsigned>(prior_.size())) + prior_ + unsigned_ + be16(found->original_id) + message.substr(2);
    const auto when = time_and_fudge(found->time, found->fudge);
    if (answers_ == 0)
        covered += wire_name(key_.name) + be16(class_any) + be16(0) + be16(0) + wire_name(key_.algorithm) + when +
                   be16(found->error) + be16(static_cast<unsigned>(found->other.size())) + found->other;
    else
        covered += when;
    const auto mac = digest(covered);
    if (mac.size() != found->mac.size() || CRYPTO_memcmp(mac.data(), found->mac.data(), mac.size()) != 0)
        return refused("the answer's signature is wrong");
    if (found->error != no_error) return said(found->error);
    const auto here = seconds(now);
    if (std::max(here, found->time) - std::min(here, found->time) > fudge_seconds) return said(bad_time);
    prior_ = mac;
    unsigned_.clear();
    unsigned_count_ = 0;
    ++answers_;
    return {};
}

}  // namespace ocim::dns
