#pragma once

#include "gitops/fetch.hpp"

#include <memory>
#include <string>

namespace ocim::gitops {

/// How a Git server is reached. The loop's.
class Transport {
public:
    virtual ~Transport() = default;
    /// What it says at first (see read_refs).
    virtual awaitable<Result<std::string>> refs() = 0;
    /// Its answer to a request (see read_pack).
    virtual awaitable<Result<std::string>> ask(std::string request) = 0;
};

/// Error: invalid, naming the field.
Result<std::unique_ptr<Transport>> open_transport(const RepositorySettings& settings,
                                                  const runtime::Services& services);

}  // namespace ocim::gitops
