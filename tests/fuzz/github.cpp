#include "base/utf8.hpp"
#include "github/body.hpp"

#include "fuzz/fuzz.hpp"

#include <algorithm>

using namespace ocim;

namespace {

void check_settings(const std::string& block, const github::Allowed& allowed) {
    const auto settings = github::read_settings(block, allowed);
    if (!settings) {
        const auto& message = settings.error().message;
        fuzz::expect(message.find('\n') == std::string::npos, "an error is one line", message);
        fuzz::expect(valid_utf8(message, 10'000) == message, "an error can be stored", message);
        return;
    }
    for (const auto& variable : settings->variables)
        fuzz::expect(std::string_view(variable.key()) == allowed.variables[0], "only what is allowed is set", block);
    if (settings->configuration_repository)
        fuzz::expect(*settings->configuration_repository == allowed.configuration_repositories[0],
                     "a playbook comes from where it may", *settings->configuration_repository);
    if (settings->configuration_version)
        fuzz::expect(!settings->configuration_version->empty() && settings->configuration_version->front() != '-',
                     "a version is no option", *settings->configuration_version);
    for (const auto& name : settings->left_out)
        fuzz::expect(name.find('\n') == std::string::npos, "a name that is told is one line", name);
}

}  // namespace

/// A variable and a repository that are allowed and a sandbox's domain, a line each; the rest is a pull request's text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 4);
    const github::Allowed allowed{{std::string(input[0])}, {std::string(input[1])}};
    const std::string text(input[3]);
    const auto body = github::read_body(text);
    fuzz::expect(body.settings.find('\r') == std::string::npos, "lines end one way", body.settings);
    fuzz::expect(body.settings.empty() || body.settings.back() == '\n', "a last line ends", body.settings);
    for (const auto& line : body.database_lines)
        fuzz::expect(text.find(line) != std::string::npos, "a line is its author's", line);

    if (text.find('\r') == std::string::npos) {
        std::string windows;
        for (const char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
        // what is too long may be so for its line ends only
        const auto same = github::read_body(windows);
        fuzz::expect(same == body || !same.error.empty(), "an editor changes nothing", text);
    }
    if (github::database_mode(body.database_lines, input[2]))
        fuzz::expect(text.find(input[2]) != std::string::npos, "it speaks of this sandbox", text);
    check_settings(body.settings, allowed);
    check_settings(text, allowed);
    return 0;
}
