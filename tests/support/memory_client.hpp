#pragma once

#include "client/client.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace ocim::test {

/// As much of an API server as the drivers see: revisions, generations, finalizers, server-side apply without a
/// schema. What it does with a write is what the registry does; tests of the drivers alone use it, so that they say
/// which of the two is wrong.
class MemoryServer {
public:
    explicit MemoryServer(Clock& clock) : clock_(clock) {}

    struct Place {
        std::string kind, namespace_, name;
        auto operator<=>(const Place&) const = default;
    };
    std::unique_ptr<client::Client> client();

    /// What a person does, at once. Null when it is not there.
    api::Json put(api::Json object);
    const api::Json* get(const std::string& kind, const std::string& namespace_, const std::string& name) const;
    void remove(const std::string& kind, const std::string& namespace_, const std::string& name);
    void merge(const std::string& kind, const std::string& namespace_, const std::string& name, std::string_view patch,
               bool status = false);
    std::vector<api::Json> all(const std::string& kind) const;

    /// Forgets the history: who watches must list again.
    void expire_watches() { oldest_ = revision_ + 1; }
    /// Called before each write of the client; an error refuses it.
    std::function<std::optional<Error>(const std::string& verb, const api::Json& body)> refuse;

    /// The same before each "list" and "get".
    std::function<std::optional<Error>(const std::string& verb, const api::Kind& kind)> refuse_reading;

    /// Asked before an event is told to who watches: true leaves it out, for ever.
    std::function<bool(const client::Event&)> leave_out;

    /// Writes of the client that changed something, events aside.
    std::uint64_t writes() const { return writes_; }
    std::uint64_t revision() const { return revision_; }

private:
    friend class MemoryClient;
    friend class MemoryWatch;
    struct Logged {
        std::uint64_t revision;
        std::string kind;
        client::Event event;
    };
    Result<api::Json> store(const Place& place, api::Json object, const api::Json* before);
    Result<void> erase(const Place& place);

    Clock& clock_;
    std::map<Place, api::Json> objects_;
    std::deque<Logged> log_;
    std::uint64_t revision_ = 0, oldest_ = 0, writes_ = 0, uids_ = 0;
    Signal news_;
};

/// JSON with single quotes, for readable tests.
api::Json json(std::string text);

}  // namespace ocim::test
