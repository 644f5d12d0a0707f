#pragma once

#include "store/key_ring.hpp"
#include "store/store.hpp"

namespace ocim::store {

/// The SQLite journal with the values of some keys encrypted in the file, and nowhere else.
class SealedJournal : public Journal {
public:
    /// From now on its first key encrypts. Nothing that is being written is lost: the old keys must be in it too
    /// until reseal() has succeeded.
    virtual void use(KeyRing ring) = 0;
    /// Encrypts anew what is not encrypted with the first key, the history too, a little at a time. What was never
    /// encrypted leaves no trace in the file. Safe to repeat, and to break off at any instant. Returns how many values.
    virtual awaitable<Result<std::size_t>> reseal() = 0;
    virtual const KeyRing& ring() const = 0;
};

/// open_sqlite_journal() with the values of keys that start with `prefix` encrypted. load() fails, and changes nothing,
/// when one of them does not open.
Result<std::unique_ptr<SealedJournal>> open_sealed_journal(boost::asio::any_io_executor loop, const std::string& path,
                                                           KeyRing ring, std::string prefix = "core/secrets/");

}  // namespace ocim::store
