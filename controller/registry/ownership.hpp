#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::registry {

/// One ownerReference.
struct Owner {
    std::string api_version, kind, name, uid;
    bool blocks = false;  ///< blockOwnerDeletion
};

/// Who depends on whom, by the ownerReferences of what is stored. Pure: fed with stored text.
class Ownership {
public:
    /// Takes over the references of an object as it is now. Returns whether they changed.
    bool put(const std::string& key, std::string_view text);
    void erase(const std::string& key);

    /// The references of one object; none when it has none.
    const std::vector<Owner>& owners(const std::string& key) const;
    /// The keys of what refers to this uid.
    const std::set<std::string>& dependents(const std::string& uid) const;

private:
    struct References {
        std::string text;
        std::vector<Owner> owners;
    };
    std::map<std::string, References> of_key_;
    std::map<std::string, std::set<std::string>> of_uid_;
};

}  // namespace ocim::registry
