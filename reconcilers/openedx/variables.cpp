#include "openedx/variables.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace ocim::openedx {
namespace {

using api::Json;
namespace json = api::json;

constexpr auto django_mysql = "django.db.backends.mysql";

/// Variables whose value is the HMAC of their own name.
constexpr std::array derived_variables{"ANALYTICS_API_SECRET_KEY",
                                       "CREDENTIALS_SECRET_KEY",
                                       "DISCOVERY_SECRET_KEY",
                                       "DISCOVERY_SOCIAL_AUTH_EDX_OIDC_KEY",
                                       "DISCOVERY_SOCIAL_AUTH_EDX_OIDC_SECRET",
                                       "ECOMMERCE_CYBERSOURCE_SECRET_KEY",
                                       "ECOMMERCE_SECRET_KEY",
                                       "ECOMMERCE_SOCIAL_AUTH_EDX_OIDC_KEY",
                                       "ECOMMERCE_SOCIAL_AUTH_EDX_OIDC_SECRET",
                                       "ECOMMERCE_WORKER_JWT_SECRET_KEY",
                                       "EDXAPP_ANALYTICS_API_KEY",
                                       "EDXAPP_EDXAPP_SECRET_KEY",
                                       "EDXAPP_EDX_API_KEY",
                                       "EDXAPP_JWT_SECRET_KEY",
                                       "EDXAPP_PROFILE_IMAGE_SECRET_KEY",
                                       "EDX_NOTES_API_SECRET_KEY",
                                       "FORUM_API_KEY",
                                       "INSIGHTS_SECRET_KEY",
                                       "NOTIFIER_LMS_SECRET_KEY",
                                       "PROGRAMS_SECRET_KEY"};

class Builder {
public:
    Builder(const Site& site, const MasterKey& key) : site_(site), key_(key) {}

    Variables build() {
        system();
        platform();
        mail();
        repositories();
        if (site_.mysql) mysql(*site_.mysql);
        if (site_.broker) broker(*site_.broker);
        if (site_.ephemeral_databases) set("EDXAPP_IMPORT_EXPORT_BUCKET", "");
        discovery();
        ecommerce();
        secrets();
        for (const auto& extra : site_.extra) {
            for (const auto& [name, value] : extra) std::erase(out_.literal, std::string(name));
            merge(out_.values, extra);
        }
        return std::move(out_);
    }

private:
    void set(std::string_view name, Json value) { out_.values[name] = std::move(value); }
    /// Text of a person or a secret: it reaches the far end as it is.
    void set_literal(std::string_view name, const std::string& value) {
        set(name, Json(value));
        out_.literal.emplace_back(name);
    }
    void set_each(std::initializer_list<std::string_view> names, const Json& value) {
        for (const auto name : names) set(name, value);
    }
    void set_each_literal(std::initializer_list<std::string_view> names, const std::string& value) {
        for (const auto name : names) set_literal(name, value);
    }

    std::string url(Service service) const { return "https://" + site_.domain(service); }
    std::string pattern(Service service) const {
        std::vector<std::string> names;
        if (const auto external = site_.external.find(service); external != site_.external.end())
            names.push_back(external->second);
        names.push_back(site_.internal.at(service));
        return "~" + nginx_pattern(names);
    }

    void system() {
        set("COMMON_HOSTNAME", Json(site_.domain(Service::lms)));
        set("COMMON_ENVIRONMENT", "opencraft");
        set("COMMON_DEPLOYMENT", Json(site_.internal.at(Service::lms)));
        set("COMMON_FALLBACK_DNS_SERVERS", json::array{"8.8.8.8", "8.8.4.4"});
        set("COMMON_ENABLE_BASIC_AUTH", true);
        set_literal("COMMON_HTPASSWD_USER", key_.basic_auth_user());
        set_literal("COMMON_HTPASSWD_PASS", key_.basic_auth_password());
        set("COMMON_OAUTH_BASE_URL", "{{ EDXAPP_LMS_ROOT_URL }}");
        set("COMMON_JWT_SECRET_KEY", "{{ EDXAPP_JWT_SECRET_KEY }}");
        set("COMMON_JWT_AUDIENCE", "lms-key");
        set_each({"COMMON_SECURITY_UPDATES", "SECURITY_UNATTENDED_UPGRADES", "SECURITY_UPGRADE_ON_ANSIBLE"}, true);
        set("SECURITY_UPDATE_ALL_PACKAGES", false);
        set_each({"COMMON_ENABLE_NEWRELIC", "COMMON_ENABLE_NEWRELIC_APP"}, site_.new_relic_key.has_value());
        set_literal("NEWRELIC_LICENSE_KEY", site_.new_relic_key ? site_.new_relic_key->reveal() : "");
        json::array admins;
        for (const auto& name : site_.admins)
            admins.push_back(json::object{{"name", name}, {"github", true}, {"type", "admin"}});
        if (!admins.empty()) set("COMMON_USER_INFO", std::move(admins));
    }

