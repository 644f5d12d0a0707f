#include "openedx/variable_tables.hpp"

/// Where a site's data is.
namespace ocim::openedx {

using api::Json;
namespace json = api::json;

namespace {

constexpr auto engine = "django.db.backends.mysql";

}  // namespace

void add_mysql(VariableSink& out, const Site& site, const MasterKey&) {
    if (!site.mysql) return;
    const auto& access = *site.mysql;
    const auto database = [&](std::string_view suffix) { return access.database_prefix + "_" + std::string(suffix); };
    const auto user = [&](std::string_view suffix) { return access.user_prefix + "_" + std::string(suffix); };
    const auto password = [&](std::string_view suffix) { return mysql_password(access.key, user(suffix)); };
    const auto group = [&](const std::string& prefix, std::string_view data, std::string_view who) {
        out.set(prefix + "DB_NAME", Json(database(data)));
        out.set(prefix + "USER", Json(user(who)));
        out.set_literal(prefix + "PASSWORD", password(who));
        out.set(prefix + "HOST", Json(access.host));
        out.set(prefix + "PORT", access.port);
    };
    const auto django = [&](std::string_view data, std::string_view who) {
        return json::object{{"ENGINE", engine},          {"NAME", database(data)}, {"USER", user(who)},
                            {"PASSWORD", password(who)}, {"HOST", access.host},    {"PORT", access.port}};
    };
    const auto pooled = [&](std::string_view data, std::string_view who) {
        auto pool = django(data, who);
        pool["ATOMIC_REQUESTS"] = true;
        pool["CONN_MAX_AGE"] = 60;
        return pool;
    };
    group("EDXAPP_MYSQL_", "edxapp", "edxapp");
    group("EDXAPP_MYSQL_CSMH_", "edxapp_csmh", "edxapp");
    group("XQUEUE_MYSQL_", "xqueue", "xqueue");
    out.set("ECOMMERCE_DEFAULT_DB_NAME", Json(database("ecommerce")));
    out.set("ECOMMERCE_DATABASES", json::object{{"default", pooled("ecommerce", "ecommerce")}});
    out.set("INSIGHTS_DATABASE_NAME", Json(database("dashboard")));
    out.set("INSIGHTS_DATABASES", json::object{{"default", django("dashboard", "dashboard")}});
    out.set("EDX_NOTES_API_MYSQL_DB_NAME", Json(database("edx_notes_api")));
    out.set("EDX_NOTES_API_MYSQL_DB_USER", Json(user("notes")));
    out.set_literal("EDX_NOTES_API_MYSQL_DB_PASS", password("notes"));
    out.set("EDX_NOTES_API_MYSQL_HOST", Json(access.host));
    out.set("NOTIFIER_DATABASE_ENGINE", engine);
    out.set("NOTIFIER_DATABASE_NAME", Json(database("notifier")));
    out.set("NOTIFIER_DATABASE_USER", Json(user("notifier")));
    out.set_literal("NOTIFIER_DATABASE_PASSWORD", password("notifier"));
    out.set("NOTIFIER_DATABASE_HOST", Json(access.host));
    out.set("NOTIFIER_DATABASE_PORT", access.port);
    out.set("PROGRAMS_DEFAULT_DB_NAME", Json(database("programs")));
    out.set("PROGRAMS_DATABASES", json::object{{"default", pooled("programs", "program")}});
    out.set("ANALYTICS_API_DEFAULT_DB_NAME", Json(database("analytics_api")));
    out.set("ANALYTICS_API_REPORTS_DB_NAME", Json(database("reports")));
    out.set("ANALYTICS_API_DATABASES",
            json::object{{"default", django("analytics_api", "api")}, {"reports", django("reports", "reports")}});
    out.set("DISCOVERY_MYSQL", Json(access.host));
    out.set("DISCOVERY_DEFAULT_DB_NAME", Json(database("discovery")));
    out.set("DISCOVERY_MYSQL_USER", Json(user("discovery")));
    out.set_literal("DISCOVERY_MYSQL_PASSWORD", password("discovery"));
    for (const auto& [variable, suffix] :
         {std::pair{"MIGRATE", "migrate"}, {"READ_ONLY", "read_only"}, {"ADMIN", "admin"}}) {
        out.set("COMMON_MYSQL_" + std::string(variable) + "_USER", Json(user(suffix)));
        out.set_literal("COMMON_MYSQL_" + std::string(variable) + "_PASS", password(suffix));
    }
}

void add_rabbitmq(VariableSink& out, const Site& site, const MasterKey&) {
    if (!site.broker) return;
    const auto& access = *site.broker;
    out.set("XQUEUE_RABBITMQ_USER", Json(access.provider));
    out.set_literal("XQUEUE_RABBITMQ_PASS", access.provider_password.reveal());
    out.set_each({"XQUEUE_RABBITMQ_VHOST", "EDXAPP_CELERY_BROKER_VHOST"}, Json(access.vhost));
    out.set("XQUEUE_RABBITMQ_HOSTNAME", Json(access.host));
    out.set("XQUEUE_RABBITMQ_PORT", access.port);
    out.set_each({"XQUEUE_RABBITMQ_TLS", "EDXAPP_CELERY_BROKER_USE_SSL"}, access.tls);
    out.set("EDXAPP_CELERY_USER", Json(access.consumer));
    out.set_literal("EDXAPP_CELERY_PASSWORD", access.consumer_password.reveal());
    const Json address(access.host + ":" + std::to_string(access.port));
    out.set("EDXAPP_RABBIT_HOSTNAME", address);
    // what it is called since Hawthorn; and since Koa the transport is Redis unless one says so
    out.set("EDXAPP_CELERY_BROKER_HOSTNAME", address);
    out.set("EDXAPP_CELERY_BROKER_TRANSPORT", "amqp");
}

void add_mongodb(VariableSink& out, const Site& site, const MasterKey&) {
    if (!site.mongodb) return;
    const auto& access = *site.mongodb;
    for (const auto* prefix : {"EDXAPP_MONGO_", "FORUM_MONGO_"}) {
        const std::string group(prefix);
        out.set(group + "USER", Json(access.user));
        out.set_literal(group + "PASSWORD", access.password.reveal());
        out.set(group + "HOSTS", json::array(access.hosts.begin(), access.hosts.end()));
        out.set(group + "PORT", access.port);
    }
    out.set("EDXAPP_MONGO_DB_NAME", Json(access.database));
    if (!access.replica_set.empty()) out.set("EDXAPP_MONGO_REPLICA_SET", Json(access.replica_set));
    if (!access.auth_source.empty()) out.set("EDXAPP_MONGO_AUTH_DB", Json(access.auth_source));
    if (access.tls) out.set_each({"EDXAPP_MONGO_USE_SSL"}, true);
    out.set("FORUM_MONGO_DATABASE", Json(access.database + "_forum"));
}

namespace {

void add_swift(VariableSink& out, const SwiftAccess& access) {
    out.set_each({"COMMON_ENABLE_OPENSTACK_INTEGRATION", "COMMON_OBJECT_STORE_LOG_SYNC"}, true);
    out.set_each({"COMMON_EDXAPP_SETTINGS", "EDXAPP_SETTINGS", "VHOST_NAME"}, "openstack");
    out.set("XQUEUE_SETTINGS", "openstack_settings");
    out.set("COMMON_VHOST_ROLE_NAME", "{{ VHOST_NAME }}");
    out.set_each({"EDXAPP_DEFAULT_FILE_STORAGE", "EDXAPP_GRADE_STORAGE_CLASS"}, "swift.storage.SwiftStorage");
    out.set_each(
        {"EDXAPP_FILE_UPLOAD_STORAGE_BUCKET_NAME", "XQUEUE_UPLOAD_BUCKET", "COMMON_OBJECT_STORE_LOG_SYNC_BUCKET"},
        Json(access.container));
    out.set("EDXAPP_SWIFT_AUTH_VERSION", Json(access.auth_version));
    out.set("XQUEUE_SWIFT_AUTH_VERSION", "{{ EDXAPP_SWIFT_AUTH_VERSION }}");
    for (const auto* prefix : {"EDXAPP_SWIFT_", "XQUEUE_SWIFT_", "SWIFT_LOG_SYNC_"}) {
        const std::string group(prefix);
        out.set_literal(group + "USERNAME", access.user);
        out.set_literal(group + (group == "SWIFT_LOG_SYNC_" ? "PASSWORD" : "KEY"), access.password.reveal());
        out.set_literal(group + "TENANT_NAME", access.tenant);
        out.set(group + "AUTH_URL", Json(access.auth_url));
        out.set(group + "REGION_NAME", Json(access.region));
    }
    out.set("EDXAPP_GRADE_STORAGE_KWARGS", json::object{{"name_prefix", "grades-download/"}});
}

void add_s3(VariableSink& out, const S3Access& access) {
    out.set_each({"COMMON_ENABLE_AWS_INTEGRATION", "COMMON_OBJECT_STORE_LOG_SYNC"}, true);
    out.set_each_literal(
        {"AWS_ACCESS_KEY_ID", "EDXAPP_AWS_ACCESS_KEY_ID", "XQUEUE_AWS_ACCESS_KEY_ID", "AWS_S3_LOGS_ACCESS_KEY_ID"},
        access.access_key.reveal());
    out.set_each_literal({"AWS_SECRET_ACCESS_KEY", "EDXAPP_AWS_SECRET_ACCESS_KEY", "XQUEUE_AWS_SECRET_ACCESS_KEY",
                          "AWS_S3_LOGS_SECRET_KEY"},
                         access.secret_key.reveal());
    out.set("EDXAPP_DEFAULT_FILE_STORAGE", "storages.backends.s3boto3.S3Boto3Storage");
    json::object settings{{"AWS_STORAGE_BUCKET_NAME", access.bucket}};
    if (!access.region.empty()) {
        settings["AWS_S3_REGION_NAME"] = access.region;
        settings["AWS_S3_SIGNATURE_VERSION"] = "s3v4";
    }
    if (!access.endpoint.empty()) {
        settings["AWS_S3_ENDPOINT_URL"] = access.endpoint;
        settings["AWS_S3_ADDRESSING_STYLE"] = "path";
    }
    out.set("EDXAPP_AUTH_EXTRA", std::move(settings));
    out.set_each({"XQUEUE_UPLOAD_BUCKET", "EDXAPP_GRADE_BUCKET", "COMMON_OBJECT_STORE_LOG_SYNC_BUCKET"},
                 Json(access.bucket));
    out.set("EDXAPP_GRADE_STORAGE_TYPE", "s3");
    out.set("EDXAPP_GRADE_ROOT_PATH", "grades-download");
}

}  // namespace

void add_storage(VariableSink& out, const Site& site, const MasterKey&) {
    if (site.ephemeral_databases) {
        // or the export of a course would look for a bucket
        out.set("EDXAPP_IMPORT_EXPORT_BUCKET", "");
        return;
    }
    if (!site.s3 && !site.swift) return;
    if (site.s3)
        add_s3(out, *site.s3);
    else
        add_swift(out, *site.swift);
    out.set("XQUEUE_UPLOAD_PATH_PREFIX", "xqueue");
    out.set("COMMON_OBJECT_STORE_LOG_SYNC_PREFIX", "logs/tracking/");
}

}  // namespace ocim::openedx
