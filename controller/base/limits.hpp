#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of the program: its unit is in its name, its reason beside it. At a bound we refuse with a
/// reason and count it; we neither wait without end nor drop in silence.
namespace ocim::limits {

using namespace std::chrono_literals;

// --- requests to our API server
inline constexpr std::size_t body_bytes_max = 3 * 1024 * 1024;    // as kube-apiserver: "limit is 3145728"
inline constexpr std::size_t header_bytes_max = 64 * 1024;        // client certificates travel in TLS, not here
inline constexpr std::size_t json_depth_max = 100;                // deeper than any schema; bounds our stack
inline constexpr std::size_t yaml_nodes_max = 200'000;            // an alias bomb counts as what it expands to
inline constexpr std::size_t yaml_bytes_max = 16 * 1024 * 1024;   // of text, counted the same way
inline constexpr std::size_t patch_operations_max = 10'000;       // of a JSON patch, as kube-apiserver
inline constexpr std::size_t object_bytes_max = 1536 * 1024;      // as etcd's default
inline constexpr std::size_t annotations_bytes_max = 256 * 1024;  // as kube-apiserver

// --- schemas: what a user's CRD may ask of us
inline constexpr std::size_t causes_max = 1000;              // faults of one object: more than anybody reads
inline constexpr std::size_t causes_bytes_max = 256 * 1024;  // their text, whose paths may be long
inline constexpr std::size_t cel_bytes_max = 32 * 1024;      // one rule: longer is a program
inline constexpr std::size_t cel_nesting_max = 64;  // brackets and minuses within each other: bounds the parser's stack
inline constexpr std::size_t cel_depth_max = 250;   // of its tree: bounds the evaluator's stack
inline constexpr std::size_t cel_nodes_max = 10'000;            // its parts, chains included
inline constexpr std::int64_t cel_steps_max = 1'000'000;        // all rules over one object: some 50 ms
inline constexpr std::size_t cel_message_bytes_max = 5 * 1024;  // as kube-apiserver
inline constexpr std::size_t json_path_bytes_max = 4096;        // printer columns are short
inline constexpr std::size_t json_path_steps_max = 64;          // deeper than any column
inline constexpr std::size_t json_path_results_max = 10'000;    // `..` repeated multiplies what it finds

// --- the store
inline constexpr std::size_t history_changes_max = 20'000;           // a watcher that lags more than this lists again
inline constexpr std::size_t history_bytes_max = 256 * 1024 * 1024;  // bounds our memory and the journal's file
inline constexpr auto history_age_max = std::chrono::milliseconds(10min);  // twice what kube-apiserver keeps
inline constexpr std::size_t history_slack = 2'000;       // forgotten together, so that forgetting is rare
inline constexpr std::size_t commit_changes_max = 1'000;  // one batch: some 100 ms of a slow disk
inline constexpr std::size_t commit_bytes_max = 8 * 1024 * 1024;
inline constexpr std::size_t writes_waiting_max = 10'000;  // then writers are told to come again

// --- answers of our API server
inline constexpr std::size_t parse_on_loop_bytes_max = 64 * 1024;        // 1 ms of YAML; longer goes to a thread
inline constexpr std::size_t gzip_bytes_min = 128 * 1024;                // as kube-apiserver
inline constexpr std::size_t list_slice_verbatim = 1000;                 // items copied before the loop goes on: 1 ms
inline constexpr std::size_t list_slice_printed = 50;                    // items parsed and printed: 2 ms
inline constexpr std::size_t audit_pending_bytes_max = 8 * 1024 * 1024;  // 20,000 writes a disk may be behind
inline constexpr std::size_t audit_file_bytes_max = 64 * 1024 * 1024;    // 200,000 writes; then the next file
inline constexpr int audit_old_files_max = 4;
inline constexpr std::chrono::seconds watch_min{30 * 60};  // as kube-apiserver: 30 to 60 minutes
inline constexpr auto watch_slice = 1s;                    // how soon a watch sees that we shut down
inline constexpr auto watch_farewell = 2s;                 // the last bookmark, before the end
inline constexpr auto loop_lag_interval = 100ms;

// --- replies of outside systems
inline constexpr std::size_t reply_bytes_max = 64 * 1024 * 1024;  // a zone of 100,000 records fits
inline constexpr auto external_call_max = 30s;                    // one call to an outside system
inline constexpr auto connect_max = 5s;
inline constexpr auto retry_after_max = 1h;                       // a peer that asks for more is asked again anyway
inline constexpr std::size_t error_output_bytes_max = 64 * 1024;  // the end of a command's stderr holds its reason

// --- connections to our HTTP server
inline constexpr auto handshake_max = 10s;                // TLS, from accept
inline constexpr auto idle_connection_max = 180s;         // longer than the keep-alive of kubectl and Prometheus
inline constexpr auto write_stall_max = 10s;              // on top of the time the bytes need at the rate below
inline constexpr std::size_t write_rate_min = 64 * 1024;  // bytes a second a client must read
inline constexpr auto linger_max = 2s;                    // to let a client read our refusal before we hang up
inline constexpr std::size_t lingering_bytes_max = 16 * 1024 * 1024;    // read and dropped meanwhile
inline constexpr std::size_t all_bodies_bytes_max = 512 * 1024 * 1024;  // of all requests at hand, a bound of memory

}  // namespace ocim::limits
