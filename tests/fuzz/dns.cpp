#include "dns/message.hpp"
#include "dns/ownership.hpp"
#include "dns/values.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
using namespace ocim::dns;

/// What a name service answers, and the same as what a person writes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    fuzz::expect(unquote_text(quote_text(text)) == text, "what is quoted is read as it was", quote_text(text));
    for (const std::string_view type : {"A", "AAAA", "CNAME", "TXT", "MX", "SRV", "CAA", "NS"}) {
        (void)from_presentation(type, text);
        const auto value = canonical_value(type, text);
        if (!value) continue;
        const auto shown = to_presentation(type, *value);
        fuzz::expect(shown.find_first_of("\r\n") == shown.npos, "a value is one line", shown);
        fuzz::expect(from_presentation(type, shown) == *value, "what is served is what was said", shown);
    }
    (void)answers_of(text);
    (void)parse_mark_text(text);
    const auto name = canonical_name(text);
    fuzz::expect(canonical_name(name + ".") == name || name.ends_with('.'), "one form of a name", name);
    if (!wrong_with_name(name, NameRule::record).empty()) return 0;
    fuzz::expect(name.find_first_of(" \t\r\n\"'\\;$()") == name.npos, "a name has no meaning of its own", name);
    if (begins_with(name, wildcard_label)) return 0;  // refused in a DNSRecord
    const Key key{name, "A"};
    if (const auto mark = mark_name(key)) {
        fuzz::expect(wrong_with_name(*mark, NameRule::record).empty(), "a mark's name is one", *mark);
        fuzz::expect(marked_key(*mark) == key, "a mark says what it marks", *mark);
    }
    (void)marked_key(name);
    return 0;
}
