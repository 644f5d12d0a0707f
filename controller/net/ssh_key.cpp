#include "net/tls.hpp"

#include <libssh/libssh.h>
#include <openssl/crypto.h>

#include <cstring>
#include <memory>

namespace ocim::net {

namespace {

struct FreeKey {
    void operator()(ssh_key key) const { ssh_key_free(key); }
};
struct WipeText {
    void operator()(char* text) const {
        OPENSSL_cleanse(text, std::strlen(text));
        ssh_string_free_char(text);
    }
};

}  // namespace

Result<SshKeyPair> make_ssh_key() {
    const Error failed{ErrorClass::transient, "libssh could not make an Ed25519 key"};
    ssh_key raw = nullptr;
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &raw) != SSH_OK) return failed;
    const std::unique_ptr<ssh_key_struct, FreeKey> key(raw);

    char* text = nullptr;
    if (ssh_pki_export_privkey_base64(key.get(), nullptr, nullptr, nullptr, &text) != SSH_OK) return failed;
    const std::unique_ptr<char, WipeText> secret(text);
    text = nullptr;
    if (ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK) return failed;
    const std::unique_ptr<char, WipeText> open(text);
    return SshKeyPair{Secret(secret.get()), std::string("ssh-ed25519 ") + open.get()};
}

}  // namespace ocim::net
