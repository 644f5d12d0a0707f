#pragma once

#include "storage/store.hpp"
#include "storage/xml.hpp"

#include <map>
#include <string>
#include <string_view>

/// What S3 and we say to each other, as text. Pure.
namespace ocim::storage {

using Tags = std::map<std::string, std::string>;

Result<Tags> read_tags(std::string_view body);
std::string write_tags(const Tags& tags);

/// The policy of a bucket that gives that access, as JSON; "" when it gives none to anybody.
std::string write_policy(const std::string& bucket, const Access& access);
/// What of a policy is access as we give it. False: it says something else too.
bool read_policy(const std::string& bucket, std::string_view policy, Access& access);

std::string write_cors(const Cors& cors);
/// False: it is not as we write it.
Result<bool> read_cors(std::string_view body, Cors& cors);

std::string write_versioning(bool enabled);
Result<bool> read_versioning(std::string_view body);

/// What an S3 service says is wrong: "NoSuchBucket"; "" when it is not one that speaks.
std::string error_code(std::string_view body);

struct Version {
    std::string key, id;
};
/// One page of what is in a bucket.
Result<std::vector<Version>> read_versions(std::string_view body);
std::string write_deletion(const std::vector<Version>& versions);
/// Error: transient, naming the first that was not deleted.
Result<void> check_deletion(std::string_view body);

}  // namespace ocim::storage
