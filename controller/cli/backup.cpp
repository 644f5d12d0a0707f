#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/places.hpp"

#include <sys/stat.h>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    {"from", "PLACE", "sqlite:PATH or postgres://USER@HOST/DATABASE.", "", true},
    {"to", "FILE", "Where the backup goes; there may be no such file yet.", "", true},
    password_flag,
    key_file_flag,
    passphrase_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"Every night", "ocim backup --from sqlite:/var/lib/ocim/ocim.db --to /backup/ocim-$(date +%F).db"},
    {"Of replicas",
     "ocim backup --from postgres://ocim@db/ocim --encryption-key-file /var/lib/ocim/encryption-keys --to "
     "/backup/ocim.db"},
};

Result<std::size_t> save(const Arguments& arguments) {
    const auto from = parse_place(arguments.text("from"), arguments.text("store-password-file"));
    if (!from) return Error(from.error()).within("--from");
    const auto keys = keys_of(arguments, *from);
    if (!keys) return keys.error();
    const auto all = store::read_snapshot(*from, *keys);
    if (!all) return Error(all.error()).within("--from");
    if (auto filled = store::fill({arguments.text("to"), {}}, *keys, *all); !filled)
        return std::move(filled).error().within("--to");
    return all->state.size();
}

int backup(const Arguments& arguments) {
    ::umask(077);
    const auto saved = save(arguments);
    if (!saved) {
        complain(saved.error().message);
        return saved.error().error_class == ErrorClass::invalid ? exit_usage : exit_failed;
    }
    std::cout << *saved << " objects are in " << arguments.text("to")
              << ", and were read back. Keep the file with the encryption keys elsewhere." << std::endl;
    return exit_ok;
}

}  // namespace

constinit const Command backup_command{
    .name = "backup",
    .summary = "Save all objects of one moment in a file; the server may run.",
    .synopsis = "--from PLACE --to FILE [FLAGS]",
    .description =
        "The file is private to its owner, and Secrets in it are encrypted: without the file with the keys it opens\n"
        "for nobody, you included.",
    .flags = flags,
    .examples = examples,
    .run = backup,
};

}  // namespace ocim::cli
