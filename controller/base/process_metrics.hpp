#pragma once

#include <prometheus/metric_family.h>
#include <optional>
#include <string_view>
#include <vector>

namespace ocim {

/// What Linux tells of this process, under the names that Prometheus' client libraries give it:
/// process_cpu_seconds_total, process_open_fds, process_max_fds, process_resident_memory_bytes,
/// process_virtual_memory_bytes and process_start_time_seconds. What cannot be read is left out.
std::vector<prometheus::MetricFamily> process_metrics();

/// Of /proc/PID/stat (proc_pid_stat(5)); pure.
struct ProcessStat {
    double cpu_ticks = 0, start_ticks = 0, virtual_bytes = 0, resident_pages = 0;
};
std::optional<ProcessStat> parse_process_stat(std::string_view text);

}  // namespace ocim
