#include "base/secret.hpp"

#include <openssl/crypto.h>

namespace ocim {

void Secret::wipe() { OPENSSL_cleanse(text_.data(), text_.size()); }

}  // namespace ocim
