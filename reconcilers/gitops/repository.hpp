#pragma once

#include "client/client.hpp"
#include "client/delegate.hpp"
#include "gitops/fetch.hpp"
#include "gitops/source.hpp"

#include <map>
#include <memory>
#include <string>

namespace ocim::gitops {

/// The account that is meant when spec.serviceAccountName is absent, and the ClusterRole that it is given.
inline constexpr std::string_view default_account = "ocim-gitops";

struct Opened {
    std::string namespace_, name;
    bool suspended = false;
    bool makes_account = false;                 ///< the default one is made where it is not there
    std::map<ObjectId, std::string> tracked{};  ///< what may be there, and its apiVersion
    std::unique_ptr<Fetcher> fetcher{};         ///< null when suspended, or when `problem` says why
    Problem problem{};
    Duration interval{60'000};                            ///< the server is asked no more often
    std::unique_ptr<webhooks::Hooks::Hearing> hearing{};  ///< what wakes it before that is over; may be null
};

/// One GitSource, opened: its commit, and what is there of it, looked at and written by way of `delegate`. `client`
/// makes the default account, and says which kinds are defined; it must outlive it.
std::unique_ptr<Repository> open_repository(Opened opened, std::unique_ptr<client::Delegate> delegate,
                                            client::Client& client, const runtime::Services& services);

}  // namespace ocim::gitops
