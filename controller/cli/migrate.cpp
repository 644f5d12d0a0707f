#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/places.hpp"

#include <sys/stat.h>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    {"from", "PLACE", "sqlite:PATH or postgres://USER@HOST/DATABASE.", "", true},
    {"to", "PLACE", "The same; nothing may be there yet.", "", true},
    password_flag,
    key_file_flag,
    passphrase_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"From one server to several",
     "ocim migrate --from sqlite:/var/lib/ocim/ocim.db --to postgres://ocim@db/ocim --store-password-file "
     "/etc/ocim/pw"},
    {"And back",
     "ocim migrate --from postgres://ocim@db/ocim --to sqlite:/var/lib/ocim/ocim.db --store-password-file "
     "/etc/ocim/pw"},
};

Result<std::size_t> carry(const Arguments& arguments) {
    const auto password = arguments.text("store-password-file");
    const auto from = parse_place(arguments.text("from"), password);
    if (!from) return Error(from.error()).within("--from");
    const auto to = parse_place(arguments.text("to"), password);
    if (!to) return Error(to.error()).within("--to");
    const auto keys = keys_of(arguments, from->file.empty() ? *to : *from);
    if (!keys) return keys.error();
    auto claim = store::Claim::make(*from);
    if (!claim) return Error(claim.error()).within("--from");
    const auto all = store::read_snapshot(*from, *keys);
    if (!all) return Error(all.error()).within("--from");
    if (auto filled = store::fill(*to, *keys, *all); !filled) return std::move(filled).error().within("--to");
    if (auto alone = claim->confirm(); !alone) return std::move(alone).error().within("--from");
    return all->state.size();
}

int migrate(const Arguments& arguments) {
    ::umask(077);
    const auto carried = carry(arguments);
    if (!carried) {
        complain(carried.error().message);
        return carried.error().error_class == ErrorClass::invalid ? exit_usage : exit_failed;
    }
    std::cout << *carried
              << " objects are there now, and were read back. Where they were nothing has changed: never "
                 "start a server there again, for both would take the same things for theirs."
              << std::endl;
    return exit_ok;
}

}  // namespace

constinit const Command migrate_command{
    .name = "migrate",
    .summary = "Carry everything from a SQLite file to PostgreSQL, or back.",
    .synopsis = "--from PLACE --to PLACE [FLAGS]",
    .description =
        "No server may run on either. Everything keeps its resourceVersion; the history does not come along, so\n"
        "whoever watches lists again. Secrets stay encrypted with the same keys.",
    .flags = flags,
    .examples = examples,
    .run = migrate,
};

}  // namespace ocim::cli
