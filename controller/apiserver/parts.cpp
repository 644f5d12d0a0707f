#include "apiserver/parts.hpp"

namespace ocim::apiserver {

std::vector<Part> parts_of(const registry::Resource& resource) {
    const auto& r = resource;
    const std::vector<std::string> all{"get", "patch", "update"};
    std::vector<Part> out;
    if (r.built_in && r.group.empty() && r.plural == "namespaces")
        out.push_back({"finalize", {"update"}, r.group, r.version, r.kind});
    if (r.scale) out.push_back({"scale", all, "autoscaling", "v1", "Scale"});
    if (r.status_subresource) out.push_back({"status", all, r.group, r.version, r.kind});
    return out;
}

}  // namespace ocim::apiserver
