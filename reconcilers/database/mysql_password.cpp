#include "database/mysql_sql.hpp"

#include <openssl/evp.h>
#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>

namespace ocim::database::mysql {

namespace {

class Digest {
public:
    explicit Digest(const EVP_MD* algorithm) : context_(EVP_MD_CTX_new()) {
        [[maybe_unused]] const int ok = context_ ? EVP_DigestInit_ex(context_, algorithm, nullptr) : 0;
        assert(ok == 1);
    }
    ~Digest() { EVP_MD_CTX_free(context_); }
    Digest(const Digest&) = delete;
    Digest& operator=(const Digest&) = delete;

    Digest& add(std::string_view bytes) {
        EVP_DigestUpdate(context_, bytes.data(), bytes.size());
        return *this;
    }
    std::string end() {
        std::string out(EVP_MAX_MD_SIZE, '\0');
        unsigned size = 0;
        EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(out.data()), &size);
        out.resize(size);
        return out;
    }

private:
    EVP_MD_CTX* context_;
};

std::string hex(std::string_view bytes, std::string_view digits) {
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

/// `block` repeated to `size` bytes.
std::string stretched(std::string_view block, std::size_t size) {
    std::string out;
    while (out.size() < size) out += block.substr(0, std::min(block.size(), size - out.size()));
    return out;
}

/// SHA-crypt's own base 64: least significant bits first, bytes in an order of its own.
std::string crypt_text(const std::string& digest) {
    static constexpr std::string_view digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string out;
    const auto put = [&out](std::uint32_t bits, int count) {
        for (; count > 0; --count, bits >>= 6) out += digits[bits & 63];
    };
    const auto byte = [&digest](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(digest[i]));
    };
    // each triple is the one before it, turned: (0,10,20), (21,1,11), (12,22,2), …
    std::size_t a = 0, b = 10, c = 20;
    for (int i = 0; i < 10; ++i) {
        put(byte(a) << 16 | byte(b) << 8 | byte(c), 4);
        const auto next = c;
        c = b + 1;
        b = a + 1;
        a = next + 1;
    }
    put(byte(31) << 8 | byte(30), 3);
    return out;
}

}  // namespace

std::string sha_crypt(const Secret& password, std::string_view salt) {
    constexpr int rounds = 5'000;
    const auto& key = password.reveal();
    const auto* algorithm = EVP_sha256();
    const auto second = Digest(algorithm).add(key).add(salt).add(key).end();
    Digest first(algorithm);
    first.add(key).add(salt).add(stretched(second, key.size()));
    for (auto bits = key.size(); bits > 0; bits >>= 1) first.add((bits & 1) != 0 ? second : key);
    auto state = first.end();

    Digest keys(algorithm);
    for (std::size_t i = 0; i < key.size(); ++i) keys.add(key);
    const auto p = stretched(keys.end(), key.size());
    Digest salts(algorithm);
    for (int i = 0; i < 16 + static_cast<unsigned char>(state[0]); ++i) salts.add(salt);
    const auto s = stretched(salts.end(), salt.size());

    for (int round = 0; round < rounds; ++round) {
        Digest next(algorithm);
        next.add(round % 2 != 0 ? p : state);
        if (round % 3 != 0) next.add(s);
        if (round % 7 != 0) next.add(p);
        next.add(round % 2 != 0 ? state : p);
        state = next.end();
    }
    return crypt_text(state);
}

std::string native_hash(const Secret& password) {
    const auto once = Digest(EVP_sha1()).add(password.reveal()).end();
    return "*" + hex(Digest(EVP_sha1()).add(once).end(), "0123456789ABCDEF");
}

std::string salted_hash(const Secret& password, std::string_view salt) {
    assert(salt.size() == 20);
    return "$A$005$" + std::string(salt) + sha_crypt(password, salt);
}

}  // namespace ocim::database::mysql
