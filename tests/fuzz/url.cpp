#include "base/limits.hpp"
#include "base/utf8.hpp"
#include "net/fetch.hpp"
#include "net/http_client.hpp"
#include "net/http_wire.hpp"
#include "net/ssh.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

namespace {

/// As a POSIX shell reads what is between single quotes.
std::string shell_reads(std::string_view word) {
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (word[i] == '\'')
            quoted = !quoted;
        else if (quoted)
            out += word[i];
        else if (word[i] == '\\' && i + 1 < word.size())
            out += word[++i];
        else
            fuzz::expect(false, "nothing of a word stands outside of quotes", std::string(word));
    }
    fuzz::expect(!quoted, "a word ends where it ends", std::string(word));
    return out;
}

}  // namespace

/// A URL and an address to connect to instead, a line each; the rest is a header's value and a body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 3);
    const std::string url(input[0]), text(input[2]);
    (void)net::check_fetch(url, std::string(input[1]));

    std::string path, query;
    if (net::wire::split_target(url, path, query))
        fuzz::expect(path.starts_with('/') && path.find('?') == path.npos, "a path is one", path);

    const net::HttpReply reply{503, {{"retry-after", url}, {"location", text}}, text};
    if (const auto wait = net::retry_after(reply, WallTime()))
        fuzz::expect(*wait >= Duration(0) && *wait <= limits::retry_after_max, "a wait is bounded", url);
    const auto failed = net::expect_success(reply, WallTime());
    fuzz::expect(!failed && failed.error().message.find('\n') == std::string::npos, "an error is one line",
                 failed.error().message);
    fuzz::expect(valid_utf8(failed.error().message, 10'000) == failed.error().message, "an error can be stored", text);

    net::wire::Head head{.headers = {{"X-Said", text}}, .length = text.size()};
    const auto written = net::wire::head(head);
    fuzz::expect(written.find("\r\n\r\n") + 4 == written.size(), "a value does not end the head", written);
    for (const char c : net::percent_encode(text))
        fuzz::expect(std::string_view("-._~%").find(c) != std::string_view::npos || std::isalnum(c) != 0,
                     "what is percent-encoded is plain", text);
    if (const auto word = net::shell_word(text))
        fuzz::expect(shell_reads(*word) == text, "a shell reads what was said", *word);
    return 0;
}
