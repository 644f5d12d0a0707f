#include "openedx/variables.hpp"

#include "openedx/variable_tables.hpp"

namespace ocim::openedx {

namespace json = api::json;

const std::string& Site::domain(Service service) const {
    const auto found = external.find(service);
    return found != external.end() ? found->second : internal.at(service);
}

Variables variables(const Site& site, const MasterKey& key) {
    VariableSink out;
    for (const auto& table : variable_tables()) table.fill(out, site, key);
    auto made = std::move(out).take();
    for (const auto& extra : site.extra) {
        for (const auto& [name, value] : extra) std::erase(made.literal, std::string(name));
        merge(made.values, extra);
    }
    return made;
}

void merge(json::object& base, const json::object& over) {
    for (const auto& [name, value] : over) {
        auto* mine = base.if_contains(name);
        if (mine && mine->is_object() && value.is_object())
            merge(mine->get_object(), value.get_object());
        else
            base[name] = value;
    }
}

}  // namespace ocim::openedx
