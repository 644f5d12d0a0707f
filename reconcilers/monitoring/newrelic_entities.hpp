#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"
#include "monitoring/watch.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// Ping monitors as New Relic's list of entities and its tags tell of them. Pure.
namespace ocim::monitoring::newrelic {

using Tags = std::map<std::string, std::vector<std::string>>;

struct Entity {
    Synthetic shown;  ///< `alerts` is the group that its tag names, whether that stands or not
    Tags tags;
    std::optional<runtime::Mark> mark;
    std::optional<bool> up;  ///< nothing: it has not been asked yet
    std::string message;
};
using Entities = std::map<std::string, Entity>;  // by GUID

/// The same for all spellings of a URL that New Relic may show instead of ours: a host alone has the path "/".
std::string canonical_url(std::string url);
/// Nothing for what is no ping monitor. Error: unreachable, for what is malformed.
Result<std::optional<Entity>> entity_of(const api::Json& item);
/// Those that may be written, of what list_tags says of an entity: New Relic has some of its own on each.
Tags mutable_tags(const api::Json& entity);
/// Those of `tags` that have keys of ours.
Tags ours_of(const Tags& tags);
/// `tags`, and of ours those of `ours` alone.
Tags joined(Tags tags, const Tags& ours);
/// `tags`, and ours.
Tags with_ours(Tags tags, const runtime::Mark& mark, const Synthetic& wanted);
/// What is shown has no word for some of what is wanted.
bool agrees(Synthetic shown, const Synthetic& wanted);
api::json::array tags_input(const Tags& tags);
/// What is asked of New Relic.
api::json::object monitor_input(const Probe& probe, const SyntheticOrder& order, const Tags& tags);

/// The one under that mark, or one that is unmarked and watches that URL; null when there is none.
const Entity* marked_as(const Entities& entities, const runtime::Mark& mark);
const Entity* unmarked(const Entities& entities, const std::string& url);

}  // namespace ocim::monitoring::newrelic
