#pragma once

#include "storage/store.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ocim::storage {

/// The few things that one can do with an account of an object storage: a file a service. It decides nothing.
class Provider {
public:
    virtual ~Provider() = default;
    /// Every container: name -> what is another when somebody deletes it and makes it anew.
    virtual awaitable<Result<std::map<std::string, std::string>>> list() = 0;
    /// One of them as it is now; nothing when there is none.
    virtual awaitable<Result<std::optional<Thing>>> look(std::string name) = 0;
    /// There was none a moment ago.
    virtual awaitable<Result<void>> create(std::string name, Thing wanted) = 0;
    /// `found` was there a moment ago.
    virtual awaitable<Result<void>> change(std::string name, Thing found, Thing wanted) = 0;
    /// What is in it, objects and older versions. Error: rate_limited, when `until` has come and more is left.
    virtual awaitable<Result<void>> empty(std::string name, Instant until) = 0;
    /// Error: conflict, when something is in it. One that is gone is no error.
    virtual awaitable<Result<void>> remove(std::string name) = 0;
    virtual awaitable<Result<void>> probe() = 0;
};

/// A Store of any of them. `in_flight`: calls at a time.
std::unique_ptr<Store> make_store(std::unique_ptr<Provider> provider, const runtime::Services& services,
                                  std::size_t in_flight);

}  // namespace ocim::storage
