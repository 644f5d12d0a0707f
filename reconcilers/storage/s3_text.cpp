#include "storage/s3_text.hpp"

#include "api/json.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::storage {

namespace {

using api::Json;
namespace json = api::json;
using Set = std::set<std::string>;

const Set reading{"s3:GetObject"}, writing{"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, listing{"s3:ListBucket"};
const Set cors_methods{"DELETE", "GET", "HEAD", "POST", "PUT"};

Error strange(const std::string& what) {
    return {ErrorClass::unreachable, "what answers is not an S3 service: " + what};
}

Result<Xml> named(std::string_view body, std::string_view name) {
    auto out = parse_xml(body);
    if (out && out->name != name) return strange("a " + one_line(out->name, 60) + " instead of a " + std::string(name));
    return out;
}

std::string element(std::string_view name, std::string_view text) {
    const std::string word(name);
    return "<" + word + ">" + xml_text(text) + "</" + word + ">";
}

std::string texts(const Set& of, std::string_view name) {
    std::string out;
    for (const auto& item : of) out += element(name, item);
    return out;
}

Set children_of(const Xml& node, std::string_view name) {
    Set out;
    for (const auto& child : node.children)
        if (child.name == name) out.insert(child.text);
    return out;
}

/// A text or a list of them, as policies have both.
bool read_set(const Json* value, Set& out) {
    if (!value) return false;
    if (value->is_string()) {
        out.emplace(value->get_string());
        return true;
    }
    if (!value->is_array()) return false;
    for (const auto& item : value->get_array()) {
        if (!item.is_string()) return false;
        out.emplace(item.get_string());
    }
    return true;
}

/// One sentence of a policy, whichever way it is written.
struct Statement {
    Set who, what, where;
    auto operator<=>(const Statement&) const = default;
};

std::optional<Statement> read_statement(const Json& item) {
    if (!item.is_object()) return std::nullopt;
    static const Set known{"Sid", "Effect", "Principal", "Action", "Resource"};
    for (const auto& member : item.get_object())
        if (!known.contains(std::string(member.key()))) return std::nullopt;  // a condition, or the opposite of one
    Statement out;
    const auto* who = api::find(item, {"Principal"});
    const auto* users = who && who->is_object() && who->get_object().size() == 1 ? api::find(*who, {"AWS"}) : who;
    const bool whole = api::find_text(item, {"Effect"}) == "Allow" && read_set(users, out.who) &&
                       read_set(api::find(item, {"Action"}), out.what) &&
                       read_set(api::find(item, {"Resource"}), out.where);
    if (!whole) return std::nullopt;
    return out;
}

std::set<Statement> statements(const std::string& bucket, const Access& access) {
    const Set all{"arn:aws:s3:::" + bucket + "/*"}, itself{"arn:aws:s3:::" + bucket}, everybody{"*"};
    std::set<Statement> out;
    if (access.everybody != Access::Everybody::nothing) out.insert({everybody, reading, all});
    if (access.everybody == Access::Everybody::objects_and_listing) out.insert({everybody, listing, itself});
    if (!access.readers.empty()) out.insert({access.readers, reading, all});
    if (!access.writers.empty()) out.insert({access.writers, writing, all});
    auto both = access.readers;
    both.insert(access.writers.begin(), access.writers.end());
    if (!both.empty()) out.insert({std::move(both), listing, itself});
    return out;
}

json::array array_of(const Set& of) { return json::array(of.begin(), of.end()); }

}  // namespace

Result<Tags> read_tags(std::string_view body) {
    const auto root = named(body, "Tagging");
    if (!root) return root.error();
    const auto* set = root->child("TagSet");
    if (!set) return strange("tags without a set");
    Tags out;
    for (const auto& tag : set->children) out[tag.of("Key")] = tag.of("Value");
    return out;
}

std::string write_tags(const Tags& tags) {
    std::string out = "<Tagging><TagSet>";
    for (const auto& [key, value] : tags) out += "<Tag>" + element("Key", key) + element("Value", value) + "</Tag>";
    return out + "</TagSet></Tagging>";
}

std::string write_policy(const std::string& bucket, const Access& access) {
    json::array all;
    for (const auto& [who, what, where] : statements(bucket, access)) {
        const bool everybody = who == Set{"*"};
        const Json whom = everybody ? Json("*") : Json(json::object{{"AWS", array_of(who)}});
        all.push_back(json::object{{"Sid", "Ocim" + std::to_string(all.size() + 1)},
                                   {"Effect", "Allow"},
                                   {"Principal", whom},
                                   {"Action", array_of(what)},
                                   {"Resource", array_of(where)}});
    }
    if (all.empty()) return "";
    return api::to_text(json::object{{"Version", "2012-10-17"}, {"Statement", std::move(all)}});
}

bool read_policy(const std::string& bucket, std::string_view policy, Access& access) {
    access = {};
    const auto parsed = api::parse_json(policy);
    if (!parsed) return false;
    const auto* list = api::find(parsed->value, {"Statement"});
    if (!list || !list->is_array()) return false;
    std::set<Statement> seen;
    for (const auto& item : list->get_array()) {
        auto statement = read_statement(item);
        if (!statement) return false;
        seen.insert(*std::move(statement));
    }
    bool lists = false;
    for (const auto& [who, what, where] : seen) {
        if (who == Set{"*"} && what == reading) access.everybody = Access::Everybody::objects;
        if (who == Set{"*"} && what == listing) lists = true;
        if (who != Set{"*"} && what == reading) access.readers.insert(who.begin(), who.end());
        if (who != Set{"*"} && what == writing) access.writers.insert(who.begin(), who.end());
    }
    if (lists && access.everybody == Access::Everybody::objects)
        access.everybody = Access::Everybody::objects_and_listing;
    return seen == statements(bucket, access);
}

std::string write_cors(const Cors& cors) {
    return "<CORSConfiguration><CORSRule>" + texts(cors.origins, "AllowedOrigin") +
           texts(cors_methods, "AllowedMethod") + element("AllowedHeader", "*") +
           texts(cors.expose_headers, "ExposeHeader") + element("MaxAgeSeconds", std::to_string(cors.max_age_seconds)) +
           "</CORSRule></CORSConfiguration>";
}

Result<bool> read_cors(std::string_view body, Cors& cors) {
    const auto root = named(body, "CORSConfiguration");
    if (!root) return root.error();
    if (root->children.size() != 1) return false;
    const auto& rule = root->children.front();
    cors.origins = children_of(rule, "AllowedOrigin");
    cors.expose_headers = children_of(rule, "ExposeHeader");
    const auto age = rule.of("MaxAgeSeconds");
    const bool number = std::from_chars(age.data(), age.data() + age.size(), cors.max_age_seconds).ec == std::errc();
    return number && children_of(rule, "AllowedMethod") == cors_methods &&
           children_of(rule, "AllowedHeader") == Set{"*"};
}

std::string write_versioning(bool enabled) {
    return "<VersioningConfiguration>" + element("Status", enabled ? "Enabled" : "Suspended") +
           "</VersioningConfiguration>";
}

Result<bool> read_versioning(std::string_view body) {
    const auto root = named(body, "VersioningConfiguration");
    if (!root) return root.error();
    return root->of("Status") == "Enabled";
}

std::string error_code(std::string_view body) {
    const auto root = parse_xml(body);
    return root && root->name == "Error" ? root->of("Code") : "";
}

Result<std::vector<Version>> read_versions(std::string_view body) {
    const auto root = named(body, "ListVersionsResult");
    if (!root) return root.error();
    std::vector<Version> out;
    for (const auto& item : root->children)
        if (item.name == "Version" || item.name == "DeleteMarker")
            out.push_back({item.of("Key"), item.of("VersionId")});
    return out;
}

std::string write_deletion(const std::vector<Version>& versions) {
    std::string out = "<Delete><Quiet>true</Quiet>";
    for (const auto& [key, id] : versions) {
        out += "<Object>" + element("Key", key);
        if (!id.empty()) out += element("VersionId", id);
        out += "</Object>";
    }
    return out + "</Delete>";
}

Result<void> check_deletion(std::string_view body) {
    const auto root = named(body, "DeleteResult");
    if (!root) return root.error();
    const auto* error = root->child("Error");
    if (!error) return {};
    return Error{ErrorClass::transient, "S3 does not delete " + one_line(error->of("Key"), 100) + ": " +
                                            one_line(error->of("Code") + " " + error->of("Message"), 200)};
}

}  // namespace ocim::storage
