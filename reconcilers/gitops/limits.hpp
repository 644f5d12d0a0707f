#pragma once

#include <chrono>
#include <cstddef>

/// What one repository may ask of us. Somebody else writes it: at a bound nothing of the commit is applied, and the
/// status says which bound it was.
namespace ocim::gitops::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t files_max = 5'000;                    // manifests below the path
inline constexpr std::size_t folders_depth_max = 32;               // bounds our stack
inline constexpr std::size_t entries_max = 100'000;                // whatever else lies there
inline constexpr std::size_t file_bytes_max = 3 * 1024 * 1024;     // as a request to the API may have
inline constexpr std::size_t files_bytes_max = 32 * 1024 * 1024;   // together: some 10,000 Instances
inline constexpr std::size_t manifests_max = 2'000;                // the inventory must fit into one status
inline constexpr std::size_t faults_max = 1'000;                   // more than anybody reads
inline constexpr std::size_t shown_max = 20;                       // in the status
inline constexpr std::size_t fault_bytes_max = 1'000;              // of one fault in the status
inline constexpr std::size_t value_shown_max = 80;                 // of what somebody else wrote, quoted
inline constexpr std::size_t pack_objects_max = 250'000;           // of one commit, without its past
inline constexpr std::size_t object_bytes_max = 64 * 1024 * 1024;  // of one that is made of another, in memory
inline constexpr std::size_t signed_bytes_max = 1024 * 1024;       // a commit or tag with its message
inline constexpr std::size_t signature_bytes_max = 64 * 1024;      // and what it is signed with
inline constexpr std::size_t known_hosts_bytes_max = 128 * 1024;   // read on the loop; some 1,000 lines
inline constexpr std::size_t principals_max = 8;                   // names that one SSH key has
inline constexpr auto signature_check_max = 10s;                   // of one run of ssh-keygen or gpgv
inline constexpr std::size_t transfers_max = 4;                    // packs in memory at once, of all GitSources
inline constexpr std::size_t threads = 2;                          // that take them apart
inline constexpr std::size_t threads_queue_max = 256;              // calls that wait for one of those
inline constexpr auto fetch_max = 45s;                             // one fetch; an observation may take 60 s
inline constexpr std::size_t workspace_tries_max = 16;             // of making one, while others sweep
inline constexpr auto sweep_pause = 1h;                            // until what killed processes left is looked for
inline constexpr auto unpack_max = 30s;                            // a thread of the pool, which others need too
inline constexpr std::size_t troubles_max = 3;                     // of one look, until it is the API's own
inline constexpr auto trial_holds = 30min;                         // what an API accepts changes seldom
inline constexpr auto retry_after = 15s;                           // a server that does not answer

}  // namespace ocim::gitops::limits