    void platform() {
        set_literal("EDXAPP_PLATFORM_NAME", site_.display_name);
        set_each({"EDXAPP_SITE_NAME", "EDXAPP_LMS_SITE_NAME", "EDXAPP_LMS_BASE"}, Json(site_.domain(Service::lms)));
        set_each({"EDXAPP_LMS_NGINX_PORT", "EDXAPP_LMS_PREVIEW_NGINX_PORT", "EDXAPP_CMS_NGINX_PORT"}, 80);
        set_each({"EDXAPP_LMS_SSL_NGINX_PORT", "EDXAPP_CMS_SSL_NGINX_PORT"}, 443);
        set("EDXAPP_LMS_BASE_SCHEME", "https");
        set("EDXAPP_PREVIEW_LMS_BASE", Json(site_.domain(Service::lms_preview)));
        set_each({"EDXAPP_CMS_SITE_NAME", "EDXAPP_CMS_BASE"}, Json(site_.domain(Service::studio)));
        set("CMS_HOSTNAME", Json(pattern(Service::studio)));
        set_each({"EDXAPP_SESSION_COOKIE_DOMAIN", "EDXAPP_ANALYTICS_DASHBOARD_URL"}, "");
        set_each({"NGINX_SET_X_FORWARDED_HEADERS", "NGINX_ENABLE_SSL", "NGINX_REDIRECT_TO_HTTPS",
                  "EDXAPP_OAUTH_ENFORCE_SECURE"},
                 false);
        set_each({"FORUM_RACK_ENV", "FORUM_SINATRA_ENV"}, "production");
        set("EDXAPP_YOUTUBE_API_KEY", nullptr);
        set("EDXAPP_LANG", "en_US.UTF-8");
        set("EDXAPP_TIME_ZONE", "UTC");
        set("EDXAPP_ENV_EXTRA", json::object{{"LANGUAGE_CODE", "en"}});
        set("EDXAPP_WORKER_DEFAULT_STOPWAITSECS", 1200);
        json::object features;
        for (const auto* on :
             {"ALLOW_ALL_ADVANCED_COMPONENTS", "CERTIFICATES_ENABLED", "CERTIFICATES_HTML_VIEW",
              "CUSTOM_CERTIFICATE_TEMPLATES_ENABLED", "ENABLE_COMBINED_LOGIN_REGISTRATION", "ENABLE_DISCUSSION_SERVICE",
              "ENABLE_DISCUSSION_HOME_PANEL", "ENABLE_DISCUSSION_EMAIL_DIGEST", "ENABLE_DJANGO_ADMIN_SITE",
              "ENABLE_INSTRUCTOR_ANALYTICS", "ENABLE_INSTRUCTOR_EMAIL", "ENABLE_OAUTH2_PROVIDER",
              "ENABLE_GRADE_DOWNLOADS", "ENABLE_THIRD_PARTY_AUTH", "ENABLE_XBLOCK_VIEW_ENDPOINT",
              "ENABLE_SYSADMIN_DASHBOARD"})
            features[on] = true;
        for (const auto* off : {"AUTH_USE_OPENID", "ENABLE_PEARSON_HACK_TEST", "REQUIRE_COURSE_EMAIL_AUTH",
                                "USE_MICROSITES", "PREVENT_CONCURRENT_LOGINS"})
            features[off] = false;
        features["PREVIEW_LMS_BASE"] = site_.domain(Service::lms_preview);
        set("EDXAPP_FEATURES", std::move(features));
    }

