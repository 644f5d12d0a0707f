#include "api/json.hpp"
#include "base/random.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/places.hpp"
#include "cli/restored.hpp"

#include <boost/asio/io_context.hpp>

#include <sys/stat.h>
#include <algorithm>
#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

/// No revision that a client of the lost store has seen is given again.
constexpr store::Revision jump = 1'000'000'000;

constexpr Flag flags[] = {
    {"from", "FILE", "What \"ocim backup\" made.", "", true},
    {"to", "PLACE", "sqlite:PATH or postgres://USER@HOST/DATABASE; nothing may be there yet.", "", true},
    {"as-copy", "",
     "It becomes an installation of its own, with a new id: what the other one has made is not its own."},
    password_flag,
    key_file_flag,
    passphrase_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"After a disaster", "ocim restore --from /backup/ocim.db --to sqlite:/var/lib/ocim/ocim.db"},
    {"To try something out",
     "ocim restore --from /backup/ocim.db --to sqlite:/tmp/copy/ocim.db --as-copy "
     "--encryption-key-file /var/lib/ocim/encryption-keys"},
};

struct Chance {
    boost::asio::io_context loop{1};
    std::unique_ptr<Clock> clock = make_system_clock(loop);
    std::unique_ptr<Random> random = make_system_random();
};

Json marker(Chance& chance, bool as_copy) {
    api::json::object metadata;
    metadata["name"] = restored_name;
    metadata["namespace"] = "ocim-system";
    metadata["uid"] = chance.random->uuid();
    metadata["creationTimestamp"] = rfc3339(chance.clock->wall());
    api::json::object data;
    data["kind"] = as_copy ? "copy" : "restored";
    return api::json::object{
        {"kind", "ConfigMap"}, {"apiVersion", "v1"}, {"metadata", std::move(metadata)}, {"data", std::move(data)}};
}

store::Item item(Json object, store::Revision revision, const Chance& chance) {
    api::make_object(object, {"metadata"})["resourceVersion"] = std::to_string(revision);
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(chance.clock->wall().time_since_epoch());
    return {revision, std::make_shared<const std::string>(api::to_text(object)), time.count()};
}

void put(store::Snapshot& all, std::string_view key, store::Item value) {
    const auto at =
        std::ranges::lower_bound(all.state, key, {}, [](const auto& one) -> std::string_view { return one.first; });
    if (at != all.state.end() && at->first == key)
        at->second = std::move(value);
    else
        all.state.emplace(at, std::string(key), std::move(value));
}

/// Another id in place of the one that what was made carries.
Result<void> rename_installation(store::Snapshot& all, Chance& chance) {
    const auto found =
        std::ranges::find(all.state, installation_key, [](const auto& one) -> std::string_view { return one.first; });
    if (found == all.state.end()) return {};  // its controllers never ran: one is drawn at the first start
    auto object = api::parse_json(*found->second.value);
    if (!object) return std::move(object).error().within("the installation's id");
    api::make_object(object->value, {"data"})["id"] = chance.random->text(10, "abcdefghijklmnopqrstuvwxyz0123456789");
    found->second = item(std::move(object->value), ++all.revision, chance);
    return {};
}

Result<std::size_t> bring_back(const Arguments& arguments) {
    const auto to = parse_place(arguments.text("to"), arguments.text("store-password-file"));
    if (!to) return Error(to.error()).within("--to");
    const auto keys = keys_of(arguments, *to);
    if (!keys) return keys.error();
    auto all = store::read_snapshot({arguments.text("from"), {}}, *keys);
    if (!all) return std::move(all).error().within("--from");
    const auto count = all->state.size();
    Chance chance;
    const bool as_copy = arguments.has("as-copy");
    all->revision += jump;
    put(*all, restored_key, item(marker(chance, as_copy), ++all->revision, chance));
    if (as_copy)
        if (auto renamed = rename_installation(*all, chance); !renamed) return std::move(renamed).error();
    if (auto filled = store::fill(*to, *keys, *all); !filled) return std::move(filled).error().within("--to");
    return count;
}

int restore(const Arguments& arguments) {
    ::umask(077);
    const auto restored = bring_back(arguments);
    if (!restored) {
        complain(restored.error().message);
        return restored.error().error_class == ErrorClass::invalid ? exit_usage : exit_failed;
    }
    std::cout << *restored << " objects are there again, and were read back. A server that is started on them looks "
              << "and reports, and changes nothing in the world until you run: ocim resume --all" << std::endl;
    return exit_ok;
}

}  // namespace

constinit const Command restore_command{
    .name = "restore",
    .summary = "Make a store of what \"ocim backup\" saved.",
    .synopsis = "--from FILE --to PLACE [FLAGS]",
    .description =
        "What was declared after the backup is in the world and not in the store: it would be taken for an orphan, "
        "and\n"
        "what was deleted since would be made again. So a restored store changes nothing in the world until\n"
        "\"ocim resume --all\"; look at what its objects say before.",
    .flags = flags,
    .examples = examples,
    .run = restore,
};

}  // namespace ocim::cli
