#include "openedx/variable_tables.hpp"

#include <array>
#include <set>

namespace ocim::openedx {
namespace {

using api::Json;
namespace json = api::json;

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

std::string lower(std::string text) {
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

std::string url(const Site& site, Service service) { return "https://" + site.domain(service); }
std::string pattern(const Site& site, Service service) {
    std::vector<std::string> names;
    if (const auto external = site.external.find(service); external != site.external.end())
        names.push_back(external->second);
    names.push_back(site.internal.at(service));
    return "~" + nginx_pattern(names);
}

void add_system(VariableSink& out, const Site& site, const MasterKey& key) {
    out.set("COMMON_HOSTNAME", Json(site.domain(Service::lms)));
    out.set("COMMON_ENVIRONMENT", "opencraft");
    out.set("COMMON_DEPLOYMENT", Json(site.internal.at(Service::lms)));
    out.set("COMMON_FALLBACK_DNS_SERVERS", json::array{"8.8.8.8", "8.8.4.4"});
    out.set("COMMON_ENABLE_BASIC_AUTH", true);
    out.set_literal("COMMON_HTPASSWD_USER", key.basic_auth_user());
    out.set_literal("COMMON_HTPASSWD_PASS", key.basic_auth_password());
    out.set("COMMON_OAUTH_BASE_URL", "{{ EDXAPP_LMS_ROOT_URL }}");
    out.set("COMMON_JWT_SECRET_KEY", "{{ EDXAPP_JWT_SECRET_KEY }}");
    out.set("COMMON_JWT_AUDIENCE", "lms-key");
    out.set_each({"COMMON_SECURITY_UPDATES", "SECURITY_UNATTENDED_UPGRADES", "SECURITY_UPGRADE_ON_ANSIBLE"}, true);
    out.set("SECURITY_UPDATE_ALL_PACKAGES", false);
    json::array admins;
    std::set<std::string> there;  // GitHub knows no difference between a and A
    for (const auto* names : {&site.organization_members, &site.admins})
        for (const auto& name : *names)
            if (there.insert(lower(name)).second)
                admins.push_back(json::object{{"name", name}, {"github", true}, {"type", "admin"}});
    if (!admins.empty()) out.set("COMMON_USER_INFO", std::move(admins));
}

void add_platform(VariableSink& out, const Site& site, const MasterKey&) {
    out.set_literal("EDXAPP_PLATFORM_NAME", site.display_name);
    out.set_each({"EDXAPP_SITE_NAME", "EDXAPP_LMS_SITE_NAME", "EDXAPP_LMS_BASE"}, Json(site.domain(Service::lms)));
    out.set_each({"EDXAPP_LMS_NGINX_PORT", "EDXAPP_LMS_PREVIEW_NGINX_PORT", "EDXAPP_CMS_NGINX_PORT"}, 80);
    out.set_each({"EDXAPP_LMS_SSL_NGINX_PORT", "EDXAPP_CMS_SSL_NGINX_PORT"}, 443);
    out.set("EDXAPP_LMS_BASE_SCHEME", "https");
    out.set("EDXAPP_PREVIEW_LMS_BASE", Json(site.domain(Service::lms_preview)));
    out.set_each({"EDXAPP_CMS_SITE_NAME", "EDXAPP_CMS_BASE"}, Json(site.domain(Service::studio)));
    out.set("CMS_HOSTNAME", Json(pattern(site, Service::studio)));
    out.set_each({"EDXAPP_SESSION_COOKIE_DOMAIN", "EDXAPP_ANALYTICS_DASHBOARD_URL"}, "");
    out.set_each(
        {"NGINX_SET_X_FORWARDED_HEADERS", "NGINX_ENABLE_SSL", "NGINX_REDIRECT_TO_HTTPS", "EDXAPP_OAUTH_ENFORCE_SECURE"},
        false);
    out.set_each({"FORUM_RACK_ENV", "FORUM_SINATRA_ENV"}, "production");
    out.set("EDXAPP_YOUTUBE_API_KEY", nullptr);
    out.set("EDXAPP_LANG", "en_US.UTF-8");
    out.set("EDXAPP_TIME_ZONE", "UTC");
    out.set("EDXAPP_ENV_EXTRA", json::object{{"LANGUAGE_CODE", "en"}});
    out.set("EDXAPP_WORKER_DEFAULT_STOPWAITSECS", 1200);
    json::object features;
    for (const auto* on :
         {"ALLOW_ALL_ADVANCED_COMPONENTS", "CERTIFICATES_ENABLED", "CERTIFICATES_HTML_VIEW",
          "CUSTOM_CERTIFICATE_TEMPLATES_ENABLED", "ENABLE_COMBINED_LOGIN_REGISTRATION", "ENABLE_DISCUSSION_SERVICE",
          "ENABLE_DISCUSSION_HOME_PANEL", "ENABLE_DISCUSSION_EMAIL_DIGEST", "ENABLE_DJANGO_ADMIN_SITE",
          "ENABLE_INSTRUCTOR_ANALYTICS", "ENABLE_INSTRUCTOR_EMAIL", "ENABLE_OAUTH2_PROVIDER", "ENABLE_GRADE_DOWNLOADS",
          "ENABLE_THIRD_PARTY_AUTH", "ENABLE_XBLOCK_VIEW_ENDPOINT", "ENABLE_SYSADMIN_DASHBOARD"})
        features[on] = true;
    for (const auto* off : {"AUTH_USE_OPENID", "ENABLE_PEARSON_HACK_TEST", "REQUIRE_COURSE_EMAIL_AUTH",
                            "USE_MICROSITES", "PREVENT_CONCURRENT_LOGINS"})
        features[off] = false;
    features["PREVIEW_LMS_BASE"] = site.domain(Service::lms_preview);
    out.set("EDXAPP_FEATURES", std::move(features));
}

void add_mail(VariableSink& out, const Site& site, const MasterKey&) {
    out.set_each_literal(
        {"EDXAPP_CONTACT_EMAIL", "EDXAPP_TECH_SUPPORT_EMAIL", "EDXAPP_BUGS_EMAIL", "EDXAPP_FEEDBACK_SUBMISSION_EMAIL",
         "EDXAPP_DEFAULT_FROM_EMAIL", "EDXAPP_DEFAULT_FEEDBACK_EMAIL", "EDXAPP_SERVER_EMAIL",
         "EDXAPP_BULK_EMAIL_DEFAULT_FROM_EMAIL", "ECOMMERCE_OSCAR_FROM_EMAIL", "NOTIFIER_DIGEST_EMAIL_SENDER"},
        site.email);
    out.set("EDXAPP_EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend");
    out.set("NOTIFIER_EMAIL_BACKEND", "smtp");
    out.set_each({"EDXAPP_EMAIL_HOST", "NOTIFIER_EMAIL_HOST"}, "localhost");
    out.set_each({"EDXAPP_EMAIL_PORT", "NOTIFIER_EMAIL_PORT"}, 25);
    out.set_each({"EDXAPP_EMAIL_HOST_USER", "EDXAPP_EMAIL_HOST_PASSWORD", "NOTIFIER_EMAIL_USER", "NOTIFIER_EMAIL_PASS"},
                 "");
    out.set_each({"EDXAPP_EMAIL_USE_TLS", "NOTIFIER_EMAIL_USE_TLS"}, false);
    out.set("NOTIFIER_DIGEST_TASK_INTERVAL", "1440");
    out.set("NOTIFIER_LMS_URL_BASE", Json(url(site, Service::lms)));
    out.set("NOTIFIER_LOGO_IMAGE_URL", Json(url(site, Service::lms) + "/static/images/logo.png"));
    if (!site.mail_relay) return;
    const auto& relay = *site.mail_relay;
    out.set("POSTFIX_QUEUE_EXTERNAL_SMTP_HOST", Json(relay.host));
    out.set("POSTFIX_QUEUE_EXTERNAL_SMTP_PORT", Json(std::to_string(relay.port)));
    out.set_literal("POSTFIX_QUEUE_EXTERNAL_SMTP_USER", relay.username.reveal());
    out.set_literal("POSTFIX_QUEUE_EXTERNAL_SMTP_PASSWORD", relay.password.reveal());
    out.set("POSTFIX_QUEUE_HEADER_CHECKS", "/^From:(.*)$/   PREPEND Reply-To:$1");
    const auto& lms = site.internal.at(Service::lms);
    const auto sender = relay.sender_domain.empty() ? lms.substr(lms.find('.') + 1) : relay.sender_domain;
    out.set_literal("POSTFIX_QUEUE_SENDER_CANONICAL_MAPS", "@" + site.email.substr(site.email.find('@') + 1) + "  " +
                                                               site.domain(Service::lms) + "@" + sender);
}

void add_repositories(VariableSink& out, const Site& site, const MasterKey&) {
    out.set("edx_ansible_source_repo", Json(site.configuration_repository));
    // lower-case names are those of older playbooks
    out.set_each({"configuration_version", "CONFIGURATION_VERSION"}, Json(site.configuration_version));
    out.set("edx_platform_repo", Json(site.platform_repository));
    out.set_each({"edx_platform_version", "EDX_PLATFORM_VERSION"}, Json(site.platform_commit));
    out.set_each({"forum_version", "xqueue_version", "certs_version", "NOTIFIER_VERSION", "ANALYTICS_API_VERSION",
                  "INSIGHTS_VERSION", "ECOMMERCE_VERSION", "FORUM_VERSION", "XQUEUE_VERSION", "DEMO_VERSION",
                  "DISCOVERY_VERSION", "THEMES_VERSION", "MFE_DEPLOY_VERSION"},
                 Json(site.release));
}

void add_new_relic(VariableSink& out, const Site& site, const MasterKey&) {
    out.set_each({"COMMON_ENABLE_NEWRELIC", "COMMON_ENABLE_NEWRELIC_APP"}, site.new_relic_key.has_value());
    out.set_literal("NEWRELIC_LICENSE_KEY", site.new_relic_key ? site.new_relic_key->reveal() : "");
}

void add_discovery(VariableSink& out, const Site& site, const MasterKey&) {
    out.set("SANDBOX_ENABLE_DISCOVERY", false);
    out.set("DISCOVERY_ELASTICSEARCH_URL", "http://localhost:9200");
    out.set("DISCOVERY_URL_ROOT", Json(url(site, Service::discovery)));
    out.set("DISCOVERY_HOSTNAME", Json(pattern(site, Service::discovery)));
    out.set("DISCOVERY_NGINX_PORT", 80);
    out.set("DISCOVERY_SSL_NGINX_PORT", 443);
}

void add_ecommerce(VariableSink& out, const Site& site, const MasterKey&) {
    const auto root = url(site, Service::ecommerce), lms = url(site, Service::lms);
    out.set("SANDBOX_ENABLE_ECOMMERCE", false);
    out.set("ECOMMERCE_NGINX_PORT", 80);
    out.set("ECOMMERCE_SSL_NGINX_PORT", 443);
    out.set("ECOMMERCE_HOSTNAME", Json(pattern(site, Service::ecommerce)));
    out.set_each({"ECOMMERCE_ECOMMERCE_URL_ROOT", "EDXAPP_ECOMMERCE_PUBLIC_URL_ROOT"}, Json(root));
    out.set("EDXAPP_ECOMMERCE_API_URL", Json(root + "/api/v2"));
    out.set_each({"ECOMMERCE_SUPPORT_URL", "ECOMMERCE_LMS_URL_ROOT"}, Json(lms));
    out.set("ECOMMERCE_COURSE_CATALOG_URL", Json(url(site, Service::discovery)));
    out.set("ECOMMERCE_PLATFORM_NAME", "{{ EDXAPP_PLATFORM_NAME }}");
    // The operator's to fill in by extra variables; the playbooks want them to be there.
    out.set_each({"ECOMMERCE_CYBERSOURCE_PROFILE_ID", "ECOMMERCE_CYBERSOURCE_MERCHANT_ID",
                  "ECOMMERCE_CYBERSOURCE_ACCESS_KEY", "ECOMMERCE_CYBERSOURCE_TRANSACTION_KEY", "ECOMMERCE_PAYPAL_MODE",
                  "ECOMMERCE_PAYPAL_CLIENT_ID", "ECOMMERCE_PAYPAL_CLIENT_SECRET"},
                 "SET-ME-PLEASE");
    out.set_each({"ECOMMERCE_CYBERSOURCE_PAYMENT_PAGE_URL", "ECOMMERCE_CYBERSOURCE_SOAP_API_URL"},
                 "https://set-me-please");
    const std::string checkout = "{{ EDXAPP_LMS_ROOT_URL }}/commerce/checkout/";
    out.set_each({"ECOMMERCE_CYBERSOURCE_RECEIPT_PAGE_URL", "ECOMMERCE_PAYPAL_RECEIPT_URL"},
                 Json(checkout + "receipt/"));
    out.set_each({"ECOMMERCE_CYBERSOURCE_CANCEL_PAGE_URL", "ECOMMERCE_PAYPAL_CANCEL_URL"}, Json(checkout + "cancel/"));
    out.set("ECOMMERCE_PAYPAL_ERROR_URL", Json(checkout + "error/"));
}

void add_secrets(VariableSink& out, const Site&, const MasterKey& key) {
    for (const auto* variable : derived_variables) out.set_literal(variable, key.derived(variable));
    out.set_each_literal({"ECOMMERCE_EDX_API_KEY", "NOTIFIER_USER_SERVICE_API_KEY"}, key.derived("EDXAPP_EDX_API_KEY"));
    out.set_each_literal({"EDXAPP_COMMENTS_SERVICE_KEY", "NOTIFIER_COMMENT_SERVICE_API_KEY"},
                         key.derived("FORUM_API_KEY"));
}

constexpr std::array tables{
    VariableTable{"system", add_system},       VariableTable{"platform", add_platform},
    VariableTable{"mail", add_mail},           VariableTable{"repositories", add_repositories},
    VariableTable{"mysql", add_mysql},         VariableTable{"mongodb", add_mongodb},
    VariableTable{"rabbitmq", add_rabbitmq},   VariableTable{"storage", add_storage},
    VariableTable{"new-relic", add_new_relic}, VariableTable{"discovery", add_discovery},
    VariableTable{"ecommerce", add_ecommerce}, VariableTable{"secrets", add_secrets},
};

}  // namespace

std::span<const VariableTable> variable_tables() { return tables; }

}  // namespace ocim::openedx
