#include "messaging/text.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
using namespace ocim::messaging;

/// What the broker answers, as each of the lists and as one thing; its first line as a name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string body(reinterpret_cast<const char*>(data), size);
    const std::string name(fuzz::lines(data, size, 2)[0]);
    Snapshot seen;
    for (const auto& [list, path] : lists) (void)read_list(list, body, "ocim", seen);
    using Kind = Key::Kind;
    for (const auto kind :
         {Kind::vhost, Kind::user, Kind::permission, Kind::limit, Kind::topic, Kind::user_limit, Kind::policy}) {
        const Key key{kind, kind == Kind::user ? "" : name, kind == Kind::vhost ? "" : name, name};
        const auto path = path_of(key);
        fuzz::expect(path.find_first_of("?#\r\n \"") == path.npos, "a path is one", path);
        if (kind == Kind::vhost || kind == Kind::user)
            if (const auto thing = read_one(key, body, "ocim")) seen[key] = *thing;
    }
    for (const auto& [key, thing] : seen) {
        (void)body_of(key, thing);
        (void)fits(thing, Secret("password"));
        if (const auto hash = read_hash(Secret(thing.hash)))
            fuzz::expect(hash->hash.find_first_of(" \r\n") == hash->hash.npos, "a hash is one word", hash->hash);
    }
    (void)says_not_there(body);
    (void)read_hash(Secret(name));
    const auto reason = reason_of(body);
    fuzz::expect(reason.find_first_of("\r\n") == reason.npos, "a reason is one line", reason);
    return 0;
}
