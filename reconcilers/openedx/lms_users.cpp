#include "openedx/lms_users.hpp"

#include "crd/appservers.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

namespace json = api::json;

constexpr std::size_t hash_bytes_max = 128;  // of Django's column

/// "algorithm$…" as Django stores it (docs: "Password management", 1.11 to 5.2).
bool is_hash(std::string_view text) {
    const auto end = text.find('$');
    const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    return text.size() <= hash_bytes_max && end != 0 && end != std::string_view::npos && end + 1 < text.size() &&
           std::ranges::all_of(text.substr(0, end), is_word) &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

/// Without the line end that an editor leaves.
std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

json::array described(const std::vector<LmsUser>& users) {
    json::array out;
    for (const auto& user : users)
        out.push_back(json::object{{"email", user.email},
                                   {"username", user.username},
                                   {"initial_password_hash", user.password_hash.reveal()},
                                   {"staff", user.staff},
                                   {"superuser", user.superuser}});
    return out;
}

}  // namespace

std::vector<runtime::Reference> lms_user_needs(const crd::Instance& instance) {
    std::vector<runtime::Reference> out;
    if (!instance.spec.admins) return out;
    for (const auto& user : instance.spec.admins->lms_users)
        out.push_back({api::secret_kind, instance.metadata.namespace_, user.password_hash_ref.name, true});
    return out;
}

Result<void> add_lms_users(Site& site, const crd::Instance& instance, const runtime::Inputs& inputs) {
    if (!instance.spec.admins) return {};
    for (const auto& user : instance.spec.admins->lms_users) {
        const auto& from = user.password_hash_ref;
        const auto place = "spec.admins.lmsUsers, " + user.username + ": Secret " + from.name;
        const auto found = inputs.secret(instance.metadata.namespace_, from.name, from.key);
        if (!found) return Error{ErrorClass::not_found, place + " has no key \"" + from.key + "\"; add it"};
        auto hash = trimmed(std::string(found->reveal()));
        if (!is_hash(hash))
            return Error{ErrorClass::invalid, place + ", key " + from.key +
                                                  ": is no hash of a password as Django stores it "
                                                  "(algorithm$…); make one with its make_password"};
        site.lms_users.push_back({user.username, user.email, Secret(std::move(hash)), user.staff, user.superuser});
    }
    site.lms_users_must_succeed = users_must_succeed(ever_provisioned(instance, inputs), site.ephemeral_databases);
    return {};
}

bool ever_provisioned(const crd::Instance& instance, const runtime::Inputs& inputs) {
    if (instance.status.successfully_provisioned.value_or(false)) return true;
    for (const auto* item : inputs.all(crd::AppServer::kind))
        if (!api::find_text(*item, {"status", "provisionedAt"}).empty()) return true;
    return false;
}

Variables lms_user_variables(const Site& site) {
    Variables out;
    out.values["django_users"] = described(site.lms_users);
    out.literal.emplace_back("django_users");
    out.values["django_groups"] = json::array();
    out.values["ignore_user_creation_errors"] = site.lms_users_must_succeed ? "False" : "True";
    // as the first playbook has it; without any, each release's own is right
    if (site.swift && !site.ephemeral_databases && !site.s3) out.values["EDXAPP_SETTINGS"] = "openstack";
    for (const auto& extra : site.extra)
        if (const auto* own = extra.if_contains("EDXAPP_SETTINGS")) out.values["EDXAPP_SETTINGS"] = *own;
    return out;
}

std::string lms_user_list(const Site& site) {
    return api::to_text(
               json::object{{"users", described(site.lms_users)}, {"must_succeed", site.lms_users_must_succeed}}) +
           "\n";
}

}  // namespace ocim::openedx
