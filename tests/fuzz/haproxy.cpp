#include "loadbalancing/rendering.hpp"
#include "loadbalancing/tar.hpp"
#include "loadbalancing/version.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
using namespace ocim::loadbalancing;

namespace {

/// As HAProxy reads a word between double quotes (its configuration manual, 2.2).
std::string haproxy_reads(std::string_view word) {
    fuzz::expect(word.size() >= 2 && word.front() == '"' && word.back() == '"', "a word is quoted", std::string(word));
    word = word.substr(1, word.size() - 2);
    std::string out;
    for (std::size_t i = 0; i < word.size(); ++i) {
        fuzz::expect(word[i] != '"' && word[i] != '$' && word[i] != '\n', "nothing in a word has a meaning of its own",
                     std::string(word));
        if (word[i] == '\\') {
            ++i;
            fuzz::expect(i < word.size(), "a word ends where it ends", std::string(word));
        }
        out += word[i];
    }
    return out;
}

}  // namespace

/// What the balancer's host answers, read as each of its forms; and the same as what a person writes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto word = quoted_word(text))
        fuzz::expect(haproxy_reads(*word) == text, "HAProxy reads what was said", *word);
    if (wrong_with_domain(text).empty())
        fuzz::expect(text.find_first_of(" \t\r\n\"'\\#") == text.npos, "a domain is one", std::string(text));
    if (const auto address = server_address(text, 80))
        fuzz::expect(address->find_first_of(" \t\r\n\"'\\#") == address->npos, "an address is one", *address);
    fuzz::expect(fragment_name("o-", std::string(text), "n").size() <= fragment_name_max, "a file's name is short");

    if (const auto mark = mark_of(text))
        fuzz::expect(mark_of(with_mark(text, *mark)) == mark, "a mark that is written is read", std::string(text));
    if (const auto note = CertificateNote::parse(text)) {
        const auto written = with_certificate("# ocim i=a o=b/c u=d\nbackend x\n", note);
        fuzz::expect(certificate_of(written) == note, "a certificate that is written is read", written);
        fuzz::expect(!certificate_of(with_certificate(written, std::nullopt)), "and taken out", written);
    }
    (void)servers_of(text);
    (void)hash_of(text, {"a.example.org"});
    (void)redacted(std::string(text));
    (void)blamed(text);
    const auto map = DomainMap::parse(text);
    fuzz::expect(DomainMap::parse(map.text()).leads() == map.leads(), "a map that is written is read",
                 std::string(text));
    if (const auto files = read_tar(text))
        for (const auto& file : *files)
            fuzz::expect(file.content.size() <= text.size(), "a file is part of its stream");
    if (const auto version = Version::read(text)) (void)version->snapshot();
    if (const auto version = Version::observed(text)) (void)version->snapshot();
    return 0;
}
