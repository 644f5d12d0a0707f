#include "openedx/keepsakes.hpp"

#include "api/yaml.hpp"
#include "base/log.hpp"
#include "runtime/base64.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace ocim::openedx {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto look_pause = 500ms;  // a run waits for it

fs::path folder_in(const std::string& data_directory) { return fs::path(data_directory) / "keepsakes"; }

struct Waiting {
    fs::path path;
    Keepsake keepsake;
};

std::optional<Keepsake> read_keepsake(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    const auto parsed = api::parse_json(text.str());
    if (!parsed) return std::nullopt;
    const auto word = [&](const char* name) { return std::string(api::find_text(parsed->value, {name})); };
    const auto* settings = api::find(parsed->value, {"settings"});
    if (!settings || !settings->is_object()) return std::nullopt;
    return Keepsake{word("namespace"), word("secret"), word("key"), settings->get_object()};
}

std::vector<Waiting> waiting_in(const std::string& data_directory) {
    std::vector<Waiting> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_in(data_directory), error)) {
        if (entry.path().extension() != ".json") continue;
        if (auto keepsake = read_keepsake(entry.path()))
            out.push_back({entry.path(), *std::move(keepsake)});
        else
            fs::remove(entry.path(), error);  // the run hands it over again
    }
    return out;
}

}  // namespace

Result<void> write_keepsake(const std::string& data_directory, const std::string& run, const Keepsake& keepsake) {
    const auto folder = folder_in(data_directory);
    std::error_code error;
    fs::create_directories(folder, error);
    if (run.empty() || run.find('/') != std::string::npos || run.starts_with('.'))
        return Error{ErrorClass::invalid, "a run cannot be called \"" + run + "\""};
    const auto path = folder / (run + ".json"), beside = folder / (run + ".tmp");
    const auto text = api::to_text(api::json::object{{"namespace", keepsake.namespace_},
                                                     {"secret", keepsake.secret},
                                                     {"key", keepsake.key},
                                                     {"settings", keepsake.settings}});
    const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (file >= 0) ::close(file);
    if (written) fs::rename(beside, path, error);
    if (written && !error) return {};
    return Error{ErrorClass::transient, "cannot write in " + folder.string()};
}

api::json::object with_added(api::json::object kept, const api::json::object& settings) {
    for (const auto& [name, value] : settings)
        if (!kept.contains(name)) kept[name] = value;
    return kept;
}

awaitable<void> Keepsakes::keep() {
    for (;;) {
        co_await keep_once();
        co_await clock_.sleep(look_pause);
    }
}

awaitable<void> Keepsakes::keep_once() {
    auto look = [directory = data_directory_]() -> Result<std::vector<Waiting>> { return waiting_in(directory); };
    auto waiting = co_await blocking_.call(std::move(look));
    if (!waiting) co_return;
    for (auto& item : *waiting) {
        const auto run = item.path.stem().string();
        const auto stored = co_await store(std::move(item.keepsake));
        if (!stored && stored.error().error_class != ErrorClass::not_found) {
            log::warning("settings that a run drew were not kept", {{"run", run}, {"reason", stored.error().message}});
            continue;
        }
        auto forget = [path = item.path] {
            std::error_code ignored;
            fs::remove(path, ignored);
        };
        (void)co_await blocking_.run(std::move(forget));
    }
}

awaitable<Result<void>> Keepsakes::store(Keepsake keepsake) {
    CO_TRY(auto secret, co_await client_.get(api::secret_kind, keepsake.namespace_, keepsake.secret));
    const auto before = runtime::from_base64(api::find_text(secret, {"data", keepsake.key}));
    api::json::object kept;
    if (!before || !before->empty()) {  // what cannot be read is not absent: it is never written over
        Result<api::Parsed> parsed = Error{ErrorClass::invalid, "it is no base64"};
        if (before) parsed = api::parse_yaml(*before);
        if (!parsed || !parsed->value.is_object())
            co_return Error{ErrorClass::invalid, "Secret " + keepsake.namespace_ + "/" + keepsake.secret + ", key " +
                                                     keepsake.key + ": is not a YAML mapping; put it right"};
        kept = std::move(parsed->value.get_object());
    }
    const auto had = kept.size();
    kept = with_added(std::move(kept), keepsake.settings);
    if (kept.size() == had) co_return Result<void>{};
    auto& fields = secret.as_object();
    if (!fields.contains("data") || !fields.at("data").is_object()) fields["data"] = api::json::object();
    fields.at("data").as_object()[keepsake.key] = runtime::base64(api::to_text(kept) + "\n");
    // carries the resourceVersion that was read: another's write in between is a conflict, and this is tried again
    CO_TRY(const auto updated, co_await client_.update(api::secret_kind, std::move(secret)));
    (void)updated;
    co_return Result<void>{};
}

}  // namespace ocim::openedx