    void mail() {
        set_each_literal(
            {"EDXAPP_CONTACT_EMAIL", "EDXAPP_TECH_SUPPORT_EMAIL", "EDXAPP_BUGS_EMAIL",
             "EDXAPP_FEEDBACK_SUBMISSION_EMAIL", "EDXAPP_DEFAULT_FROM_EMAIL", "EDXAPP_DEFAULT_FEEDBACK_EMAIL",
             "EDXAPP_SERVER_EMAIL", "EDXAPP_BULK_EMAIL_DEFAULT_FROM_EMAIL", "ECOMMERCE_OSCAR_FROM_EMAIL",
             "NOTIFIER_DIGEST_EMAIL_SENDER"},
            site_.email);
        set("EDXAPP_EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend");
        set("NOTIFIER_EMAIL_BACKEND", "smtp");
        set_each({"EDXAPP_EMAIL_HOST", "NOTIFIER_EMAIL_HOST"}, "localhost");
        set_each({"EDXAPP_EMAIL_PORT", "NOTIFIER_EMAIL_PORT"}, 25);
        set_each({"EDXAPP_EMAIL_HOST_USER", "EDXAPP_EMAIL_HOST_PASSWORD", "NOTIFIER_EMAIL_USER", "NOTIFIER_EMAIL_PASS"},
                 "");
        set_each({"EDXAPP_EMAIL_USE_TLS", "NOTIFIER_EMAIL_USE_TLS"}, false);
        set("NOTIFIER_DIGEST_TASK_INTERVAL", "1440");
        set("NOTIFIER_LMS_URL_BASE", Json(url(Service::lms)));
        set("NOTIFIER_LOGO_IMAGE_URL", Json(url(Service::lms) + "/static/images/logo.png"));
        if (!site_.mail_relay) return;
        const auto& relay = *site_.mail_relay;
        set("POSTFIX_QUEUE_EXTERNAL_SMTP_HOST", Json(relay.host));
        set("POSTFIX_QUEUE_EXTERNAL_SMTP_PORT", Json(std::to_string(relay.port)));
        set_literal("POSTFIX_QUEUE_EXTERNAL_SMTP_USER", relay.username.reveal());
        set_literal("POSTFIX_QUEUE_EXTERNAL_SMTP_PASSWORD", relay.password.reveal());
        set("POSTFIX_QUEUE_HEADER_CHECKS", "/^From:(.*)$/   PREPEND Reply-To:$1");
        const auto& lms = site_.internal.at(Service::lms);
        const auto sender = relay.sender_domain.empty() ? lms.substr(lms.find('.') + 1) : relay.sender_domain;
        set_literal("POSTFIX_QUEUE_SENDER_CANONICAL_MAPS", "@" + site_.email.substr(site_.email.find('@') + 1) + "  " +
                                                               site_.domain(Service::lms) + "@" + sender);
    }

    void repositories() {
        set("edx_ansible_source_repo", Json(site_.configuration_repository));
        set("configuration_version", Json(site_.configuration_version));
        set("edx_platform_repo", Json(site_.platform_repository));
        set("edx_platform_version", Json(site_.platform_commit));
        set_each({"forum_version", "xqueue_version", "certs_version", "NOTIFIER_VERSION", "ANALYTICS_API_VERSION",
                  "INSIGHTS_VERSION", "ECOMMERCE_VERSION"},
                 Json(site_.release));
    }

