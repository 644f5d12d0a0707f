#pragma once

#include "loadbalancing/balancer.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// The files of HAProxy's fragments as one whole. Pure.
namespace ocim::loadbalancing {

/// domains.map: "host backend" a line. Of a host that is there twice the first line counts. What is neither is kept.
class DomainMap {
public:
    static DomainMap parse(std::string_view text);
    std::string text() const;
    /// Where each host leads.
    std::map<std::string, std::string> leads() const;
    /// Whether a host is there twice.
    bool has_doubles() const;
    /// Takes out, in one pass, every line that leads to one of `backends` or that is of one of `hosts`.
    void remove(const std::set<std::string>& backends, const std::set<std::string>& hosts);
    void add(std::string host, std::string backend);
    bool operator==(const DomainMap&) const = default;

private:
    struct Line {
        std::string raw, host, backend;
        bool operator==(const Line&) const = default;
    };
    std::vector<Line> lines_;
};

/// One version, as it was read.
struct Version {
    struct File {
        std::string content;
        bool readable_by_all = false;
    };
    std::string name;    ///< "v12"; "" when there is none yet
    std::string loaded;  ///< the version that HAProxy was seen to take; "" when that is not what these files say
    std::map<std::string, File> fragments;
    DomainMap domains;
    std::map<std::string, std::map<std::string, Check>> checks;  ///< by fragment and server
    std::map<std::string, Traffic> traffic;                      ///< by fragment
    struct Certificate {
        std::string hash;
        bool readable_by_others = false;
    };
    std::map<std::string, Certificate> certificates;  ///< by fragment; only the host knows what is in the files
    std::string list;                                 ///< certs.list
    bool unlisted = false;                            ///< the process that runs does not read that list
    bool told = false;                                ///< that process has told of all its backends
    /// What is in others' fragments of the tool haproxy-config, which it is not ours to change.
    struct Elsewhere {
        std::string fragment;   ///< of the tool
        std::string backend{};  ///< of a host name: where it leads
    };
    std::map<std::string, Elsewhere> backends_elsewhere, domains_elsewhere;  ///< by name
    std::string unreadable_elsewhere;  ///< a file of others' fragments that we may not read

    /// From the stream that is the last part of what read_script prints. Error: transient, when it cannot be read.
    static Result<Version> read(std::string_view tar);
    /// From what read_script or observe_script printed.
    static Result<Version> observed(std::string_view text);
    Snapshot snapshot() const;
};

/// From the first part of what observe_script printed. Standby servers count by that, so that what is said of the
/// former version is not taken for the next one's.
std::map<std::string, std::map<std::string, Check>> read_checks(std::string_view text, const Version& version);

/// From the same lines: those of whole backends.
std::map<std::string, Traffic> read_traffic(std::string_view text, const Version& version);

/// Which certificates HAProxy is to read, and the host names that each may answer for: those of its fragment that it
/// was checked to be good for. Whatever else one says it is good for, nobody else's visitors get it.
std::map<std::string, std::vector<std::string>> certificate_entries(const Version& version);
/// certs.list: "FILE NAME..." a line.
std::string certificate_list(const std::map<std::string, std::vector<std::string>>& entries,
                             const std::string& directory);
std::string certificate_path(const std::string& directory, const std::string& name);

/// Which fragments HAProxy's messages find fault with, and what it said of each, without credentials.
std::map<std::string, std::string> blamed(std::string_view messages);

}  // namespace ocim::loadbalancing
