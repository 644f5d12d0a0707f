#pragma once

#include "api/status.hpp"
#include "registry/registry.hpp"

#include <memory>
#include <string>
#include <vector>

/// Who may do what.
namespace ocim::apiserver {

/// One question: may this caller do this?
struct Attributes {
    registry::Caller caller;
    std::string verb;
    /// Of a resource; `plural` is empty for other paths, which are told by `path`.
    std::string group, version, plural, subresource, namespace_, name;
    std::string path;
};

/// What a caller may do, as kubectl auth can-i --list shows it.
struct Rules {
    struct Resource {
        std::vector<std::string> verbs, groups, plurals;
    };
    struct Path {
        std::vector<std::string> verbs, paths;
    };
    std::vector<Resource> resources;
    std::vector<Path> paths;
};

/// Decides; it neither waits nor changes anything. Lives on the loop thread.
class Authorizer {
public:
    virtual ~Authorizer() = default;
    virtual bool allows(const Attributes& attributes) const = 0;
    virtual Rules rules(const registry::Caller& caller, const std::string& namespace_) const = 0;
};

/// Members of system:masters may do everything; whoever is authenticated may discover and ask about himself.
std::unique_ptr<Authorizer> make_masters_authorizer();

/// 403, in Kubernetes' words.
api::Status refusal(const Attributes& attributes);

inline constexpr std::string_view masters_group = "system:masters";
inline constexpr std::string_view authenticated_group = "system:authenticated";
inline constexpr std::string_view anonymous_user = "system:anonymous";

}  // namespace ocim::apiserver
