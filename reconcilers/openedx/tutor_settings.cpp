#include "openedx/tutor_settings.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

constexpr auto stock_release = "master";  // a class's default: whatever Tutor's version brings
constexpr auto stock_platform = "https://github.com/openedx/edx-platform.git";
constexpr std::int32_t web_port = 80;  // as everything else expects of an AppServer

void set_mysql(api::json::object& out, const MySqlAccess& mysql) {
    const auto user = mysql.user_prefix + "_edxapp";
    const auto password = mysql_password(mysql.key, user);
    out["RUN_MYSQL"] = false;
    out["MYSQL_HOST"] = mysql.host;
    out["MYSQL_PORT"] = mysql.port;
    out["OPENEDX_MYSQL_DATABASE"] = mysql.database_prefix + "_edxapp";
    out["OPENEDX_MYSQL_USERNAME"] = user;
    out["OPENEDX_MYSQL_PASSWORD"] = password;
    // its first job makes database and user where they are not: they are, and this account sees that
    out["MYSQL_ROOT_USERNAME"] = user;
    out["MYSQL_ROOT_PASSWORD"] = password;
}

void set_mongodb(api::json::object& out, const MongoAccess& mongodb) {
    std::string hosts;
    for (const auto& host : mongodb.hosts) hosts += (hosts.empty() ? "" : ",") + host;
    out["RUN_MONGODB"] = false;
    out["MONGODB_HOST"] = hosts;
    out["MONGODB_PORT"] = mongodb.port;
    out["MONGODB_DATABASE"] = mongodb.database;
    out["MONGODB_USERNAME"] = mongodb.user;
    out["MONGODB_PASSWORD"] = mongodb.password.reveal();
    if (!mongodb.replica_set.empty()) out["MONGODB_REPLICA_SET"] = mongodb.replica_set;
    if (!mongodb.auth_source.empty()) out["MONGODB_AUTH_SOURCE"] = mongodb.auth_source;
    if (mongodb.tls) out["MONGODB_USE_SSL"] = true;
    out["FORUM_MONGODB_DATABASE"] = mongodb.database + "_forum";
}

void set_mail(api::json::object& out, const MailRelay& relay) {
    out["RUN_SMTP"] = false;
    out["SMTP_HOST"] = relay.host;
    out["SMTP_PORT"] = relay.port;
    out["SMTP_USERNAME"] = relay.username.reveal();
    out["SMTP_PASSWORD"] = relay.password.reveal();
    out["SMTP_USE_TLS"] = !relay.username.reveal().empty();
}

/// In the words of Tutor's plug-in "s3".
void set_s3(api::json::object& out, const S3Access& s3) {
    out["OPENEDX_AWS_ACCESS_KEY"] = s3.access_key.reveal();
    out["OPENEDX_AWS_SECRET_ACCESS_KEY"] = s3.secret_key.reveal();
    out["S3_STORAGE_BUCKET"] = s3.bucket;
    out["S3_REGION"] = s3.region;
    if (s3.endpoint.empty()) return;
    const bool tls = s3.endpoint.starts_with("https://");
    auto host = s3.endpoint.substr(s3.endpoint.find("://") + 3);
    std::string port = tls ? "443" : "80";
    if (const auto colon = host.rfind(':'); colon != std::string::npos && host.back() != ']') {
        port = host.substr(colon + 1);
        host.resize(colon);
    }
    out["S3_HOST"] = host;
    out["S3_PORT"] = port;
    out["S3_USE_SSL"] = tls;
    out["S3_ADDRESSING_STYLE"] = "path";
}

void set_source(api::json::object& out, const Site& site) {
    if (site.release != stock_release) out["OPENEDX_COMMON_VERSION"] = site.release;
    if (site.platform_repository != stock_platform) out["EDX_PLATFORM_REPOSITORY"] = site.platform_repository;
    if (site.platform_commit != site.release) out["EDX_PLATFORM_VERSION"] = site.platform_commit;
}

}  // namespace

api::json::object tutor_settings(const Site& site, const std::vector<std::string>& plugins) {
    api::json::object out{{"LMS_HOST", site.domain(Service::lms)},
                          {"CMS_HOST", site.domain(Service::studio)},
                          {"PREVIEW_LMS_HOST", site.domain(Service::lms_preview)},
                          {"PLATFORM_NAME", site.display_name},
                          {"CONTACT_EMAIL", site.email},
                          // TLS ends at the load balancer, which says so
                          {"ENABLE_HTTPS", true},
                          {"ENABLE_WEB_PROXY", false},
                          {"CADDY_HTTP_PORT", web_port},
                          {"PLUGINS", api::json::array(plugins.begin(), plugins.end())}};
    if (site.internal.contains(Service::apps)) out["MFE_HOST"] = site.domain(Service::apps);
    if (site.internal.contains(Service::meilisearch))
        out["MEILISEARCH_PUBLIC_URL"] = "https://" + site.domain(Service::meilisearch);
    if (site.mysql) set_mysql(out, *site.mysql);
    if (site.mongodb) set_mongodb(out, *site.mongodb);
    if (site.mail_relay) set_mail(out, *site.mail_relay);
    if (site.s3) set_s3(out, *site.s3);
    set_source(out, site);
    for (const auto& extra : site.extra) merge(out, extra);
    return out;
}

std::vector<std::string> tutor_images(const Site& site, std::vector<std::string> declared) {
    api::json::object source;
    set_source(source, site);
    if (!source.empty() && std::ranges::find(declared, "openedx") == declared.end())
        declared.insert(declared.begin(), "openedx");
    return declared;
}

std::string tutor_plugin(const std::map<std::string, std::string>& of_class,
                         const std::map<std::string, std::string>& own) {
    auto all = of_class;
    for (const auto& [name, text] : own) {
        auto& patch = all[name];
        if (!patch.empty() && !patch.ends_with('\n')) patch += '\n';
        patch += text;
    }
    if (all.empty()) return "";
    api::json::object patches;
    for (const auto& [name, text] : all) patches[name] = text;
    return api::to_text(api::json::object{{"name", "ocim"}, {"version", "1.0.0"}, {"patches", std::move(patches)}}) +
           "\n";
}

}  // namespace ocim::openedx
