#include "messaging/text.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
using namespace ocim::messaging;

/// What the broker answers, as each of the lists and as one thing; its first line as a name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string body(reinterpret_cast<const char*>(data), size);
    const std::string name(fuzz::lines(data, size, 2)[0]);
    Snapshot seen;
    for (std::size_t list = 0; list < lists.size(); ++list) (void)read_list(list, body, "ocim", seen);
    using Kind = Key::Kind;
    for (const auto kind : {Kind::vhost, Kind::user, Kind::permission, Kind::limit}) {
        const Key key{kind, kind == Kind::user ? "" : name, kind == Kind::vhost ? "" : name};
        const auto path = path_of(key);
        fuzz::expect(path.find_first_of("?#\r\n \"") == path.npos, "a path is one", path);
        if (kind == Kind::vhost || kind == Kind::user)
            if (const auto thing = read_one(key, body, "ocim")) seen[key] = *thing;
    }
    for (const auto& [key, thing] : seen) {
        (void)body_of(key, thing);
        (void)fits(thing, Secret("password"));
    }
    const auto reason = reason_of(body);
    fuzz::expect(reason.find_first_of("\r\n") == reason.npos, "a reason is one line", reason);
    return 0;
}
