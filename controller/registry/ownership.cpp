#include "registry/ownership.hpp"

#include "api/json.hpp"
#include "registry/text.hpp"

namespace ocim::registry {

bool Ownership::put(const std::string& key, std::string_view text) {
    const auto raw = raw_at(text, {"metadata", "ownerReferences"});
    const auto known = of_key_.find(key);
    if (known == of_key_.end() ? !raw : raw && known->second.text == *raw) return false;
    erase(key);
    if (!raw) return true;
    References references;
    references.text = *raw;
    const auto parsed = api::parse_json(*raw);
    if (parsed && parsed->value.is_array())
        for (const auto& item : parsed->value.get_array()) {
            Owner owner;
            owner.api_version = api::find_text(item, {"apiVersion"});
            owner.kind = api::find_text(item, {"kind"});
            owner.name = api::find_text(item, {"name"});
            owner.uid = api::find_text(item, {"uid"});
            const auto* blocks = api::find(item, {"blockOwnerDeletion"});
            owner.blocks = blocks && blocks->is_bool() && blocks->get_bool();
            of_uid_[owner.uid].insert(key);
            references.owners.push_back(std::move(owner));
        }
    of_key_.insert_or_assign(key, std::move(references));
    return true;
}

void Ownership::erase(const std::string& key) {
    const auto known = of_key_.find(key);
    if (known == of_key_.end()) return;
    for (const auto& owner : known->second.owners) {
        const auto list = of_uid_.find(owner.uid);
        if (list == of_uid_.end()) continue;
        list->second.erase(key);
        if (list->second.empty()) of_uid_.erase(list);
    }
    of_key_.erase(known);
}

const std::vector<Owner>& Ownership::owners(const std::string& key) const {
    static const std::vector<Owner> none;
    const auto known = of_key_.find(key);
    return known == of_key_.end() ? none : known->second.owners;
}

const std::set<std::string>& Ownership::dependents(const std::string& uid) const {
    static const std::set<std::string> none;
    const auto known = of_uid_.find(uid);
    return known == of_uid_.end() ? none : known->second;
}

}  // namespace ocim::registry