    void mysql(const MySqlAccess& access) {
        const auto database = [&](std::string_view suffix) {
            return access.database_prefix + "_" + std::string(suffix);
        };
        const auto user = [&](std::string_view suffix) { return access.user_prefix + "_" + std::string(suffix); };
        const auto password = [&](std::string_view suffix) { return mysql_password(access.key, user(suffix)); };
        const auto group = [&](const std::string& prefix, std::string_view data, std::string_view who) {
            set(prefix + "DB_NAME", Json(database(data)));
            set(prefix + "USER", Json(user(who)));
            set_literal(prefix + "PASSWORD", password(who));
            set(prefix + "HOST", Json(access.host));
            set(prefix + "PORT", access.port);
        };
        const auto django = [&](std::string_view data, std::string_view who) {
            return json::object{{"ENGINE", django_mysql},    {"NAME", database(data)}, {"USER", user(who)},
                                {"PASSWORD", password(who)}, {"HOST", access.host},    {"PORT", access.port}};
        };
        const auto pooled = [&](std::string_view data, std::string_view who) {
            auto out = django(data, who);
            out["ATOMIC_REQUESTS"] = true;
            out["CONN_MAX_AGE"] = 60;
            return out;
        };
        group("EDXAPP_MYSQL_", "edxapp", "edxapp");
        group("EDXAPP_MYSQL_CSMH_", "edxapp_csmh", "edxapp");
        group("XQUEUE_MYSQL_", "xqueue", "xqueue");
        set("ECOMMERCE_DEFAULT_DB_NAME", Json(database("ecommerce")));
        set("ECOMMERCE_DATABASES", json::object{{"default", pooled("ecommerce", "ecommerce")}});
        set("INSIGHTS_DATABASE_NAME", Json(database("dashboard")));
        set("INSIGHTS_DATABASES", json::object{{"default", django("dashboard", "dashboard")}});
        set("EDX_NOTES_API_MYSQL_DB_NAME", Json(database("edx_notes_api")));
        set("EDX_NOTES_API_MYSQL_DB_USER", Json(user("notes")));
        set_literal("EDX_NOTES_API_MYSQL_DB_PASS", password("notes"));
        set("EDX_NOTES_API_MYSQL_HOST", Json(access.host));
        set("NOTIFIER_DATABASE_ENGINE", django_mysql);
        set("NOTIFIER_DATABASE_NAME", Json(database("notifier")));
        set("NOTIFIER_DATABASE_USER", Json(user("notifier")));
        set_literal("NOTIFIER_DATABASE_PASSWORD", password("notifier"));
        set("NOTIFIER_DATABASE_HOST", Json(access.host));
        set("NOTIFIER_DATABASE_PORT", access.port);
        set("PROGRAMS_DEFAULT_DB_NAME", Json(database("programs")));
        set("PROGRAMS_DATABASES", json::object{{"default", pooled("programs", "program")}});
        set("ANALYTICS_API_DEFAULT_DB_NAME", Json(database("analytics_api")));
        set("ANALYTICS_API_REPORTS_DB_NAME", Json(database("reports")));
        set("ANALYTICS_API_DATABASES",
            json::object{{"default", django("analytics_api", "api")}, {"reports", django("reports", "reports")}});
        set("DISCOVERY_MYSQL", Json(access.host));
        set("DISCOVERY_DEFAULT_DB_NAME", Json(database("discovery")));
        set("DISCOVERY_MYSQL_USER", Json(user("discovery")));
        set_literal("DISCOVERY_MYSQL_PASSWORD", password("discovery"));
        for (const auto& [variable, suffix] :
             {std::pair{"MIGRATE", "migrate"}, {"READ_ONLY", "read_only"}, {"ADMIN", "admin"}}) {
            set("COMMON_MYSQL_" + std::string(variable) + "_USER", Json(user(suffix)));
            set_literal("COMMON_MYSQL_" + std::string(variable) + "_PASS", password(suffix));
        }
    }

    void broker(const BrokerAccess& access) {
        set("XQUEUE_RABBITMQ_USER", Json(access.provider));
        set_literal("XQUEUE_RABBITMQ_PASS", access.provider_password.reveal());
        set_each({"XQUEUE_RABBITMQ_VHOST", "EDXAPP_CELERY_BROKER_VHOST"}, Json(access.vhost));
        set("XQUEUE_RABBITMQ_HOSTNAME", Json(access.host));
        set("XQUEUE_RABBITMQ_PORT", access.port);
        set_each({"XQUEUE_RABBITMQ_TLS", "EDXAPP_CELERY_BROKER_USE_SSL"}, access.tls);
        set("EDXAPP_CELERY_USER", Json(access.consumer));
        set_literal("EDXAPP_CELERY_PASSWORD", access.consumer_password.reveal());
        const Json address(access.host + ":" + std::to_string(access.port));
        // the second is what it is called since Hawthorn; and since Koa the transport is Redis unless one says so
        set_each({"EDXAPP_RABBIT_HOSTNAME", "EDXAPP_CELERY_BROKER_HOSTNAME"}, address);
        set("EDXAPP_CELERY_BROKER_TRANSPORT", "amqp");
    }

