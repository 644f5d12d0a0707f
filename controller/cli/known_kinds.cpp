#include "cli/known_kinds.hpp"

#include "cli/rehearsal.hpp"
#include "reconcilers/register.hpp"
#include "runtime/manager.hpp"
#include "webhooks/hooks.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>

namespace ocim::cli {

struct KnownKinds::State {
    explicit State(const client::Access& access)
        : client(client::make_remote_client(loop.get_executor(), *clock, metrics, pool,
                                            {[access] { return Result<client::Access>(access); }, "ocim-cli"})) {
        reconcilers::register_all(manager, hooks, compute::LocalMachines::refused);
    }

    boost::asio::io_context loop{1};
    std::unique_ptr<Clock> clock = make_system_clock(loop);
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool pool{loop.get_executor(), "blocking", 1, 1};
    std::unique_ptr<client::Client> client;
    webhooks::Hooks hooks;
    runtime::Manager manager{loop.get_executor(), *client, *clock, *random, metrics, pool, {}};  // never started
};

KnownKinds::KnownKinds(const client::Access& access) : state_(std::make_unique<State>(access)) {}
KnownKinds::~KnownKinds() = default;

std::vector<runtime::Reference> KnownKinds::references(const api::Json& object) const {
    const auto spot = spot_of(object);
    for (const auto& kind : Rehearsal::kinds()) {
        if (runtime::kind_id(kind) != spot.kind) continue;
        auto out = state_->manager.references(kind, object);
        std::erase_if(out, [](const runtime::Reference& one) { return one.name.empty(); });
        std::vector<runtime::Reference> once;  // a backend may be among the needs too
        for (auto& one : out) {
            const auto same = [&](const runtime::Reference& known) {
                return known.kind == one.kind && known.namespace_ == one.namespace_ && known.name == one.name;
            };
            if (std::ranges::none_of(once, same)) once.push_back(std::move(one));
        }
        return once;
    }
    return {};
}

}  // namespace ocim::cli
