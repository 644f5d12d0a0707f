#include "registry/served.hpp"

#include "base/log.hpp"
#include "base/utf8.hpp"
#include "registry/event_shape.hpp"
#include "registry/metadata.hpp"
#include "registry/text.hpp"

#include <boost/json/parse.hpp>

namespace ocim::registry {

using api::Json;

std::string key_prefix(std::string_view group, std::string_view plural) {
    // one stored kind in two shapes
    if (group == "events.k8s.io") group = "";
    return (group.empty() ? std::string("core") : std::string(group)) + "/" + std::string(plural) + "/";
}

Json StoredObject::parsed() const {
    boost::json::error_code failed;
    auto value = boost::json::parse(boost::json::string_view(bytes->data(), bytes->size()), failed);
    if (!failed) return value;
    // Never written by this program; but one object that a disk or an older program spoilt must not take away the rest.
    value = boost::json::parse(valid_utf8(*bytes), failed);
    if (!failed && value.is_object()) return value;
    log::warning("a stored object cannot be read", {{"namespace", namespace_}, {"name", name}});
    return {{"metadata", {{"namespace", namespace_}, {"name", name}, {"resourceVersion", std::to_string(revision)}}}};
}

void Served::to_stored(Json& object) const {
    if (special == Special::event_v1) event_to_core(object);
    object.as_object()["apiVersion"] = stored_version;
}

void Served::from_stored(Json& object) const {
    if (special == Special::event_v1) event_from_core(object);
    object.as_object()["apiVersion"] = resource.api_version();
}

StoredObject Served::named(const std::string& key, const store::Item& item) const {
    StoredObject out;
    const auto rest = std::string_view(key).substr(prefix.size());
    const auto slash = resource.namespaced ? rest.find('/') : std::string_view::npos;
    if (slash != std::string_view::npos) out.namespace_ = rest.substr(0, slash);
    out.name = slash == std::string_view::npos ? rest : rest.substr(slash + 1);
    out.revision = item.revision;
    out.bytes = item.value;
    return out;
}

StoredObject Served::show(const std::string& key, const store::Item& item) const {
    auto out = named(key, item);
    const bool old = item.revision < schema_since;
    if (!old && !converts()) return out;
    if (old) {
        const auto known = refreshed.find(key);
        if (known != refreshed.end() && known->second.revision == item.revision) {
            out.bytes = known->second.bytes;
            return out;
        }
    }
    auto object = out.parsed();
    from_stored(object);
    if (old) {
        resource.schema.apply_defaults(object);
        (void)resource.schema.prune(object);
    }
    auto text = api::to_text(object);
    if (text != *item.value) out.bytes = std::make_shared<const std::string>(std::move(text));
    if (old) refreshed.insert_or_assign(key, Refreshed{item.revision, out.bytes});
    return out;
}

Json Served::show_json(const std::string& key, const store::Item& item, boost::json::storage_ptr space) const {
    const auto shown = show(key, item);
    boost::json::error_code failed;
    auto value = boost::json::parse(boost::json::string_view(shown.bytes->data(), shown.bytes->size()), failed,
                                    std::move(space));
    return failed ? shown.parsed() : value;
}

}  // namespace ocim::registry