    void discovery() {
        set("SANDBOX_ENABLE_DISCOVERY", false);
        set("DISCOVERY_ELASTICSEARCH_URL", "http://localhost:9200");
        set("DISCOVERY_URL_ROOT", Json(url(Service::discovery)));
        set("DISCOVERY_HOSTNAME", Json(pattern(Service::discovery)));
        set("DISCOVERY_NGINX_PORT", 80);
        set("DISCOVERY_SSL_NGINX_PORT", 443);
    }

    void ecommerce() {
        const auto root = url(Service::ecommerce), lms = url(Service::lms);
        set("SANDBOX_ENABLE_ECOMMERCE", false);
        set("ECOMMERCE_NGINX_PORT", 80);
        set("ECOMMERCE_SSL_NGINX_PORT", 443);
        set("ECOMMERCE_HOSTNAME", Json(pattern(Service::ecommerce)));
        set_each({"ECOMMERCE_ECOMMERCE_URL_ROOT", "EDXAPP_ECOMMERCE_PUBLIC_URL_ROOT"}, Json(root));
        set("EDXAPP_ECOMMERCE_API_URL", Json(root + "/api/v2"));
        set_each({"ECOMMERCE_SUPPORT_URL", "ECOMMERCE_LMS_URL_ROOT"}, Json(lms));
        set("ECOMMERCE_COURSE_CATALOG_URL", Json(url(Service::discovery)));
        set("ECOMMERCE_PLATFORM_NAME", "{{ EDXAPP_PLATFORM_NAME }}");
        // The operator's to fill in by extra variables; the playbooks want them to be there.
        set_each({"ECOMMERCE_CYBERSOURCE_PROFILE_ID", "ECOMMERCE_CYBERSOURCE_MERCHANT_ID",
                  "ECOMMERCE_CYBERSOURCE_ACCESS_KEY", "ECOMMERCE_CYBERSOURCE_TRANSACTION_KEY", "ECOMMERCE_PAYPAL_MODE",
                  "ECOMMERCE_PAYPAL_CLIENT_ID", "ECOMMERCE_PAYPAL_CLIENT_SECRET"},
                 "SET-ME-PLEASE");
        set_each({"ECOMMERCE_CYBERSOURCE_PAYMENT_PAGE_URL", "ECOMMERCE_CYBERSOURCE_SOAP_API_URL"},
                 "https://set-me-please");
        const std::string checkout = "{{ EDXAPP_LMS_ROOT_URL }}/commerce/checkout/";
        set_each({"ECOMMERCE_CYBERSOURCE_RECEIPT_PAGE_URL", "ECOMMERCE_PAYPAL_RECEIPT_URL"},
                 Json(checkout + "receipt/"));
        set_each({"ECOMMERCE_CYBERSOURCE_CANCEL_PAGE_URL", "ECOMMERCE_PAYPAL_CANCEL_URL"}, Json(checkout + "cancel/"));
        set("ECOMMERCE_PAYPAL_ERROR_URL", Json(checkout + "error/"));
    }

    void secrets() {
        for (const auto* variable : derived_variables) set_literal(variable, key_.derived(variable));
        set_each_literal({"ECOMMERCE_EDX_API_KEY", "NOTIFIER_USER_SERVICE_API_KEY"},
                         key_.derived("EDXAPP_EDX_API_KEY"));
        set_each_literal({"EDXAPP_COMMENTS_SERVICE_KEY", "NOTIFIER_COMMENT_SERVICE_API_KEY"},
                         key_.derived("FORUM_API_KEY"));
    }

    const Site& site_;
    const MasterKey& key_;
    Variables out_;
};

/// Takes the first character off `text`, which is UTF-8.
std::uint32_t take_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length && k < text.size(); ++k)
        point = point << 6 | (static_cast<unsigned char>(text[k]) & 0x3FU);
    text.remove_prefix(std::min(length, text.size()));
    return point;
}

/// A text in YAML's double quotes, in ASCII only: readers of YAML 1.1 fold some line breaks beyond it and refuse
/// other characters.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    char escape[16];
    while (!text.empty()) {
        const auto point = take_point(text);
        if (point == '"' || point == '\\')
            out.append({'\\', static_cast<char>(point)});
        else if (point >= 0x20 && point < 0x7F)
            out += static_cast<char>(point);
        else {
            std::snprintf(escape, sizeof escape, point > 0xFFFF ? "\\U%08X" : "\\u%04X", point);
            out += escape;
        }
    }
    return out + "\"";
}

