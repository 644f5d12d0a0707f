#pragma once

#include "api/json.hpp"
#include "base/async.hpp"
#include "monitoring/newrelic.hpp"

#include <memory>
#include <string_view>

namespace ocim::monitoring::newrelic {

/// One thing that NerdGraph is asked: a document that never changes. What goes into it are variables.
struct Query {
    std::string_view name;  ///< a metric label
    std::string_view text;
    bool writes = false;
};

/// Calls NerdGraph. Errors hide in three places there, and each has its class decided here: the HTTP status, `errors`
/// beside `data`, and the errors in what a mutation answers (refusal()). Every call is counted in
/// ocim_newrelic_calls_total{call,result}.
class NerdGraph {
public:
    NerdGraph(std::unique_ptr<net::HttpClient> http, const runtime::Services& services, Settings settings);

    /// `data` of the answer; an answer that has only a part of it is an error.
    awaitable<Result<api::Json>> ask(const Query& query, api::json::object variables);
    std::int64_t account() const { return settings_.account; }
    const std::string& service() const { return settings_.service; }
    /// The last call failed as HTTP: there was no answer, or one with a status of failure.
    bool failed() const { return failed_; }

private:
    awaitable<Result<api::Json>> exchange(const Query& query, api::json::object variables);
    Result<api::Json> read(const net::HttpReply& reply, bool writes) const;
    Error refused(const net::HttpReply& reply) const;
    void count(std::string_view call, std::string_view result);

    std::unique_ptr<net::HttpClient> http_;
    Clock& clock_;
    Metrics& metrics_;
    Settings settings_;
    bool failed_ = false;
};

/// What a mutation answers: in all of our documents it is called so. Null when it is not there.
const api::Json& answer_of(const api::Json& data);
/// What a mutation's own answer says went wrong, in any of the forms that there are; nothing when all went well.
std::optional<Error> refusal(const api::Json& answer);
/// What New Relic calls an error, as a class of ours.
Error classified(std::string_view word, std::string_view message, bool writes);
/// It answers, and not as New Relic does.
Error strange(const std::string& what, bool writes);

}  // namespace ocim::monitoring::newrelic
