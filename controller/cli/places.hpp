#pragma once

#include "cli/arguments.hpp"
#include "store/transfer.hpp"

#include <string>

/// Where stores are kept, as people say it.
namespace ocim::cli {

/// A database by its URL, which must not hold the password; `password_file` may be empty. Error: invalid.
Result<store::PostgresSettings> open_database(const std::string& url, const std::string& password_file);
/// sqlite:PATH or postgres://…. Error: invalid.
Result<store::Place> parse_place(const std::string& text, const std::string& password_file);

inline constexpr Flag password_flag{"store-password-file", "FILE",
                                    "The password of a database; else what PGPASSFILE or PGPASSWORD say."};
inline constexpr Flag key_file_flag{
    "encryption-key-file", "FILE",
    "The keys that Secrets are encrypted with (default: encryption-keys beside the file of SQLite)."};
inline constexpr Flag passphrase_flag{"encryption-passphrase-file", "FILE",
                                      "What those keys are protected with, if they are."};

/// As --encryption-key-file says, else the file beside `place`. Error: invalid when it is not there.
Result<store::KeyRing> keys_of(const Arguments& arguments, const store::Place& place);

}  // namespace ocim::cli
