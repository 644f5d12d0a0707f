#include "storage/xml.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::storage {

namespace {

constexpr std::size_t depth_max = 16;

Error strange(const char* what) {
    return {ErrorClass::unreachable, std::string("what answers is not an S3 service: its XML ") + what};
}

void append_utf8(std::string& out, std::uint32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0U | (code >> 6U));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0U | (code >> 12U));
        out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    } else {
        out += static_cast<char>(0xF0U | (code >> 18U));
        out += static_cast<char>(0x80U | ((code >> 12U) & 0x3FU));
        out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    }
}

class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    Result<Xml> document() {
        if (auto ok = skip_asides(); !ok) return std::move(ok).error();
        auto out = element(0);
        if (!out) return out;
        if (auto ok = skip_asides(); !ok) return std::move(ok).error();
        if (!rest_.empty()) return strange("goes on after its end");
        return out;
    }

private:
    /// Spaces, the declaration and comments between elements.
    Result<void> skip_asides() {
        for (;;) {
            rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
            if (auto ok = skip_aside(); !ok || !*ok) return ok ? Result<void>() : Result<void>(std::move(ok).error());
        }
    }
    Result<bool> skip_aside() {
        for (const auto& [begin, end] : {std::pair<std::string_view, std::string_view>{"<?", "?>"}, {"<!--", "-->"}}) {
            if (!rest_.starts_with(begin)) continue;
            const auto at = rest_.find(end);
            if (at == std::string_view::npos) return strange("ends in the middle");
            rest_.remove_prefix(at + end.size());
            return true;
        }
        return false;
    }

    Result<Xml> element(std::size_t depth) {
        if (depth > depth_max) return strange("is nested too deep");
        if (!rest_.starts_with('<') || rest_.starts_with("<!") || rest_.starts_with("</"))
            return strange("has no element where there should be one");
        const auto end = rest_.find('>');
        if (end == std::string_view::npos) return strange("ends in the middle");
        auto tag = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        const bool closed = tag.ends_with('/');
        if (closed) tag.remove_suffix(1);
        const auto full = tag.substr(0, tag.find_first_of(" \t\r\n"));
        Xml out;
        out.name = full.substr(full.find(':') + 1);
        if (out.name.empty()) return strange("has an element without a name");
        if (closed) return out;
        return contents(std::move(out), full, depth);
    }

    Result<Xml> contents(Xml out, std::string_view full, std::size_t depth) {
        for (;;) {
            const auto next = rest_.find('<');
            if (next == std::string_view::npos) return strange("ends in the middle");
            if (auto ok = take_text(rest_.substr(0, next), out.text); !ok) return std::move(ok).error();
            rest_.remove_prefix(next);
            if (rest_.starts_with("</")) {
                const auto end = rest_.find('>');
                if (end == std::string_view::npos || rest_.substr(2, full.size()) != full)
                    return strange("closes what was not open");
                rest_.remove_prefix(end + 1);
                // of what holds elements the text is only how they are laid out
                if (!out.children.empty()) out.text.clear();
                return out;
            }
            auto aside = skip_aside();
            if (!aside) return std::move(aside).error();
            if (*aside) continue;
            auto child = element(depth + 1);
            if (!child) return child;
            out.children.push_back(*std::move(child));
        }
    }

    static Result<void> take_text(std::string_view text, std::string& out) {
        while (!text.empty()) {
            const auto at = std::min(text.find('&'), text.size());
            out += text.substr(0, at);
            text.remove_prefix(at);
            if (text.empty()) break;
            const auto end = text.find(';');
            if (end == std::string_view::npos) return strange("holds a \"&\" that stands for nothing");
            if (!take_entity(text.substr(1, end - 1), out)) return strange("holds an entity that nobody knows");
            text.remove_prefix(end + 1);
        }
        return {};
    }
    static bool take_entity(std::string_view name, std::string& out) {
        for (const auto& [word, c] :
             {std::pair<std::string_view, char>{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}})
            if (name == word) {
                out += c;
                return true;
            }
        if (!name.starts_with('#')) return false;
        name.remove_prefix(1);
        const bool sixteen = name.starts_with('x');
        if (sixteen) name.remove_prefix(1);
        std::uint32_t code = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), code, sixteen ? 16 : 10);
        const bool surrogate = code >= 0xD800 && code < 0xE000;
        if (error != std::errc() || end != name.data() + name.size() || code == 0 || code > 0x10FFFF || surrogate)
            return false;
        append_utf8(out, code);
        return true;
    }

    std::string_view rest_;
};

}  // namespace

const Xml* Xml::child(std::string_view wanted) const {
    const auto found = std::ranges::find(children, wanted, &Xml::name);
    return found == children.end() ? nullptr : &*found;
}

std::string Xml::of(std::string_view wanted) const {
    const auto* found = child(wanted);
    return found ? found->text : "";
}

Result<Xml> parse_xml(std::string_view text) { return Reader(text).document(); }

std::string xml_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '\r' || c == '\n' || c == '\t')
            out += "&#" + std::to_string(static_cast<int>(c)) + ";";  // else read back as something else
        else
            out += c;
    }
    return out;
}

}  // namespace ocim::storage
