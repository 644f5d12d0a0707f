#pragma once

#include "loadbalancing/version.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// What actions make of a version. Pure, and linear in what is there and what is done.
namespace ocim::loadbalancing {

/// Where host names lead, from both ends.
struct Leads {
    std::map<std::string, std::string> backend_of;
    std::map<std::string, std::vector<std::string>> hosts_of;  ///< sorted

    explicit Leads(const DomainMap& map);
};

/// What `indexes` of `actions` make of `now`, in their order.
struct Change {
    std::map<std::string, Secret> put;
    std::vector<std::string> deleted;
    DomainMap domains;
    std::map<std::string, Secret> certificates;  ///< the files that come, by fragment
    std::set<std::string> certificates_gone;     ///< those that go
    /// certificate_entries() of what comes of it.
    std::map<std::string, std::vector<std::string>> entries;

    Change(const Version& now, const std::vector<Action>& actions, const std::vector<std::size_t>& indexes);
};

/// What there is after `action`, when host names led so before it and lead so after it.
Done done(const Action& action, const Leads& before, const Leads& after);

/// What needs no new process: commands for the worker that runs, and what must then be found there.
struct RuntimePlan {
    std::vector<std::string> commands;
    std::vector<std::string> expected;  ///< as write_script reads it
};

/// Nothing, when only a reload puts `change` in force: a new backend, another line of a backend than its servers, what
/// the worker cannot add, or files that HAProxy was not seen to take.
std::optional<RuntimePlan> runtime_plan(const Version& now, const Change& change, const std::string& directory);

/// For write_script's standard input. Without a plan it reloads.
std::string input_for(const Change& change, const std::optional<RuntimePlan>& plan, const std::string& directory);

}  // namespace ocim::loadbalancing
