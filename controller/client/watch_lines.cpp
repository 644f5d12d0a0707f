#include "client/watch_lines.hpp"

#include "base/limits.hpp"
#include "client/session.hpp"

namespace ocim::client {

namespace {

Error unreadable(std::string why) { return {ErrorClass::transient, std::move(why)}; }

Result<Event> event_of(const Json& line, const Kind& kind) {
    const auto type = api::find_text(line, {"type"});
    const auto* object = api::find(line, {"object"});
    if (!object) return unreadable("the watch told of a change without its object");
    if (type == "ERROR") {
        const auto status = read_status(*object);
        if (!status) return unreadable("the watch ended with an error that cannot be read");
        auto error = api::to_error(*status);
        if (status->code == 410) error.error_class = ErrorClass::conflict;
        return error;
    }
    Event out{Event::Type::modified, *object};
    if (type == "ADDED")
        out.type = Event::Type::added;
    else if (type == "DELETED")
        out.type = Event::Type::deleted;
    else if (type == "BOOKMARK")
        out.type = Event::Type::bookmark;
    else if (type != "MODIFIED")
        return unreadable("the watch told of something that is no change");
    if (api::find_text(out.object, {"metadata", "resourceVersion"}).empty())
        return unreadable("the watch told of a change without its resourceVersion");
    if (out.type != Event::Type::bookmark) name_kind(out.object, kind);
    return out;
}

Result<Event> read_line(std::string_view line, const Kind& kind) {
    const auto parsed = api::parse_json(line);
    if (!parsed) return unreadable("the watch is no JSON: " + parsed.error().message);
    return event_of(parsed->value, kind);
}

}  // namespace

void name_kind(Json& object, const Kind& kind) {
    auto* fields = object.if_object();
    if (!fields) return;
    (*fields)["apiVersion"] = kind.api_version();
    (*fields)["kind"] = kind.name;
}

Result<std::vector<Event>> WatchLines::take() {
    std::vector<Event> out;
    std::size_t begin = 0;
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', begin)) {
        auto event = read_line(std::string_view(pending_).substr(begin, end - begin), kind_);
        if (!event && !out.empty()) break;  // what came before it counts; it is read again
        if (!event) return std::move(event).error();
        begin = end + 1;
        resource_version_ = api::find_text(event->object, {"metadata", "resourceVersion"});
        out.push_back(*std::move(event));
    }
    pending_.erase(0, begin);
    if (pending_.size() > limits::reply_bytes_max) return unreadable("the watch told of something without an end");
    return out;
}

}  // namespace ocim::client
