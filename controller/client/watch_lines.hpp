#pragma once

#include "client/client.hpp"

#include <string>
#include <string_view>

namespace ocim::client {

/// What an API server says on a watch, line by line. Pure: whoever reads the stream adds its parts as they come.
class WatchLines {
public:
    WatchLines(Kind kind, std::string resource_version) : kind_(kind), resource_version_(std::move(resource_version)) {}

    void add(std::string_view part) { pending_ += part; }
    /// The changes of all whole lines. What cannot be read, or tells of an error, is an error only once all that came
    /// before it was taken: transient, or conflict when the history is gone.
    Result<std::vector<Event>> take();
    /// The stream ended; another goes on behind resource_version().
    void restart() { pending_.clear(); }
    /// Of the last change that was taken.
    const std::string& resource_version() const { return resource_version_; }

private:
    Kind kind_;
    std::string resource_version_, pending_;
};

/// Items of a list, and changes, of Kubernetes' own kinds do not say what they are.
void name_kind(Json& object, const Kind& kind);

}  // namespace ocim::client
