#include "api/patch.hpp"

namespace ocim::api {

void merge_patch(Json& target, const Json& patch) {
    if (!patch.is_object()) {
        target = patch;
        return;
    }
    if (!target.is_object()) target.emplace_object();
    auto& fields = target.get_object();
    for (const auto& [key, value] : patch.get_object()) {
        if (value.is_null())
            fields.stable_erase(key);
        else
            merge_patch(fields[key], value);
    }
}

}  // namespace ocim::api
