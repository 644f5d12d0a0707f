#include "storage/signature.hpp"

#include "runtime/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <vector>

namespace ocim::storage {

namespace {

std::string digest(std::string_view bytes, const EVP_MD* kind) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, kind, nullptr);
    return {reinterpret_cast<const char*>(out.data()), size};
}

Secret hmac(const Secret& key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.reveal().data(), static_cast<int>(key.reveal().size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
    return Secret(std::string(reinterpret_cast<const char*>(out.data()), size));
}

std::string hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

/// "20130524T000000Z"
std::string stamp(WallTime now) {
    const auto seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(now));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
    return {text.data(), size};
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return out;
}

std::string trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return std::string(text);
}

/// In order of name, and each with a "=".
std::string canonical_query(std::string_view query) {
    std::vector<std::string> items;
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        std::string item(query.substr(0, end));
        if (item.find('=') == std::string::npos) item += '=';
        items.push_back(std::move(item));
        query.remove_prefix(std::min(end + 1, query.size()));
    }
    std::ranges::sort(items);
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : "&") + item;
    return out;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) { return hex(digest(bytes, EVP_sha256())); }
std::string md5_base64(std::string_view bytes) { return runtime::base64(digest(bytes, EVP_md5())); }

void sign(net::HttpRequest& request, const std::string& host, const AwsKey& key, WallTime now) {
    const auto when = stamp(now), day = when.substr(0, 8), content = sha256_hex(request.body);
    request.headers["x-amz-date"] = when;
    request.headers["x-amz-content-sha256"] = content;

    std::map<std::string, std::string> headers{{"host", host}};
    for (const auto& [name, value] : request.headers) headers[lower(name)] = trimmed(value);
    std::string lines, names;
    for (const auto& [name, value] : headers) {
        lines += name + ":" + value + "\n";
        names += (names.empty() ? "" : ";") + name;
    }
    const auto mark = std::min(request.target.find('?'), request.target.size());
    const auto path = request.target.substr(0, mark);
    const auto query = mark < request.target.size() ? request.target.substr(mark + 1) : "";
    const auto asked = request.method + "\n" + (path.empty() ? "/" : path) + "\n" + canonical_query(query) + "\n" +
                       lines + "\n" + names + "\n" + content;
    const auto scope = day + "/" + key.region + "/" + key.service + "/aws4_request";
    const auto text = "AWS4-HMAC-SHA256\n" + when + "\n" + scope + "\n" + sha256_hex(asked);
    auto derived = hmac(Secret("AWS4" + key.secret_key.reveal()), day);
    for (const auto* step : {&key.region, &key.service}) derived = hmac(derived, *step);
    derived = hmac(derived, "aws4_request");
    request.secret_headers["Authorization"] =
        Secret("AWS4-HMAC-SHA256 Credential=" + key.access_key + "/" + scope + ",SignedHeaders=" + names +
               ",Signature=" + hex(hmac(derived, text).reveal()));
}

}  // namespace ocim::storage
