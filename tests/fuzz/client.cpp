#include "net/http_client.hpp"

#include "fuzz/fuzz.hpp"

#include <boost/asio/io_context.hpp>

using namespace ocim;

/// A URL that somebody gives for a system outside: a client is made for it, or it is refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static auto& loop = *new boost::asio::io_context;
    static auto& clock = *make_system_clock(loop).release();
    static auto& metrics = *new Metrics;
    const std::string url(reinterpret_cast<const char*>(data), size);
    const auto made = net::make_http_client(loop.get_executor(), clock, metrics, {.base_url = url});
    fuzz::expect(made || !made.error().message.empty(), "a refusal has a reason", url);
    return 0;
}
