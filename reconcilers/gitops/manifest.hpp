#pragma once

#include "api/json.hpp"

#include <compare>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a repository says: files become manifests, and manifests objects. All of it is what a stranger wrote.
namespace ocim::gitops {

using api::Json;

/// Which object, whatever version of its kind it is written in.
struct ObjectId {
    std::string group, kind, namespace_, name;
    auto operator<=>(const ObjectId&) const = default;
    /// "Instance campus/demo"
    std::string text() const;
};

/// One file of a commit.
struct File {
    std::string path;  ///< from the top of the repository
    std::string bytes;
    bool operator==(const File&) const = default;
};

/// Why a manifest cannot be applied.
struct Fault {
    std::string file;
    std::size_t document = 0;  ///< from 1; 0: the file as a whole
    std::string object, field;
    std::string message;  ///< what is wrong, and the next step; never a value of a Secret
    bool operator==(const Fault&) const = default;
    /// "production/demo.yaml, document 2, Instance campus/demo, spec.subdomain: …"
    std::string text() const;
};

/// An object as it is declared.
struct Manifest {
    std::string api_version;
    ObjectId id;  ///< its namespace as it is written, until it was placed
    Json object;
    std::string file;
    std::size_t document = 0;
    bool operator==(const Manifest&) const = default;
};

struct Manifests {
    std::vector<Manifest> items;
    std::vector<Fault> faults;
    bool operator==(const Manifests&) const = default;
};

/// Every manifest of the files, Lists taken apart, without what only a server writes. At most limits::faults_max
/// faults.
Manifests read_manifests(const std::vector<File>& files);

/// A kind as the API serves it.
struct Scope {
    bool namespaced = true;
    bool operator==(const Scope&) const = default;
};
/// (apiVersion, kind)
using KindName = std::pair<std::string, std::string>;

/// The kinds that CustomResourceDefinitions among the manifests define.
std::map<KindName, Scope> kinds_defined(const std::vector<Manifest>& manifests);

/// Gives each manifest its namespace, by what its kind is; one that says none is in `home`. Kinds that neither `served`
/// nor the manifests themselves know, and objects that are described twice, become faults. What stays is in the order
/// in which it is to be applied.
Manifests placed(Manifests manifests, const std::map<KindName, Scope>& served, const std::string& home);

/// The place of a kind in the order of applying: what others need comes first. Deletion goes the other way.
int rank(std::string_view group, std::string_view kind);

/// By which objects are ordered: what others need first, then by name.
std::pair<int, ObjectId> place_of(const ObjectId& id);

std::string_view group_of(std::string_view api_version);

}  // namespace ocim::gitops
