#pragma once

#include "monitoring/newrelic_client.hpp"
#include "monitoring/newrelic_entities.hpp"

#include <optional>
#include <set>
#include <string>

namespace ocim::monitoring::newrelic {

/// Which account a mutation or a list concerns, and that the key may see it.
Result<void> sees_account(const api::Json& data);

/// The ping monitors of one account, as New Relic's index of entities shows them.
///
/// The index shows what was done seconds to minutes later. What we did ourselves stands in for it until it is shown,
/// for five minutes at most; and one of ours that is no longer shown is asked for by its GUID before it counts as gone.
/// Looks and changes may overlap: what is changed during a look is not undone by it.
class Index {
public:
    Index(NerdGraph& nerd_graph, Clock& clock, std::string installation);

    awaitable<Result<void>> look();
    const Entities& entities() const { return entities_; }
    /// We have made it so.
    void remember(const Entity& entity);
    /// We have deleted it.
    void forget(const std::string& guid);

private:
    /// What we did to an entity, until New Relic's index shows it.
    struct Written {
        Instant until;
        std::optional<Entity> now;  ///< nothing: it was deleted
    };
    awaitable<Result<Entities>> list();
    awaitable<Result<Entities>> missing(Entities found);
    void take_written(Entities& found);

    NerdGraph& nerd_graph_;
    Clock& clock_;
    std::string installation_;
    Entities entities_;                       // as of the last look, and what we have done since
    std::map<std::string, Written> written_;  // by GUID; bounded by what is done within the index's delay
    std::set<std::string> known_;             // GUIDs of ours
};

}  // namespace ocim::monitoring::newrelic
