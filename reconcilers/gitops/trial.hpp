#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "gitops/manifest.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// What a dry run says of a manifest, and for how long that is believed.
namespace ocim::gitops {

/// What two states of an object are compared by: neither who wrote it nor how it stands.
Json declared(Json object);

std::string_view annotation(const Json& object, std::string_view name);

/// Trouble of the API itself, after which nothing is known; anything else concerns one object.
bool is_trouble(const Error& error);
/// That we may not be whom the GitSource names: who installed us can help, nobody who writes a repository.
bool may_not_act(const Error& error);
/// The same, saying what to grant.
Error not_granted(Error error);
/// A field that is not in the schema is answered with 500, by Kubernetes too, and it is the author who can help.
bool is_unknown_field(const Error& error);
/// A refusal, for the author.
Fault fault_of(const Manifest& manifest, const Error& error);
/// That somebody else keeps the object; `mark` is ours.
std::optional<Fault> taken_by(const Manifest& manifest, const Json& live, std::string_view mark);

/// Which objects were found to be as their manifests say. What has changed on neither side need not be tried again.
class Trials {
public:
    bool hold(const ObjectId& id, const Json& wanted, const Json& live, Instant now) const;
    void note(const ObjectId& id, const Json& wanted, const Json& live, Instant now);
    void forget(const ObjectId& id) { done_.erase(id); }

private:
    struct Done {
        std::size_t wanted, live;  ///< hashes: who makes two alike has his own manifest not applied
        Instant until;             ///< what an API accepts may change without the object
    };
    std::map<ObjectId, Done> done_;
};

}  // namespace ocim::gitops
