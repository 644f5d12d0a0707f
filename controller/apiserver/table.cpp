#include "apiserver/table.hpp"

namespace ocim::apiserver {

namespace {

using api::Json;
namespace json = api::json;

/// PartialObjectMetadata of an object.
Json partial(const Json& object, const std::string& version) {
    json::object out;
    out["kind"] = "PartialObjectMetadata";
    out["apiVersion"] = "meta.k8s.io/" + version;
    const auto* metadata = api::find(object, {"metadata"});
    out["metadata"] = metadata ? *metadata : Json(json::object());
    return out;
}

json::object column(std::string_view name, std::string_view type, std::string_view format, std::string_view description,
                    int priority) {
    json::object out;
    out["name"] = name;
    out["type"] = type;
    out["format"] = format;
    out["description"] = description;
    out["priority"] = std::int64_t{priority};
    return out;
}

json::object name_column(int priority) {
    return column("Name", "string", "name",
                  "The name of the object: unique among those of its kind in its namespace, and never changed.",
                  priority);
}

}  // namespace

Printer::Printer(const registry::Resource& resource, Format format, Include include)
    : format_(std::move(format)),
      include_(include),
      api_version_(resource.api_version()),
      kind_(resource.kind),
      list_kind_(resource.list_kind),
      // of an event people want to read when and what; its name means nothing
      name_first_(!(resource.built_in && resource.plural == "events")),
      columns_(resource.columns) {}

std::string Printer::columns() const {
    json::array out;
    if (name_first_) out.emplace_back(name_column(0));
    for (const auto& c : columns_) {
        // what is printed is the age already, not the date
        const auto type = c.type == "date" ? "string" : c.type;
        out.emplace_back(column(c.name, type, c.format, c.description, c.priority));
    }
    if (!name_first_) out.emplace_back(name_column(1));
    return api::to_text(out);
}

std::string Printer::row(const registry::StoredObject& stored, WallTime now) const {
    const auto object = stored.parsed();
    json::array cells;
    if (name_first_) cells.emplace_back(stored.name);
    for (const auto& c : columns_) cells.push_back(c.cell(object, now));
    if (!name_first_) cells.emplace_back(stored.name);
    std::string out = "{\"cells\":" + api::to_text(cells) + ",\"object\":";
    switch (include_) {
        case Include::none: out += "null"; break;
        case Include::metadata: out += api::to_text(partial(object, format_.version)); break;
        case Include::object: out += *stored.bytes; break;
    }
    return out + "}";
}

std::string Printer::item(const registry::StoredObject& object, WallTime now) const {
    switch (format_.shape) {
        case Format::Shape::object: return *object.bytes;
        case Format::Shape::table: return row(object, now);
        case Format::Shape::partial: return api::to_text(partial(object.parsed(), format_.version));
    }
    return {};
}

std::string Printer::list_head(const json::object& metadata) const {
    const bool own = format_.shape == Format::Shape::object;
    std::string kind = own ? list_kind_ : format_.shape == Format::Shape::table ? "Table" : "PartialObjectMetadataList";
    std::string out = "{\"kind\":" + api::to_text(Json(kind)) +
                      ",\"apiVersion\":" + api::to_text(Json(own ? api_version_ : "meta.k8s.io/" + format_.version)) +
                      ",\"metadata\":" + api::to_text(metadata);
    if (format_.shape == Format::Shape::table) return out + ",\"columnDefinitions\":" + columns() + ",\"rows\":[";
    return out + ",\"items\":[";
}

std::string Printer::single(const registry::StoredObject& object, WallTime now) const {
    return event(object, true, now) + "\n";
}

std::string Printer::event(const registry::StoredObject& object, bool first, WallTime now) const {
    if (format_.shape != Format::Shape::table) return item(object, now);
    return "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/" + format_.version +
           "\",\"metadata\":{\"resourceVersion\":\"" + std::to_string(object.revision) +
           "\"},\"columnDefinitions\":" + (first ? columns() : "null") + ",\"rows\":[" + row(object, now) + "]}";
}

std::string Printer::bookmark(const registry::Event& event, bool first) const {
    json::object metadata;
    metadata["resourceVersion"] = std::to_string(event.object.revision);
    metadata["creationTimestamp"] = nullptr;
    if (event.initial_end) metadata["annotations"] = json::object{{"k8s.io/initial-events-end", "true"}};
    json::object object;
    const bool own = format_.shape == Format::Shape::object;
    object["kind"] = own ? kind_ : std::string("PartialObjectMetadata");
    object["apiVersion"] = own ? api_version_ : "meta.k8s.io/" + format_.version;
    object["metadata"] = metadata;
    if (format_.shape != Format::Shape::table) return api::to_text(object);
    // a row whose object is the bookmark, as Kubernetes sends it
    json::array cells;
    for (std::size_t i = 0; i < columns_.size() + 1; ++i) cells.emplace_back("");
    return "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/" + format_.version +
           "\",\"metadata\":{\"resourceVersion\":\"" + std::to_string(event.object.revision) +
           "\"},\"columnDefinitions\":" + (first ? columns() : "null") +
           ",\"rows\":[{\"cells\":" + api::to_text(cells) + ",\"object\":" + api::to_text(object) + "}]}";
}

Result<Printer::Include, api::Status> parse_include(std::string_view text) {
    if (text.empty() || text == "Metadata") return Printer::Include::metadata;
    if (text == "None") return Printer::Include::none;
    if (text == "Object") return Printer::Include::object;
    return api::bad_request("unrecognized includeObject value: \"" + std::string(text) +
                            "\": use None, Metadata or Object");
}

}  // namespace ocim::apiserver
