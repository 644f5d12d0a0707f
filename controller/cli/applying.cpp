#include "cli/applying.hpp"

#include "net/http_client.hpp"

namespace ocim::cli {

Answer<api::Json> apply_object(Connection& server, const Named& named, const api::Json& object, const Applying& how) {
    auto target =
        named.target() + "?fieldManager=" + net::percent_encode(how.field_manager) + "&fieldValidation=Strict";
    if (how.force) target += "&force=true";
    if (how.dry_run) target += "&dryRun=All";
    auto after = server.ask({.method = "PATCH",
                             .target = std::move(target),
                             .body = api::to_text(object),
                             .content_type = "application/apply-patch+yaml"});
    if (after || after.error().code != 409) return after;
    auto refused = std::move(after).error();
    refused.message +=
        "\nTo take these fields over, give --force-conflicts; to leave them to their owner, remove them from the "
        "manifest.";
    return refused;
}

api::Json essence(api::Json object) {
    if (auto* metadata = object.is_object() ? object.get_object().if_contains("metadata") : nullptr)
        if (auto* fields = metadata->if_object())
            for (const auto* field : {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"})
                fields->erase(field);
    return object;
}

}  // namespace ocim::cli
