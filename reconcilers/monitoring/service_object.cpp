#include "monitoring/monitor.hpp"
#include "monitoring/prober.hpp"
#include "runtime/backend_spec.hpp"

#include <utility>

namespace ocim::monitoring {

runtime::BackendSettings Monitor::settings(const Backend& backend) { return runtime::settings_of(backend.spec); }

Result<std::unique_ptr<Watch>> Monitor::open(const Backend& backend, const runtime::Inputs&,
                                             const runtime::Services& services) {
    const auto concurrent = static_cast<std::size_t>(backend.spec.prober.max_concurrent_probes);
    Senses senses{net::make_fetcher(services.loop, services.clock), net::make_talker(services.loop, services.clock)};
    return open_prober(std::move(senses), concurrent, services);
}

}  // namespace ocim::monitoring
