#include "base/process_metrics.hpp"

#include "base/metrics.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <vector>

namespace ocim {
namespace {

double value_of(const std::string& name) {
    const auto text = Metrics().text();
    const auto at = text.find("\n" + name + " ");
    EXPECT_NE(at, std::string::npos) << text;
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

TEST(ProcessMetrics, AreThoseOfThisProcess) {
    const auto open = value_of("process_open_fds");
    const int one = ::open("/dev/null", O_RDONLY);
    ASSERT_GE(one, 0);
    EXPECT_EQ(value_of("process_open_fds"), open + 1);
    ::close(one);
    EXPECT_GE(value_of("process_max_fds"), open);

    const auto before = value_of("process_resident_memory_bytes");
    constexpr std::size_t size = 64UL * 1024 * 1024;
    std::vector<char> memory(size);
    volatile char* at = memory.data();
    for (std::size_t i = 0; i < size; i += 1024) at[i] = 'x';
    EXPECT_GE(value_of("process_resident_memory_bytes"), before + 0.8 * static_cast<double>(size));
    EXPECT_EQ(at[0], 'x');
    EXPECT_GE(value_of("process_virtual_memory_bytes"), value_of("process_resident_memory_bytes"));

    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    EXPECT_NEAR(value_of("process_start_time_seconds"), now.count(), 3'600);
    EXPECT_GE(value_of("process_cpu_seconds_total"), 0.0);
}

TEST(ProcessMetrics, ANameMayHoldAnything) {
    const auto stat = parse_process_stat(
        "42 (a) b (c 1 2) S 1 42 42 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 4 0 7777 1048576 256 184467440");
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->cpu_ticks, 400);
    EXPECT_EQ(stat->start_ticks, 7777);
    EXPECT_EQ(stat->virtual_bytes, 1048576);
    EXPECT_EQ(stat->resident_pages, 256);
    EXPECT_FALSE(parse_process_stat("42 (short) S 1 2 3"));
    EXPECT_FALSE(parse_process_stat(""));
}

}  // namespace
}  // namespace ocim
