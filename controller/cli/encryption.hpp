#pragma once

#include "base/async.hpp"
#include "store/sealed_journal.hpp"

#include <optional>
#include <string>

/// The file with the keys that Secrets are encrypted with, and how they are changed.
namespace ocim::cli {

struct KeyFile {
    std::string path;
    std::string passphrase_file;  ///< empty: the keys are in the file as they are

    /// The one of a data directory, unless another was asked for.
    static KeyFile of(const std::string& data_directory, const std::string& path, const std::string& passphrase_file);
};

/// Nothing when there is no such file. Errors: invalid, for a file that others can read too, among others.
Result<std::optional<store::KeyRing>> read_keys(const KeyFile& file);
/// Replaces it as a whole, with mode 0600.
Result<void> write_keys(const KeyFile& file, const store::KeyRing& keys);

/// Encrypts everything anew with the first key of `journal`'s ring; then no other one is left in the file, unless the
/// journal is shared: others may still write with theirs. Until then they all are, so whatever breaks it off, nothing
/// is lost.
awaitable<Result<std::size_t>> finish_rotation(store::SealedJournal& journal, KeyFile file);

/// Finishes a rotation that was broken off, encrypts what was not, and then takes up a new key whenever the file has
/// one; with a shared journal what was known before is known still. Until cancelled.
awaitable<void> follow_keys(Clock& clock, store::SealedJournal& journal, KeyFile file);

}  // namespace ocim::cli
