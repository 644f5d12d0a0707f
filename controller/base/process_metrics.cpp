#include "base/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace ocim {

namespace {

std::string text_of(const char* path) {
    std::ifstream file(path);
    std::ostringstream out;
    out << file.rdbuf();
    return std::move(out).str();
}

/// The second at which the machine was started: "btime" of /proc/stat.
std::optional<double> boot_time() {
    std::ifstream file("/proc/stat");
    for (std::string word; file >> word;)
        if (double value = 0; word == "btime" && file >> value) return value;
    return std::nullopt;
}

std::optional<double> open_files() {
    std::error_code error;
    const std::filesystem::directory_iterator all("/proc/self/fd", error);
    if (error) return std::nullopt;
    double count = -1;  // the one that the directory is read by
    for (auto at = begin(all); at != end(all); at.increment(error)) {
        if (error) return std::nullopt;
        ++count;
    }
    return count;
}

std::optional<double> open_files_max() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
    return static_cast<double>(limit.rlim_cur);
}

prometheus::MetricFamily family(const char* name, const char* help, double value, prometheus::MetricType type) {
    prometheus::ClientMetric one;
    (type == prometheus::MetricType::Counter ? one.counter.value : one.gauge.value) = value;
    return {name, help, type, {std::move(one)}};
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
    // the second field is the name in brackets, which may hold anything; from the third on there are numbers
    const auto name_end = text.rfind(')');
    if (name_end == std::string_view::npos) return std::nullopt;
    std::istringstream rest{std::string(text.substr(name_end + 1))};
    std::string state;
    rest >> state;
    std::array<double, 21> field{};  // fields 4 to 24
    for (auto& one : field) rest >> one;
    if (!rest) return std::nullopt;
    const auto at = [&field](std::size_t number) { return field.at(number - 4); };
    return ProcessStat{at(14) + at(15), at(22), at(23), at(24)};
}

std::vector<prometheus::MetricFamily> process_metrics() {
    using Type = prometheus::MetricType;
    std::vector<prometheus::MetricFamily> out;
    if (const auto stat = parse_process_stat(text_of("/proc/self/stat"))) {
        const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
        const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
        out.push_back(family("process_cpu_seconds_total", "Seconds of CPU time, user's and system's.",
                             stat->cpu_ticks / ticks, Type::Counter));
        out.push_back(family("process_resident_memory_bytes", "Bytes of memory that are resident.",
                             stat->resident_pages * page, Type::Gauge));
        out.push_back(
            family("process_virtual_memory_bytes", "Bytes of virtual memory.", stat->virtual_bytes, Type::Gauge));
        if (const auto boot = boot_time())
            out.push_back(family("process_start_time_seconds", "When the process was started, in seconds since 1970.",
                                 *boot + stat->start_ticks / ticks, Type::Gauge));
    }
    if (const auto open = open_files())
        out.push_back(family("process_open_fds", "File descriptors that are open.", *open, Type::Gauge));
    if (const auto most = open_files_max())
        out.push_back(family("process_max_fds", "File descriptors that may be open.", *most, Type::Gauge));
    return out;
}

}  // namespace ocim