/// A value in YAML's flow form, on one line.
std::string flow(const Json& value) {
    if (const auto* text = value.if_string()) return quoted(*text);
    if (const auto* items = value.if_array()) {
        std::string out = "[";
        for (const auto& item : *items) out += (out.size() > 1 ? ", " : "") + flow(item);
        return out + "]";
    }
    if (const auto* fields = value.if_object()) {
        std::string out = "{";
        for (const auto& [name, field] : *fields)
            out += (out.size() > 1 ? ", " : "") + quoted(name) + ": " + flow(field);
        return out + "}";
    }
    auto text = api::to_text(value);
    // to YAML 1.1 a number with an exponent and without a point is a text
    if (const auto exponent = text.find('e'); value.is_double() && exponent != std::string::npos)
        if (text.find('.') == std::string::npos) text.insert(exponent, ".0");
    return text;
}

bool names_a_secret(std::string_view name) {
    std::string lower(name);
    for (auto& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    for (const auto* word : {"pass", "pwd", "secret", "key", "token", "credential", "auth_", "authoriz", "dsn"})
        if (lower.find(word) != std::string::npos) return true;
    return lower.ends_with("auth");
}

/// JSON's text with what is beyond ASCII as \uXXXX, in pairs beyond U+FFFF (RFC 8259 section 7).
std::string ascii_only(std::string_view text) {
    std::string out;
    const auto add = [&](std::uint32_t unit) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", unit & 0xFFFFU);
        out += escape;
    };
    while (!text.empty()) {
        const auto point = take_point(text);
        if (point < 0x80) {
            out += static_cast<char>(point);
        } else if (point > 0xFFFF) {
            add(0xD800 + ((point - 0x10000) >> 10));
            add(0xDC00 + ((point - 0x10000) & 0x3FF));
        } else {
            add(point);
        }
    }
    return out;
}

void collect_secrets(std::string_view name, const json::value& value, bool secret, std::vector<Secret>& out) {
    constexpr std::size_t length_min = 6;  // masking shorter texts would make a log unreadable
    if (const auto* fields = value.if_object())
        for (const auto& [inner, field] : *fields) collect_secrets(inner, field, secret, out);
    if (const auto* items = value.if_array())
        for (const auto& item : *items) collect_secrets(name, item, secret, out);
    const auto* text = value.if_string();
    if (!text || text->size() < length_min || !(secret || names_a_secret(name))) return;
    out.emplace_back(std::string(*text));
    // as Ansible shows it: in JSON, with what is beyond ASCII as it is or escaped
    const auto json = api::to_text(value);
    for (auto escaped : {json.substr(1, json.size() - 2), ascii_only(json.substr(1, json.size() - 2))})
        if (escaped != *text) out.emplace_back(std::move(escaped));
}

}  // namespace

const std::string& Site::domain(Service service) const {
    const auto found = external.find(service);
    return found != external.end() ? found->second : internal.at(service);
}

Variables variables(const Site& site, const MasterKey& key) { return Builder(site, key).build(); }

void merge(json::object& base, const json::object& over) {
    for (const auto& [name, value] : over) {
        auto* mine = base.if_contains(name);
        if (mine && mine->is_object() && value.is_object())
            merge(mine->get_object(), value.get_object());
        else
            base[name] = value;
    }
}

std::string Variables::document() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : values) names.emplace_back(name);
    std::ranges::sort(names);
    std::string out;
    for (const auto& name : names) {
        const bool is_literal = std::ranges::find(literal, name) != literal.end();
        out += quoted(name) + ": " + (is_literal ? "!unsafe " : "") + flow(values.at(name)) + "\n";
    }
    return out;
}

std::vector<Secret> Variables::secrets(const std::vector<std::string>& wholly) const {
    std::vector<Secret> out;
    for (const auto& [name, value] : values)
        collect_secrets(name, value, std::ranges::find(wholly, name) != wholly.end(), out);
    // one that holds another goes first
    std::ranges::sort(out, std::ranges::greater(), [](const Secret& secret) { return secret.reveal().size(); });
    return out;
}

}  // namespace ocim::openedx
