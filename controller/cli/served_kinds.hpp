#pragma once

#include "cli/connection.hpp"

#include <deque>
#include <string>
#include <vector>

namespace ocim::cli {

/// A kind that the server serves.
struct ServedKind {
    std::string group, version, kind, plural, singular;
    std::vector<std::string> short_names, categories, verbs;
    bool namespaced = true;

    std::string api_version() const { return group.empty() ? version : group + "/" + version; }
    /// "dnsrecords.ocim.opencraft.com", "secrets".
    std::string resource() const { return group.empty() ? plural : plural + "." + group; }
    /// "dnsrecord.ocim.opencraft.com/www", "secret/www".
    std::string named(const std::string& name) const;
    /// "/apis/ocim.opencraft.com/v1alpha1/namespaces/school/dnsrecords/www"; without a name the collection.
    std::string target(const std::string& namespace_, const std::string& name = "") const;
};

/// What a server serves, asked for as far as it is needed.
class ServedKinds {
public:
    explicit ServedKinds(Connection& server) : server_(server) {}

    /// A name in any of its forms: dnsrecord, dnsrecords, DNSRecord, dns, each with its group behind a dot if need be;
    /// or a category, which means several. References last as long as this. Never empty.
    Answer<std::vector<const ServedKind*>> find(std::string_view name);
    /// The kind of a manifest.
    Answer<const ServedKind*> of(const api::Json& object);
    /// All of one group.
    Answer<std::vector<const ServedKind*>> of_group(std::string_view group);

private:
    struct Group {
        std::string name, version;
        bool known = false;
    };
    Answer<> load_groups();
    Answer<> load(Group& group);

    Connection& server_;
    bool groups_known_ = false;
    std::vector<Group> groups_;
    std::deque<ServedKind> kinds_;  // never moved: they are pointed to
};

}  // namespace ocim::cli
