#include "database/job.hpp"

#include <openssl/evp.h>
#include <array>
#include <cassert>

namespace ocim::database {

using Verb = Action::Verb;

int rank(Verb verb) {
    switch (verb) {
        case Verb::mark: return 0;
        case Verb::create_schema: return 1;
        case Verb::alter_schema: return 2;
        case Verb::create_user: return 3;
        case Verb::alter_user: return 4;
        case Verb::grant: return 5;
        case Verb::revoke: return 6;
        case Verb::close_user:
        case Verb::drop_user: return 7;
        case Verb::drop_schema: return 8;
        case Verb::forget: break;
    }
    return 9;
}

std::vector<Key> grounds(const Action& action) {
    if (action.verb != Verb::grant) return {};
    std::vector<Key> out{{Key::Kind::user, action.key.name, action.key.host, ""}};
    if (action.key.database != whole_server) out.push_back({Key::Kind::schema, plain(action.key.database), "", ""});
    return out;
}

std::string thing_name(const Key& key) { return key.kind == Key::Kind::user ? key.name + "@" + key.host : key.name; }

Error appeared(const Key& key) {
    return {ErrorClass::conflict, thing_name(key) + " was made by somebody else meanwhile: it is looked at anew"};
}

Error taken_back(const Key& key) {
    return {ErrorClass::conflict, thing_name(key) + " is not to be dropped any more: it is looked at anew"};
}

bool same_owner(const runtime::Mark& left, const runtime::Mark& right) {
    return left.installation == right.installation && left.namespace_name == right.namespace_name;
}

std::string fingerprint(const std::string& hash, const Secret& password) {
    constexpr std::string_view digits = "0123456789abcdef";
    const Secret both(hash + "\n" + password.reveal());
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    [[maybe_unused]] const int ok =
        EVP_Digest(both.reveal().data(), both.reveal().size(), digest.data(), &size, EVP_sha256(), nullptr);
    assert(ok == 1);
    std::string out;
    for (unsigned i = 0; i < size; ++i) {
        out += digits[digest[i] >> 4];
        out += digits[digest[i] & 15];
    }
    return out;
}

std::string pattern(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '_' || c == '%' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

std::string plain(std::string_view pattern) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
        out += pattern[i];
    }
    return out;
}

}  // namespace ocim::database
