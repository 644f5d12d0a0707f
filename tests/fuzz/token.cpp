#include "apiserver/credentials.hpp"
#include "apiserver/token_keys.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;

namespace {

/// The same key each time: what was found once is found again.
constexpr auto pem = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7p9Enop4iZQ3lx0O
t4FUI0zMUiZDnEN436nLlIMSJPahRANCAAQ8r1fmS6Jegp+XTDu2pnTUMexhUkFK
TdtD5utKGCyYU1A7JUULRlPlk41lcS+8fypOdcZvG5wK50Fao0A7rczw
-----END PRIVATE KEY-----
)";

const apiserver::TokenKeys& keys() {
    static const apiserver::TokenKeys made = *apiserver::TokenKeys::parse(pem);
    return made;
}

std::string token_of(std::string_view header, std::string_view claims, std::string_view signature) {
    return apiserver::base64url(header) + "." + apiserver::base64url(claims) + "." + std::string(signature);
}

void tokens(std::string_view text) {
    (void)keys().verify(text);
    // the form of one, whose parts are lines: so that they are reached, which few texts would manage to
    const auto parts = fuzz::lines(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), 3);
    const auto ours = R"({"alg":"ES256","kid":")" + keys().first().id() + "\"}";
    fuzz::expect(!keys().verify(token_of(parts[0], parts[1], parts[2])), "nobody else signs", std::string(text));
    fuzz::expect(!keys().verify(token_of(ours, parts[1], apiserver::base64url(parts[2]))), "nobody else signs");
    const auto claims = api::parse_json(parts[1]);
    if (!claims || !claims->value.is_object()) return;
    const auto signed_ = keys().first().sign(claims->value);
    fuzz::expect(static_cast<bool>(signed_), "what is JSON can be signed");
    const auto read = keys().verify(*signed_);
    fuzz::expect(read && *read == claims->value, "and read again", *signed_);
}

void texts(std::string_view text) {
    const auto bytes = apiserver::from_base64url(text);
    if (bytes) fuzz::expect(apiserver::base64url(*bytes) == text, "one text for one meaning", std::string(text));
    fuzz::expect(*apiserver::from_base64url(apiserver::base64url(text)) == text, "any bytes have a text");
}

void files(std::string_view text) {
    const auto read = apiserver::TokenKeys::parse(text);
    if (read) {
        const auto again = apiserver::TokenKeys::parse(read->to_text().reveal());
        fuzz::expect(again && again->same_as(*read) && again->to_text() == read->to_text(),
                     "keys are written and read");
    }
    (void)apiserver::StaticTokens::parse(text);
    if (const auto revoked = apiserver::Revoked::parse(text)) {
        const auto again = apiserver::Revoked::parse(revoked->to_text());
        fuzz::expect(again && again->to_text() == revoked->to_text(), "a list is written and read", revoked->to_text());
    }
}

}  // namespace

/// The first byte says what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case 'b': texts(rest); break;
        case 'f': files(rest); break;
        default: tokens(rest); break;
    }
    return 0;
}
