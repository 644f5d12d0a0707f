#pragma once

#include "apiserver/exchange.hpp"
#include "apiserver/table.hpp"
#include "base/async.hpp"

#include <memory>

namespace ocim::apiserver {

/// The verbs on stored objects: from HTTP to the Registry and back.
class Objects {
public:
    /// All arguments must outlive it. `pool` parses bodies that are too long for the loop.
    Objects(registry::Registry& registry, Clock& clock, BlockingPool& pool)
        : registry_(registry), clock_(clock), pool_(pool) {}

    /// Every verb but watch.
    awaitable<net::ServerReply> answer(Exchange& exchange);

    /// A watch that was accepted, ready to be streamed.
    struct Watching {
        std::unique_ptr<registry::Watch> watch;
        std::unique_ptr<Printer> printer;
        bool bookmarks = false;
        /// The history is gone: the stream consists of this one ERROR.
        std::optional<api::Status> expired;
    };
    Result<Watching, api::Status> watch(const Exchange& exchange);

    /// The resource a route names, or null when it is not served like that (scope, sub-resource).
    const registry::Resource* resource(const Route& route) const;

    /// Whoever asks for a version of the future gets a moment, for it may be on its way. Errors: 400, 504.
    awaitable<Result<void, api::Status>> reach_version(const Exchange& exchange);

private:
    using Answer = Result<net::ServerReply, api::Status>;
    awaitable<Answer> answer_verb(Exchange& exchange);
    awaitable<Answer> get(const Exchange& exchange);
    awaitable<Answer> list(const Exchange& exchange);
    awaitable<Answer> create(Exchange& exchange);
    awaitable<Answer> update(Exchange& exchange);
    awaitable<Answer> patch(Exchange& exchange);
    awaitable<Answer> remove(Exchange& exchange);
    awaitable<Answer> remove_collection(Exchange& exchange);
    awaitable<net::ServerReply> listed(const Printer& printer, std::vector<registry::StoredObject> items,
                                       api::json::object metadata);
    bool allowed(const registry::Resource& resource, const Route& route) const;
    Answer written(Exchange& exchange, const Printer& printer, const registry::Written& result);
    Result<Printer, api::Status> printer(const Exchange& exchange) const;

    registry::Registry& registry_;
    Clock& clock_;
    BlockingPool& pool_;
};

}  // namespace ocim::apiserver
