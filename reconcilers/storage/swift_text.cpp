#include "storage/swift_text.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::storage {

namespace {

using Set = std::set<std::string>;

constexpr std::string_view own = "x-container-meta-", cors_word = "access-control-";
constexpr auto everybody_word = ".r:*", listing_word = ".rlistings";

std::string header(const Headers& headers, const std::string& name) {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
}

Set split(std::string_view text, char separator) {
    Set out;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        auto item = text.substr(0, end);
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (!item.empty()) out.emplace(item);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string joined(const Set& items, std::string_view separator) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : std::string(separator)) + item;
    return out;
}

/// What everybody and the readers have is in one list, what the writers have in both.
Set read_list(const Access& access) {
    Set out = access.readers;
    out.insert(access.writers.begin(), access.writers.end());
    if (access.everybody != Access::Everybody::nothing) out.insert(everybody_word);
    if (access.everybody == Access::Everybody::objects_and_listing) out.insert(listing_word);
    return out;
}

/// False: the lists say what we would never write.
bool read_access(const Set& reading, const Set& writing, Access& out) {
    out.writers = writing;
    const bool objects = reading.contains(everybody_word), listing = reading.contains(listing_word);
    if (objects) out.everybody = listing ? Access::Everybody::objects_and_listing : Access::Everybody::objects;
    for (const auto& item : reading)
        if (!item.starts_with('.') && !writing.contains(item)) out.readers.insert(item);
    return read_list(out) == reading;
}

std::string meta(std::string_view name) { return std::string(own) + std::string(name); }

}  // namespace

Thing read_headers(const Headers& headers) {
    Thing out;
    std::map<std::string, std::string> words;
    for (const auto& [name, value] : headers)
        if (name.starts_with(own)) words[name.substr(own.size())] = value;
    out.mark = read_mark(words);
    const auto reading = split(header(headers, "x-container-read"), ',');
    const auto writing = split(header(headers, "x-container-write"), ',');
    out.strange = !read_access(reading, writing, out.access);
    const auto cors = [&](const char* name) { return header(headers, meta(std::string(cors_word) + name)); };
    const auto origins = cors("allow-origin"), exposed = cors("expose-headers"), age = cors("max-age");
    if (!origins.empty()) {
        out.cors.emplace().origins = split(origins, ' ');
        out.cors->expose_headers = split(exposed, ' ');
        const auto* end = age.data() + age.size();
        if (std::from_chars(age.data(), end, out.cors->max_age_seconds).ptr != end) out.strange = true;
    } else if (!exposed.empty() || !age.empty()) {
        out.strange = true;
    }
    const auto versioning = header(headers, "x-versions-enabled");
    out.versioning = versioning == "True" || versioning == "true";
    return out;
}

Headers write_headers(const Thing& wanted, const Thing& found) {
    Headers out;
    // what is empty is removed, which one says by a header of another name
    const auto put = [&out](const std::string& name, const std::string& value, bool had) {
        if (!value.empty())
            out[name] = value;
        else if (had)
            out["x-remove-" + name.substr(2)] = "x";
    };
    auto words = mark_words(*wanted.mark);
    if (!wanted.mark->retained && found.mark && found.mark->retained) words["ocim-retained"] = "";
    for (const auto& [name, value] : words) put(meta(name), value, true);
    const bool had_access = found.strange || found.access != Access();
    put("x-container-read", joined(read_list(wanted.access), ","), had_access);
    put("x-container-write", joined(wanted.access.writers, ","), had_access);
    const bool had_cors = found.strange || found.cors;
    const auto cors = [&](const char* name, const std::string& value) {
        put(meta(std::string(cors_word) + name), value, had_cors);
    };
    cors("allow-origin", wanted.cors ? joined(wanted.cors->origins, " ") : "");
    cors("expose-headers", wanted.cors ? joined(wanted.cors->expose_headers, " ") : "");
    cors("max-age", wanted.cors ? std::to_string(wanted.cors->max_age_seconds) : "");
    if (wanted.versioning != found.versioning) out["x-versions-enabled"] = wanted.versioning ? "true" : "false";
    return out;
}

}  // namespace ocim::storage
