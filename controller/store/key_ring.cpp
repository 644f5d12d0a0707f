#include "store/key_ring.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>

namespace ocim::store {

namespace {

constexpr std::size_t key_bytes = 32, nonce_bytes = 12, tag_bytes = 16, salt_bytes = 16;
constexpr std::string_view mark = "sealed:1:";  // then the key's id, a colon, nonce, cipher text and tag as bytes
constexpr std::string_view version_line = "ocim-encryption-keys 1";
constexpr std::string_view about =
    "# The keys that Secrets are encrypted with. The first one encrypts, the others only decrypt what is older.\n"
    "# Without this file the Secrets in the database are lost: keep a copy of it, away from copies of the database.\n";

// scrypt: 32 MiB and some 100 ms for each guess at the passphrase
constexpr std::uint64_t scrypt_n = 1 << 15, scrypt_r = 8, scrypt_p = 1, scrypt_memory_max = 64 * 1024 * 1024;

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

// the same bytes, only the sign differs
const unsigned char* in(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* out(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

Error failed(const char* what) {
    ERR_clear_error();
    return {ErrorClass::transient, std::string("encryption: cannot ") + what};
}

/// From OpenSSL and not from a Random: a nonce that comes twice gives the key away, so no seed may choose it.
Result<std::string> random_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    if (RAND_bytes(out(bytes), static_cast<int>(size)) != 1) return failed("draw random bytes");
    return bytes;
}

/// Nonce, cipher text and tag.
Result<std::string> encrypt(const Secret& key, std::string_view name, std::string_view value) {
    auto nonce = random_bytes(nonce_bytes);
    if (!nonce) return nonce;
    const Cipher cipher(EVP_CIPHER_CTX_new());
    std::string text(value.size(), '\0'), tag(tag_bytes, '\0');
    int size = 0;
    auto* c = cipher.get();
    const bool ok = c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), nullptr, in(key.reveal()), in(*nonce)) == 1 &&
                    EVP_EncryptUpdate(c, nullptr, &size, in(name), static_cast<int>(name.size())) == 1 &&
                    EVP_EncryptUpdate(c, out(text), &size, in(value), static_cast<int>(value.size())) == 1 &&
                    EVP_EncryptFinal_ex(c, nullptr, &size) == 1 &&
                    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, tag_bytes, out(tag)) == 1;
    if (!ok) return failed("encrypt");
    return *nonce + text + tag;
}

/// Nothing when the key is not the one, the name is another, or a bit was changed.
std::optional<std::string> decrypt(const Secret& key, std::string_view name, std::string_view sealed) {
    if (sealed.size() < nonce_bytes + tag_bytes) return std::nullopt;
    const auto text = sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes);
    std::string tag(sealed.substr(sealed.size() - tag_bytes)), value(text.size(), '\0');
    const Cipher cipher(EVP_CIPHER_CTX_new());
    int size = 0;
    auto* c = cipher.get();
    const bool ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), nullptr, in(key.reveal()), in(sealed)) == 1 &&
                    EVP_DecryptUpdate(c, nullptr, &size, in(name), static_cast<int>(name.size())) == 1 &&
                    EVP_DecryptUpdate(c, out(value), &size, in(text), static_cast<int>(text.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, tag_bytes, out(tag)) == 1 &&
                    EVP_DecryptFinal_ex(c, nullptr, &size) == 1;
    ERR_clear_error();
    return ok ? std::optional(std::move(value)) : std::nullopt;
}

