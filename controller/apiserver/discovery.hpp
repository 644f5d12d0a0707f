#pragma once

#include "apiserver/exchange.hpp"
#include "apiserver/subresource.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ocim::apiserver {

/// A resource that is answered by the server itself and never stored: the reviews.
struct VirtualResource {
    std::string_view group, version, plural, singular, kind;
    bool namespaced = false;
};
const std::vector<VirtualResource>& virtual_resources();

/// Tells clients what is served: /api, /apis, and the documents of each group and version. Texts are made once for
/// each state of the registry.
class Discovery {
public:
    Discovery(const registry::Registry& registry, const Subresources& subresources)
        : registry_(registry), subresources_(subresources) {}

    /// Nothing when the path is not one of discovery, or names what is not served.
    std::optional<net::ServerReply> answer(const Exchange& exchange);

private:
    struct Document {
        std::string body, content_type, etag;
    };
    /// What can be asked for at all.
    net::ServerReply root() const;
    const Document* document(const Route& route, const std::string& aggregated);

    const registry::Registry& registry_;
    const Subresources& subresources_;
    std::uint64_t made_for_ = 0;
    std::map<std::string, std::optional<Document>> documents_;
};

/// The order in which versions are preferred: v2, v1, v1beta2, v1alpha1, then what is no such name.
bool version_before(std::string_view a, std::string_view b);

/// The groups that are served, each with its versions in order of preference; the core group ("") first, then the
/// built-in ones, then those of CRDs.
std::vector<std::pair<std::string, std::vector<std::string>>> served_groups(const registry::Registry& registry);

}  // namespace ocim::apiserver
