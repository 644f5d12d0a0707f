#include "monitoring/dns_check.hpp"
#include "monitoring/prometheus_files.hpp"
#include "monitoring/prometheus_live.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
using namespace ocim::monitoring;
namespace files_of = ocim::monitoring::prometheus;  // there is another of that name in prometheus-cpp

/// What name servers and Prometheus answer, and what others write into files that we read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    DnsCheck check;
    check.name = "www.example.org";
    for (const auto* type : {"A", "MX", "TXT", "CAA", "SOA"}) {
        check.type = type;
        (void)wrong_with_answer(check, text);
        const auto value = canonical_dns_value(type, std::string(text));
        if (!value || text.find('\0') != text.npos) continue;
        const auto again = canonical_dns_value(type, *value);
        fuzz::expect(again && *again == *value, "one form of a value", *value);
    }
    (void)is_truncated(text);

    (void)files_of::rules_in_force(text, "x");
    (void)files_of::targets_in_force(text);
    (void)files_of::findings(text, WallTime());
    const auto half = std::min(text.find('\n'), text.size());
    const auto files = files_of::Files::read(text.substr(0, half), text.substr(half), "lab");
    if (!files) return 0;
    const auto again = files_of::Files::read(files->targets(), files->rules(), "lab");
    fuzz::expect(again.operator bool(), "what is written can be read", files->targets());
    fuzz::expect(again->targets() == files->targets(), "what is read is written as it was", files->targets());
    fuzz::expect(again->rules() == files->rules(), "what is read is written as it was", files->rules());
    return 0;
}
