#include "cli/address.hpp"
#include "cli/arguments.hpp"
#include "cli/kubeconfig.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

namespace {

constexpr cli::Flag flags[] = {
    {"data-dir", "DIR", "The directory.", "", true},
    {"listen", "ADDRESS:PORT", "Where.", "127.0.0.1:7443"},
    {.name = "group", .value = "GROUP", .help = "A group.", .repeated = true},
    {"help", "", "This text."},
};

void addresses(std::string_view text) {
    const auto read = cli::parse_address("listen", text);
    if (!read) return;
    const auto url = cli::url("https", cli::reachable_host(read->host), read->port);
    const auto again = cli::parse_address("listen", std::string_view(url).substr(8));
    fuzz::expect(static_cast<bool>(again), "an address can be written and read", url);
    fuzz::expect(again->port == read->port && again->host == cli::reachable_host(read->host), "as the same one", url);
}

/// Words are what is between bytes of 1.
void arguments(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const auto end = std::min(text.find('\x01'), text.size());
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const auto read = cli::Arguments::parse("serve", words, flags);
    if (!read) {
        fuzz::expect(read.error().error_class == ErrorClass::invalid && !read.error().message.empty(), "it says why");
        return;
    }
    fuzz::expect(!read->text("data-dir").empty(), "what is required is there");
    fuzz::expect(!read->text("listen").empty() || read->has("listen"), "what has a default has a value");
    if (!read->has("help")) fuzz::expect(read->text("help").empty(), "what was not given is not there");
    fuzz::expect(read->all("group").empty() != read->has("group"), "what is repeated was given");
}

void kubeconfigs(std::string_view text) {
    std::size_t files = 0;
    const auto read = cli::parse_kubeconfig("/home/me/config", text, [&](const std::string& path) {
        ++files;
        fuzz::expect(path.starts_with('/'), "a file beside it has a whole path", path);
        return Result<std::string>("content");
    });
    fuzz::expect(files <= 3, "no more files than there are fields for them");
    if (!read) {
        fuzz::expect(!read.error().message.empty(), "it says why");
        return;
    }
    fuzz::expect(!read->server.empty() && !read->server.ends_with('/'), "a server has an address", read->server);
    fuzz::expect(!read->ca_certificate.empty(), "it can be trusted");
    fuzz::expect(!read->certificate.empty() || !read->token.empty(), "somebody uses it");
}

}  // namespace

/// The first byte says what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case 'a': addresses(rest); break;
        case 'f': arguments(rest); break;
        default: kubeconfigs(rest); break;
    }
    return 0;
}
