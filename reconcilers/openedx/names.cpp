#include "openedx/names.hpp"

#include "openedx/secrets.hpp"

namespace ocim::openedx {
namespace {

constexpr std::size_t database_prefix_max = 50;    // the longest suffix, "_analytics_api", has 14 of MySQL's 64
constexpr std::size_t mysql_user_prefix_max = 22;  // the longest suffix, "_read_only", has 10 of MySQL 8's 32
constexpr std::size_t vhost_prefix_max = 60;
constexpr std::size_t container_prefix_max = 48;

bool is_plain(char letter) { return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9'); }

}  // namespace

std::string_view short_name(Service service) {
    switch (service) {
        case Service::lms: return "lms";
        case Service::lms_preview: return "preview";
        case Service::studio: return "studio";
        case Service::discovery: return "discovery";
        case Service::ecommerce: return "ecommerce";
        case Service::apps: return "apps";
        case Service::meilisearch: return "meilisearch";
    }
    return "lms";
}

std::string identifier(std::string_view text, std::size_t length_max) {
    std::string out;
    for (char letter : text) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
        if (out.size() < length_max) out += is_plain(letter) ? letter : '_';
    }
    while (!out.empty() && out.back() == '_') out.pop_back();
    return out.empty() ? "x" : out;
}

std::string database_prefix(std::string_view lms_domain, std::string_view id) {
    return identifier(lms_domain, database_prefix_max - id.size() - 1) + "_" + std::string(id);
}

std::string mysql_user_prefix(std::string_view subdomain, std::string_view id) {
    return identifier(subdomain, mysql_user_prefix_max - id.size() - 1) + "_" + std::string(id);
}

std::string vhost_name(std::string_view subdomain, std::string_view id) {
    return std::string(subdomain.substr(0, vhost_prefix_max)) + "-" + std::string(id);
}

std::string container_name(std::string_view subdomain, std::string_view id) {
    return "ocim-" + std::string(subdomain.substr(0, container_prefix_max)) + "-" + std::string(id);
}

std::string ocim_v1_database_prefix(std::string_view lms_domain) {
    constexpr std::size_t digits = 4;
    std::string out;
    for (const char letter : lms_domain) {
        if (letter == '.')
            out += '_';
        else if (is_plain(letter) || (letter >= 'A' && letter <= 'Z') || letter == '_')
            out += letter;
    }
    if (out.size() <= database_prefix_max) return out;
    return out.substr(0, database_prefix_max - digits) + md5_hex(out).substr(0, digits);
}

std::string nginx_pattern(const std::vector<std::string>& domains) {
    std::string out = "^(";
    for (const auto& domain : domains) {
        if (out.size() > 2) out += "|";
        for (const char letter : domain) {
            const bool upper = letter >= 'A' && letter <= 'Z';
            if (!is_plain(letter) && !upper && letter != '_') out += '\\';
            out += letter;
        }
    }
    return out + ")$";
}

}  // namespace ocim::openedx