std::string base64(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3), '\0');
    EVP_EncodeBlock(out(text), in(bytes), static_cast<int>(bytes.size()));
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) return std::nullopt;
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(out(bytes), in(text), static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

Result<Secret> derive(const Secret& passphrase, std::string_view salt) {
    std::string key(key_bytes, '\0');
    const auto& text = passphrase.reveal();
    if (EVP_PBE_scrypt(text.data(), text.size(), in(salt), salt.size(), scrypt_n, scrypt_r, scrypt_p, scrypt_memory_max,
                       out(key), key.size()) != 1)
        return failed("derive a key from the passphrase");
    return Secret(std::move(key));
}

bool fits_an_id(std::string_view id) {
    return !id.empty() && id.size() <= 64 &&
           std::ranges::all_of(id, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

Result<KeyRing::Key> make_key() {
    auto name = random_bytes(5);
    if (!name) return std::move(name).error();
    auto bytes = random_bytes(key_bytes);
    if (!bytes) return std::move(bytes).error();
    std::string id = "key-";
    for (const char c : *name) id += "0123456789abcdefghijklmnopqrstuv"[static_cast<unsigned char>(c) % 32];
    return KeyRing::Key{std::move(id), Secret(*std::move(bytes))};
}

}  // namespace

bool is_sealed(std::string_view stored) { return stored.starts_with(mark); }

Result<KeyRing> KeyRing::make() {
    KeyRing ring;
    if (auto made = ring.renew(); !made) return std::move(made).error();
    return ring;
}

Result<void> KeyRing::renew() {
    auto key = make_key();
    if (!key) return std::move(key).error();
    if (find(key->id)) return failed("draw a new name for a key");
    keys_.insert(keys_.begin(), *std::move(key));
    return {};
}

void KeyRing::keep(const KeyRing& other) {
    for (const auto& key : other.keys_)
        if (!find(key.id)) keys_.push_back(key);
}

Result<KeyRing> KeyRing::parse(std::string_view text, const Secret& passphrase) {
    KeyRing ring;
    std::istringstream lines{std::string(text)};
    std::optional<Secret> wrapping;
    bool versioned = false;
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        const auto bad = [&](const char* why) {
            return Error{ErrorClass::invalid, "line " + std::to_string(number) + " " + why};
        };
        if (line.empty() || line.starts_with('#')) continue;
        if (!versioned) {
            if (line != version_line) return bad("is not the beginning of a file with encryption keys");
            versioned = true;
            continue;
        }
        std::istringstream words(line);
        std::string what, first, second;
        words >> what >> first >> second;
        if (what == "passphrase-salt") {
            if (passphrase.empty())
                return bad("says that the keys need a passphrase: give --encryption-passphrase-file");
            const auto salt = from_base64(first);
            if (!salt) return bad("has no salt");
            auto derived = derive(passphrase, *salt);
            if (!derived) return std::move(derived).error();
            wrapping = *std::move(derived);
            continue;
        }
        auto bytes = from_base64(second);
        if (what != "key" || !fits_an_id(first) || !bytes || ring.find(first)) return bad("is not a key");
        if (wrapping) {
            bytes = decrypt(*wrapping, first, *bytes);
            if (!bytes) return bad("is not opened by the passphrase given");
        }
        if (bytes->size() != key_bytes) return bad("is not a key of 256 bits");
        ring.keys_.push_back({first, Secret(*std::move(bytes))});
    }
    if (ring.keys_.empty()) return Error{ErrorClass::invalid, "it holds no key"};
    if (!passphrase.empty() && !wrapping)
        return Error{
            ErrorClass::invalid,
            "its keys are not protected by a passphrase, though one was given: rotate the key to protect them"};
    return ring;
}

Result<Secret> KeyRing::to_text(const Secret& passphrase) const {
    std::string text(about);
    text += std::string(version_line) + "\n";
    std::optional<Secret> wrapping;
    if (!passphrase.empty()) {
        const auto salt = random_bytes(salt_bytes);
        if (!salt) return salt.error();
        auto derived = derive(passphrase, *salt);
        if (!derived) return derived;
        wrapping = *std::move(derived);
        text += "passphrase-salt " + base64(*salt) + "\n";
    }
    for (const auto& key : keys_) {
        auto bytes =
            wrapping ? encrypt(*wrapping, key.id, key.bytes.reveal()) : Result<std::string>(key.bytes.reveal());
        if (!bytes) return std::move(bytes).error();
        text += "key " + key.id + " " + base64(*bytes) + "\n";
    }
    return Secret(std::move(text));
}

const KeyRing::Key* KeyRing::find(std::string_view id) const {
    const auto found = std::ranges::find(keys_, id, &Key::id);
    return found == keys_.end() ? nullptr : &*found;
}

std::string KeyRing::ids() const {
    std::string text;
    for (const auto& key : keys_) text += (text.empty() ? "" : ", ") + key.id;
    return text;
}

Result<std::string> KeyRing::seal(std::string_view name, std::string_view value) const {
    auto sealed = encrypt(first().bytes, name, value);
    if (!sealed) return sealed;
    return std::string(mark) + first().id + ":" + *sealed;
}

Result<std::string> KeyRing::open(std::string_view name, std::string_view stored) const {
    if (!is_sealed(stored)) return std::string(stored);
    const auto rest = stored.substr(mark.size());
    const auto colon = rest.find(':');
    const auto id = rest.substr(0, colon);
    if (colon == std::string_view::npos || !fits_an_id(id))
        return Error{ErrorClass::invalid, std::string(name) + " is damaged: it names no key"};
    const auto* key = find(id);
    if (!key)
        return Error{ErrorClass::invalid, std::string(name) + " is encrypted with " + std::string(id) +
                                              ", which is not among the keys given (" + ids() +
                                              "): bring back the key file that has it"};
    auto value = decrypt(key->bytes, name, rest.substr(colon + 1));
    if (!value)
        return Error{ErrorClass::invalid, std::string(name) + " cannot be decrypted with " + std::string(id) +
                                              ": the key of that name is another one, or the database is damaged"};
    return *std::move(value);
}

bool KeyRing::is_current(std::string_view stored) const {
    return is_sealed(stored) && stored.substr(mark.size()).starts_with(first().id + ":");
}

}  // namespace ocim::store
