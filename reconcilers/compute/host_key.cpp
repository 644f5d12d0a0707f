#include "compute/host_key.hpp"

#include "api/json.hpp"
#include "runtime/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

namespace ocim::compute {
namespace {

constexpr std::string_view key_type = "ssh-ed25519";
constexpr std::size_t pem_columns = 70, mime_columns = 76;
constexpr std::size_t cipher_block = 8;  // to which OpenSSH fills up what it could have encrypted
constexpr std::size_t mime_search_bytes = 4096;

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

/// RFC 4251, section 5: a string is its length in four bytes, and its bytes.
void append(std::string& out, std::string_view text) {
    const auto size = static_cast<std::uint32_t>(text.size());
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>((size >> shift) & 0xff);
    out += text;
}

std::string in_lines(const std::string& text, std::size_t columns) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += columns) out += text.substr(at, columns) + "\n";
    return out;
}

/// OpenSSH's own format ("PROTOCOL.key" of its sources), without a passphrase.
Secret private_file(const std::string& seed, const std::string& open, const std::string& blob) {
    // two equal numbers tell that it was decrypted rightly; as nothing is encrypted, any will do
    const auto check = open.substr(0, 4);
    std::string inner = check + check;
    append(inner, key_type);
    append(inner, open);
    append(inner, seed + open);
    append(inner, "");  // a comment
    for (char fill = 1; inner.size() % cipher_block != 0; ++fill) inner += fill;
    std::string out("openssh-key-v1\0", 15);
    append(out, "none");
    append(out, "none");
    append(out, "");
    out += std::string("\0\0\0\1", 4);  // one key
    append(out, blob);
    append(out, inner);
    return Secret("-----BEGIN OPENSSH PRIVATE KEY-----\n" + in_lines(runtime::base64(out), pem_columns) +
                  "-----END OPENSSH PRIVATE KEY-----\n");
}

/// JSON is YAML.
std::string cloud_config(const HostKey& key) {
    const api::json::object keys{{"ed25519_private", key.private_key.reveal()},
                                 {"ed25519_public", key.public_key + "\n"}};
    // "ssh_deletekeys" is its default: keys that came with the image go
    return "#cloud-config\n" + api::to_text(api::json::object{{"ssh_deletekeys", true}, {"ssh_keys", keys}}) + "\n";
}

bool is_mime(std::string_view text) {
    std::string head(text.substr(0, mime_search_bytes));
    std::ranges::transform(head, head.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    return head.find("mime-version:") != std::string::npos;
}

/// A part of a MIME archive. One that is an archive itself is nested as it is; of anything else cloud-init finds out by
/// how it begins.
std::string part_of(std::string_view own) {
    if (is_mime(own)) return std::string(own);
    const bool ascii = std::ranges::all_of(own, [](char letter) { return static_cast<unsigned char>(letter) < 0x80; });
    if (ascii) return "Content-Type: text/plain\n\n" + std::string(own);
    return "Content-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\n" +
           in_lines(runtime::base64(own), mime_columns);
}

}  // namespace

Result<HostKey> host_key_of(const Secret& seed) {
    const auto bytes = runtime::from_base64(seed.reveal());
    if (!bytes || bytes->size() != host_key_seed_bytes)
        return Error{ErrorClass::invalid, std::string("the key ") + host_key_seed + " is not base64 of 32 bytes"};
    const std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_PKEY_new_raw_private_key(
        EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(bytes->data()), bytes->size()));
    std::array<unsigned char, 32> raw{};
    std::size_t size = raw.size();
    if (!key || EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1 || size != raw.size())
        return Error{ErrorClass::transient, "no Ed25519 key could be made"};
    const std::string open(raw.begin(), raw.end());
    std::string blob;
    append(blob, key_type);
    append(blob, open);
    return HostKey{private_file(*bytes, open, blob), std::string(key_type) + " " + runtime::base64(blob)};
}

Secret user_data_with(const HostKey& key, std::string_view own) {
    auto ours = cloud_config(key);
    if (own.empty()) return Secret(std::move(ours));
    std::string boundary = "=== part ===";
    while (own.find(boundary) != std::string_view::npos) boundary += "=";
    return Secret("Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\nMIME-Version: 1.0\n\n--" + boundary +
                  "\n" + part_of(own) + "\n--" + boundary + "\nContent-Type: text/cloud-config\n\n" + ours + "--" +
                  boundary + "--\n");
}

}  // namespace ocim::compute
