#include "gitops/wire.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <array>

namespace ocim::gitops {

namespace {

constexpr std::size_t words_max = 300, refs_max = 200'000, shown_max = 5;
constexpr std::string_view heads = "refs/heads/", tags = "refs/tags/", peeled = "^{}";

Error cut_short() { return {ErrorClass::transient, "the server's answer is cut short; it is asked again"}; }
Error strange(const std::string& why) {
    return {ErrorClass::invalid, "that is no Git server of the smart protocol: " + why + "; look at spec.repository"};
}

std::optional<std::size_t> hex_length(std::string_view digits) {
    std::size_t out = 0;
    for (const char c : digits) {
        const auto at =
            std::string_view("0123456789abcdef").find(static_cast<char>(c | (c >= 'A' && c <= 'F' ? 32 : 0)));
        if (at == std::string_view::npos) return std::nullopt;
        out = out * 16 + at;
    }
    return out;
}

/// Takes one pkt-line after the other from a text.
class Lines {
public:
    explicit Lines(std::string_view text) : rest_(text) {}

    struct Line {
        bool flush = false;
        std::string_view text;
    };
    Result<Line> next() {
        if (rest_.size() < 4) return cut_short();
        const auto length = hex_length(rest_.substr(0, 4));
        if (!length || (*length > 0 && *length < 4)) return strange("a line without its length");
        if (*length == 0) {
            rest_.remove_prefix(4);
            return Line{true, {}};
        }
        if (rest_.size() < *length) return cut_short();
        const Line out{false, rest_.substr(4, *length - 4)};
        rest_.remove_prefix(*length);
        return out;
    }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

std::string_view without_newline(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

bool is_id(std::string_view text) {
    return text.size() == 40 &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Error said(std::string_view words) {
    const auto text = one_line(without_newline(words), words_max);
    const bool missing = text.find("not found") != std::string::npos;
    return {missing ? ErrorClass::not_found : ErrorClass::invalid, "the server says: " + text};
}

Result<void> take_capabilities(std::string_view text, Refs& out) {
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        const auto word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (word.starts_with("symref=HEAD:")) out.head = word.substr(12);
        if (word.starts_with("object-format=") && word != "object-format=sha1")
            return strange("its objects are named by " + one_line(word.substr(14), words_max) + ", not by SHA-1");
        if (!word.empty()) out.capabilities.emplace(word);
    }
    return {};
}

Result<void> take_ref(std::string_view line, Refs& out) {
    if (line.size() < 42 || !is_id(line.substr(0, 40)) || line[40] != ' ') return strange("a line that names no ref");
    const std::string id(line.substr(0, 40));
    auto name = line.substr(41);
    if (out.own.size() == refs_max) return strange("it has more than " + std::to_string(refs_max) + " refs");
    if (name == "capabilities^{}") return {};
    if (name.ends_with(peeled)) {
        name.remove_suffix(peeled.size());
        out.tips[std::string(name)] = id;
        return {};
    }
    out.tips[std::string(name)] = out.own[std::string(name)] = id;
    return {};
}

std::string pkt(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto length = text.size() + 4;
    std::string out;
    for (const unsigned shift : {12U, 8U, 4U, 0U}) out += digits[(length >> shift) & 15U];
    return out + std::string(text);
}

std::string some_of(const Refs& refs, std::string_view prefix) {
    std::string out;
    std::size_t count = 0;
    for (const auto& [name, id] : refs.own) {
        if (!name.starts_with(prefix)) continue;
        if (++count <= shown_max) out += (out.empty() ? "" : ", ") + one_line(name.substr(prefix.size()), 100);
    }
    if (count > shown_max) out += ", …";
    return out.empty() ? "there are none" : "there are " + out;
}

Result<Target> by_name(const Refs& refs, std::string_view prefix, const std::string& name, const char* field) {
    const auto full = std::string(prefix) + name;
    const auto found = refs.tips.find(full);
    const auto own = refs.own.find(full);
    if (found == refs.tips.end() || own == refs.own.end())
        return Error{ErrorClass::not_found, "the repository has no " + std::string(field + 5) + " " + name + " (" +
                                                some_of(refs, prefix) + "); push it, or mend " + field};
    return Target{own->second, found->second, name + " at " + found->second};
}

}  // namespace

Result<Refs> read_refs(std::string_view text, std::string_view& rest) {
    Lines lines(text);
    Refs out;
    bool first = true, heading = false;
    for (;;) {
        auto line = lines.next();
        if (!line) return std::move(line).error();
        if (line->flush) {
            if (!heading) break;
            heading = false;
            continue;
        }
        auto words = without_newline(line->text);
        if (first && words.starts_with("# service=")) {
            heading = true;
            continue;
        }
        if (words.starts_with("ERR ")) return said(words.substr(4));
        if (words.starts_with("version ") || words.starts_with("shallow ")) continue;
        if (first) {
            first = false;
            if (const auto nul = words.find('\0'); nul != std::string_view::npos) {
                if (auto taken = take_capabilities(words.substr(nul + 1), out); !taken) return std::move(taken).error();
                words = words.substr(0, nul);
            }
        }
        if (auto taken = take_ref(words, out); !taken) return std::move(taken).error();
    }
    rest = lines.rest();
    return out;
}

Result<Target> target_of(const Refs& refs, const Wanted& wanted) {
    if (wanted.commit) return Target{*wanted.commit, *wanted.commit, *wanted.commit};
    if (wanted.tag) return by_name(refs, tags, *wanted.tag, "spec.tag");
    if (wanted.branch) return by_name(refs, heads, *wanted.branch, "spec.branch");
    if (refs.head.starts_with(heads)) return by_name(refs, heads, refs.head.substr(heads.size()), "spec.branch");
    if (const auto head = refs.own.find("HEAD"); head != refs.own.end())
        return Target{head->second, head->second, "HEAD at " + head->second};
    return Error{ErrorClass::not_found,
                 "the repository does not say which branch is meant (" + some_of(refs, heads) + "); set spec.branch"};
}

std::string request_for(const Refs& refs, const Target& target) {
    std::string want = "want " + target.want;
    for (const char* one : {"side-band-64k", "ofs-delta", "no-progress"})
        if (refs.capabilities.contains(one)) want += std::string(" ") + one;
    const bool shallow = refs.capabilities.contains("shallow");
    if (shallow) want += " shallow";
    return pkt(want + " agent=ocim\n") + (shallow ? pkt("deepen 1") : "") + "0000" + pkt("done\n");
}

Result<std::string> read_pack(std::string_view answer, const Refs& refs) {
    Lines lines(answer);
    for (;;) {
        const auto line = lines.next();
        if (!line) return line.error();
        if (line->flush) continue;
        const auto words = without_newline(line->text);
        if (words.starts_with("ERR ")) return said(words.substr(4));
        if (words == "NAK" || words.starts_with("ACK ")) break;
        if (!words.starts_with("shallow ") && !words.starts_with("unshallow "))
            return strange("it answers " + one_line(words, words_max));
    }
    if (!refs.capabilities.contains("side-band-64k")) return std::string(lines.rest());
    std::string out;
    for (;;) {
        const auto line = lines.next();
        if (!line) return line.error();
        if (line->flush) return out;
        if (line->text.empty()) return strange("an empty part of a pack");
        const auto part = line->text.substr(1);
        switch (line->text[0]) {
            case 1: out += part; break;
            case 2: break;  // for people who wait
            case 3: return said(part);
            default: return strange("a part of a pack of no known kind");
        }
    }
}

}  // namespace ocim::gitops
