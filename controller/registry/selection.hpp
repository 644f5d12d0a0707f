#pragma once

#include "registry/served.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::registry {

/// What a list or watch selects, judged on the stored text without parsing it.
class Selection {
public:
    /// 400 for a field that cannot be selected by.
    static Outcome<Selection> make(const Served& served, const api::LabelSelector& labels,
                                   const api::FieldSelector& fields);
    bool matches(const std::string& key, const std::string& text) const;
    bool everything() const { return labels_.empty() && fields_.empty(); }
    /// The key of the only object it can select, by metadata.name; nothing when there may be more.
    std::optional<std::string> only_key(const Served& served, const std::string& namespace_) const;

private:
    struct Field {
        std::string path;
        bool equal;
        std::string value;
    };
    std::string prefix_;
    bool namespaced_ = true;
    bool events_ = false;
    api::LabelSelector labels_;
    std::vector<Field> fields_;
    std::string only_name_;
};

}  // namespace ocim::registry
