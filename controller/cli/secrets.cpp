#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/encryption.hpp"
#include "cli/files.hpp"
#include "cli/token_keys.hpp"
#include "store/file_lock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/stat.h>
#include <filesystem>
#include <iostream>

namespace ocim::cli {

namespace {

constexpr Flag flags[] = {
    {"data-dir", "DIR", "The directory of the installation.", "", true},
    {"encryption-key-file", "FILE", "For rotate-key: the file with the keys, if it is not DIR/encryption-keys."},
    {"encryption-passphrase-file", "FILE", "For rotate-key: what the keys in it are protected with, if they are."},
    {"end-old-tokens", "", "For rotate-token-key: forget the old keys at once; every token from before is worthless."},
    help_flag,
};

constexpr std::string_view ways[] = {"rotate-key", "rotate-token-key"};

constexpr auto server_limit = std::chrono::minutes(5);
constexpr auto look_interval = Duration(200);

/// What is made there would be empty, and then the keys forgotten that the Secrets elsewhere need.
Result<void> refuse_without(const std::string& database) {
    std::error_code failed;
    const bool there = std::filesystem::exists(database, failed);
    if (failed) return Error{ErrorClass::transient, database + ": " + failed.message()};
    if (there) return {};
    return Error{ErrorClass::not_found,
                 database +
                     " is not there, so nothing was changed. Of servers with --store, put the new key into the "
                     "file with the keys of each yourself: docs/replicated-mode.md says how"};
}

/// Puts a new key in front, unless a rotation is under way already.
Result<store::KeyRing> begin_rotation(const KeyFile& file) {
    const auto lock = store::FileLock::take(file.path + ".lock");
    if (!lock) return lock.error();
    auto keys = read_keys(file);
    if (!keys) return std::move(keys).error();
    if (!*keys) return Error{ErrorClass::invalid, file.path + " is not there: the server makes it at its first start"};
    auto ring = **std::move(keys);
    if (ring.size() > 1) return ring;
    if (auto renewed = ring.renew(); !renewed) return std::move(renewed).error();
    if (auto wrote = write_keys(file, ring); !wrote) return std::move(wrote).error();
    return ring;
}

/// The running server does it; says when it has.
awaitable<Result<void>> wait_for_server(Clock& clock, KeyFile file, std::string key) {
    const auto deadline = clock.now() + server_limit;
    while (clock.now() < deadline) {
        const auto keys = read_keys(file);
        if (keys && *keys && (*keys)->size() == 1 && (*keys)->first().id == key) co_return Result<void>();
        co_await clock.sleep(look_interval);
    }
    co_return Error{
        ErrorClass::transient,
        "the server has not finished in 5 minutes; its log says why. Nothing is lost: both keys are in " + file.path};
}

awaitable<Result<void>> rotate(boost::asio::any_io_executor loop, Clock& clock, std::string database, KeyFile file) {
    CO_CHECK(refuse_without(database));
    auto ring = begin_rotation(file);
    if (!ring) co_return std::move(ring).error();
    const auto key = ring->first().id;
    auto opened = store::open_sealed_journal(std::move(loop), database, *std::move(ring));
    if (!opened && opened.error().error_class == ErrorClass::conflict) {
        CO_CHECK(co_await wait_for_server(clock, file, key));
    } else if (!opened) {
        co_return std::move(opened).error();
    } else {
        CO_TRY(const auto loaded, co_await (*opened)->load());
        (void)loaded;  // that everything opens is known now
        CO_TRY(const auto changed, co_await finish_rotation(**opened, file));
        (void)changed;
    }
    std::cout << "Secrets are encrypted with " << key << " now, and with no other key." << std::endl;
    co_return Result<void>();
}

int rotate_tokens(const Arguments& arguments) {
    ::umask(077);
    boost::asio::io_context loop{1};
    const auto old = arguments.has("end-old-tokens") ? OldTokens::end : OldTokens::last;
    const auto key = rotate_token_key(arguments.text("data-dir"), old, make_system_clock(loop)->wall());
    if (!key) {
        complain(key.error().message);
        return exit_failed;
    }
    std::cout << "Tokens are signed with " << *key << " from now on; a running server knows it within a second. "
              << (old == OldTokens::end ? "Tokens from before are worthless." : "Tokens from before last on.")
              << std::endl;
    return exit_ok;
}

int rotate_keys(const Arguments& arguments) {
    ::umask(077);
    const auto directory = arguments.text("data-dir");
    const auto file =
        KeyFile::of(directory, arguments.text("encryption-key-file"), arguments.text("encryption-passphrase-file"));
    boost::asio::io_context loop{1};
    const auto clock = make_system_clock(loop);
    Result<void> result;
    auto work = rotate(loop.get_executor(), *clock, directory + "/ocim.db", file);
    boost::asio::co_spawn(loop, std::move(work), [&](const std::exception_ptr& thrown, Result<void> ended) {
        result = std::move(ended);
        if (thrown) std::rethrow_exception(thrown);
    });
    loop.run();
    if (result) return exit_ok;
    complain(result.error().message);
    return exit_failed;
}

int secrets(const Arguments& arguments) {
    const auto& words = arguments.operands();
    const auto way = words.size() == 1 ? words.front() : "";
    if (way != "rotate-key" && way != "rotate-token-key") {
        complain("say what to do: ocim secrets rotate-key or rotate-token-key. See \"ocim secrets --help\".");
        return exit_usage;
    }
    const bool tokens = way == "rotate-token-key";
    for (const auto* flag : {"encryption-key-file", "encryption-passphrase-file", "end-old-tokens"})
        if (arguments.has(flag) && (flag == std::string_view("end-old-tokens")) != tokens) {
            complain("--" + std::string(flag) + " is not for " + way + ". See \"ocim secrets --help\".");
            return exit_usage;
        }
    return tokens ? rotate_tokens(arguments) : rotate_keys(arguments);
}

constexpr Example examples[] = {
    {"Once a year", "ocim secrets rotate-key --data-dir /var/lib/ocim"},
    {"After a token was lost", "ocim secrets rotate-token-key --end-old-tokens --data-dir /var/lib/ocim"},
};

}  // namespace

constinit const Command secrets_command{
    .name = "secrets",
    .summary = "New keys for what encrypts Secrets and signs tokens.",
    .synopsis = "rotate-key --data-dir DIR [FLAGS]\nrotate-token-key --data-dir DIR [FLAGS]",
    .description =
        "rotate-key encrypts every Secret with a new key, and forgets the old one. The server may run meanwhile: it "
        "takes\n"
        "up the new key from the file within a second. The old key stays in the file until nothing needs it, so this "
        "can\n"
        "be broken off at any instant, and run again. It is not for servers with --store: they have their Secrets in\n"
        "PostgreSQL (docs/replicated-mode.md).\n"
        "\n"
        "rotate-token-key signs tokens of ServiceAccounts with a new key. The server may run meanwhile. What the old "
        "key\n"
        "signed is good until it runs out, and the key is forgotten when the last of that has.",
    .flags = flags,
    .examples = examples,
    .run = secrets,
    .operands = Operands::taken,
    .completes = Completes::words,
    .words = ways,
};

}  // namespace ocim::cli
