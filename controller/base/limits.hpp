#pragma once

#include <chrono>
#include <cstddef>

/// Every bound of the program: its unit is in its name, its reason beside it. At a bound we refuse with a
/// reason and count it; we neither wait without end nor drop in silence.
namespace ocim::limits {

using namespace std::chrono_literals;

// --- requests to our API server
inline constexpr std::size_t body_bytes_max = 3 * 1024 * 1024;    // as kube-apiserver: "limit is 3145728"
inline constexpr std::size_t header_bytes_max = 64 * 1024;        // client certificates travel in TLS, not here
inline constexpr std::size_t json_depth_max = 100;                // deeper than any schema; bounds our stack
inline constexpr std::size_t yaml_nodes_max = 200'000;            // an alias bomb counts as what it expands to
inline constexpr std::size_t object_bytes_max = 1536 * 1024;      // as etcd's default
inline constexpr std::size_t annotations_bytes_max = 256 * 1024;  // as kube-apiserver

// --- replies of outside systems
inline constexpr std::size_t reply_bytes_max = 64 * 1024 * 1024;  // a zone of 100,000 records fits
inline constexpr auto external_call_max = 30s;                    // one call to an outside system
inline constexpr auto connect_max = 5s;

}  // namespace ocim::limits
