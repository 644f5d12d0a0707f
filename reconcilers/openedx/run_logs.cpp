#include "openedx/run_logs.hpp"

#include "api/status.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"
#include "crd/appservers.hpp"
#include "crd/provisioningruns.hpp"
#include "openedx/run_log.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using namespace std::chrono_literals;
using api::Json;
namespace json = api::json;

constexpr std::size_t kept_bytes_max = 64 * 1024;  // of the end in the ConfigMap, which anybody's etcd takes
constexpr std::size_t piece_bytes = 64 * 1024;
constexpr auto publish_pause = 15s;  // of a run that goes on: each time is a write of 64 KiB
constexpr auto list_pause = 600s;    // what a watch has missed
constexpr auto retry_pause = 30s;
constexpr auto follow_pause = 250ms;
constexpr auto manager = "ocim-run-logs";

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

std::int64_t number_at(const Json& object, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(object, path);
    return found && found->is_int64() ? found->get_int64() : 0;
}

bool has_ended(const Json& run) {
    const auto phase = text_at(run, {"status", "phase"});
    return phase == "Succeeded" || phase == "Failed" || phase == "Cancelled";
}

std::string folder_of(const std::string& data_directory, const Json& run) {
    return log_folder(data_directory,
                      text_at(run, {"metadata", "namespace"}) + "/" + text_at(run, {"metadata", "name"}),
                      text_at(run, {"metadata", "uid"}));
}

/// Whose log it is: the AppServer that wanted the run, else the run itself.
json::object owner_of(const Json& run) {
    json::object out{{"apiVersion", text_at(run, {"apiVersion"})},
                     {"kind", text_at(run, {"kind"})},
                     {"name", text_at(run, {"metadata", "name"})},
                     {"uid", text_at(run, {"metadata", "uid"})}};
    const auto* owners = api::find(run, {"metadata", "ownerReferences"});
    if (!owners || !owners->is_array()) return out;
    for (const auto& owner : owners->get_array()) {
        if (api::find_text(owner, {"kind"}) != crd::AppServer::kind.name) continue;
        for (const auto* field : {"apiVersion", "kind", "name", "uid"}) out[field] = api::find_text(owner, {field});
    }
    return out;
}

Json config_map(const Json& run, std::string log) {
    auto owner = owner_of(run);
    json::object metadata{{"name", std::string(owner.at("name").as_string()) + "-log"},
                          {"namespace", text_at(run, {"metadata", "namespace"})}};
    // whoever sends the log to somebody waits for this
    if (has_ended(run)) metadata["annotations"] = json::object{{"ocim.opencraft.com/complete", "true"}};
    metadata["ownerReferences"] = json::array{std::move(owner)};
    return json::object{{"apiVersion", "v1"},
                        {"kind", "ConfigMap"},
                        {"metadata", std::move(metadata)},
                        {"data", json::object{{"log", std::move(log)}}}};
}

net::ServerReply refusal(const api::Status& status) {
    return {static_cast<unsigned>(status.code),
            {{"Content-Type", "application/json"}},
            api::to_text(status.to_json()) + "\n"};
}

Result<std::string> last_bytes(const std::string& folder) {
    const RunLog log(folder);
    auto at = std::max<std::int64_t>(0, log.position().end - static_cast<std::int64_t>(kept_bytes_max) - 1);
    std::string out;
    for (auto piece = log.read(at, kept_bytes_max); !piece.text.empty(); piece = log.read(piece.next, kept_bytes_max))
        out += piece.text;
    return out;
}

std::int64_t begin_of(const RunLog& log, const RunLogs::Wanted& wanted, WallTime now) {
    std::int64_t out = 0;
    if (wanted.tail_lines) out = log.begin_of_last_lines(*wanted.tail_lines);
    if (wanted.since_seconds) out = std::max(out, log.begin_since(now - std::chrono::seconds(*wanted.since_seconds)));
    return out;
}

}  // namespace

std::string end_of_log(std::string_view text, std::size_t bytes_max) {
    if (text.size() > bytes_max) {
        text.remove_prefix(text.size() - bytes_max);
        if (const auto end = text.find('\n'); end != std::string_view::npos) text.remove_prefix(end + 1);
    }
    return valid_utf8(text);
}

// --- kept for people

awaitable<void> RunLogs::keep() {
    for (;;) {
        failed_ = false;
        const std::string everywhere;
        auto listed = co_await client_.list(crd::ProvisioningRun::kind, everywhere);
        if (!listed) {
            co_await clock_.sleep(retry_pause);
            continue;
        }
        auto all = listed->items;
        co_await sweep(std::move(all));
        for (auto& run : listed->items) { co_await look(std::move(run)); }
        co_await watch_from(listed->resource_version);
    }
}

awaitable<void> RunLogs::watch_from(std::string resource_version) {
    const auto end = clock_.now() + list_pause;
    const std::string everywhere;
    auto watch = co_await client_.watch(crd::ProvisioningRun::kind, everywhere, std::move(resource_version));
    if (!watch) {
        co_await clock_.sleep(retry_pause);
        co_return;
    }
    while (clock_.now() < end) {
        const auto until = failed_ ? std::min<Instant>(end, clock_.now() + retry_pause) : end;
        auto events = co_await (*watch)->next(until);
        if (!events || (events->empty() && failed_)) co_return;
        for (auto& event : *events) {
            auto uid = text_at(event.object, {"metadata", "uid"});
            if (event.type == client::Event::Type::deleted)
                co_await forget(std::move(uid));
            else if (event.type != client::Event::Type::bookmark)
                co_await look(std::move(event.object));
        }
    }
}

awaitable<void> RunLogs::look(Json run) {
    const auto uid = text_at(run, {"metadata", "uid"});
    const auto bytes = number_at(run, {"status", "logBytes"});
    const auto before = published_.find(uid);
    const bool known = before != published_.end();
    const bool ended = has_ended(run);
    if (bytes == 0 || (known && before->second.bytes == bytes && before->second.ended == ended)) co_return;
    if (known && !ended && clock_.now() - before->second.at < publish_pause) co_return;
    const auto done = co_await publish(std::move(run));
    if (done) {
        published_[uid] = {bytes, clock_.now(), ended};
        co_return;
    }
    failed_ = true;
    log::warning("the end of a log was not stored", {{"run", uid}, {"reason", done.error().message}});
}

awaitable<Result<void>> RunLogs::publish(Json run) {
    auto read = [folder = folder_of(data_directory_, run)] { return last_bytes(folder); };
    CO_TRY(const auto text, co_await blocking_.call(std::move(read)));
    auto object = config_map(run, end_of_log(text, kept_bytes_max));
    const std::string by(manager), whole;
    CO_TRY(const auto applied, co_await client_.apply(api::config_map_kind, std::move(object), by, whole));
    (void)applied;
    co_return Result<void>{};
}

awaitable<void> RunLogs::forget(std::string uid) {
    published_.erase(uid);
    auto work = [directory = data_directory_, uid = std::move(uid)] { remove_log(directory, uid); };
    (void)co_await blocking_.run(std::move(work));
}

/// Runs that went while nobody looked: their machine was gone, or we were not there. `runs` were listed before the
/// folders are, and a log begins after its run does; so the list is asked again for what it does not name.
awaitable<void> RunLogs::sweep(std::vector<Json> runs) {
    std::set<std::string> there;
    for (const auto& run : runs) there.insert(text_at(run, {"metadata", "uid"}));
    auto find = [directory = data_directory_]() -> Result<std::set<std::string>> { return logged_runs(directory); };
    const auto logged = co_await blocking_.call(std::move(find));
    if (!logged) co_return;
    const std::string everywhere;
    const auto again = co_await client_.list(crd::ProvisioningRun::kind, everywhere);
    if (!again) co_return;
    for (const auto& run : again->items) there.insert(text_at(run, {"metadata", "uid"}));
    for (const auto& uid : *logged)
        if (!there.contains(uid)) co_await forget(uid);
}

// --- streamed

awaitable<std::optional<Json>> RunLogs::run_of(Json appserver) {
    auto name = text_at(appserver, {"status", "provision", "run"});
    if (name.empty()) co_return std::nullopt;
    auto namespace_ = text_at(appserver, {"metadata", "namespace"});
    auto run = co_await client_.get(crd::ProvisioningRun::kind, std::move(namespace_), std::move(name));
    if (!run) co_return std::nullopt;
    co_return *std::move(run);
}

awaitable<std::optional<net::ServerReply>> RunLogs::send(Json appserver, Wanted wanted, std::function<bool()> draining,
                                                         net::Responder& responder) {
    const auto run = co_await run_of(appserver);
    if (!run && !wanted.follow) {
        const auto phase = text_at(appserver, {"status", "phase"});
        co_return refusal(api::bad_request("AppServer " + text_at(appserver, {"metadata", "name"}) +
                                           " has no log yet: its playbook has not started (phase " +
                                           (phase.empty() ? "New" : phase) + "); follow=true waits for it"));
    }
    std::multimap<std::string, std::string> headers{{"Content-Type", "text/plain; charset=utf-8"},
                                                    {"Cache-Control", "no-cache, private"}};
    co_await responder.start_stream(200, std::move(headers));
    co_await stream(std::move(appserver), wanted, std::move(draining), responder);
    co_await responder.finish();
    co_return std::nullopt;
}

awaitable<void> RunLogs::stream(Json appserver, Wanted wanted, std::function<bool()> draining,
                                net::Responder& responder) {
    std::optional<std::int64_t> at;
    auto left = wanted.limit_bytes.value_or(std::numeric_limits<std::int64_t>::max());
    while (left > 0 && !draining()) {
        auto run = co_await run_of(appserver);
        const bool ended = run && has_ended(*run);  // looked at before the last read, so that nothing is missed
        if (run) {
            const RunLog log(folder_of(data_directory_, *run));
            auto read = [log, at, wanted, now = clock_.wall()]() -> Result<RunLog::Piece> {
                return log.read(at ? *at : begin_of(log, wanted, now), piece_bytes);
            };
            auto piece = co_await blocking_.call(std::move(read));
            if (!piece) co_return;  // too busy
            at = piece->next;
            if (!piece->text.empty()) {
                if (static_cast<std::int64_t>(piece->text.size()) > left)
                    piece->text.resize(static_cast<std::size_t>(left));
                left -= static_cast<std::int64_t>(piece->text.size());
                const bool there = co_await responder.write(std::move(piece->text));
                if (!there) co_return;
                continue;
            }
        }
        if (!wanted.follow || ended || (at && !run)) co_return;
        co_await clock_.sleep(follow_pause);
        auto namespace_ = text_at(appserver, {"metadata", "namespace"});
        auto name = text_at(appserver, {"metadata", "name"});
        auto now = co_await client_.get(crd::AppServer::kind, std::move(namespace_), std::move(name));
        if (!now) co_return;  // it is gone
        appserver = *std::move(now);
        const auto phase = text_at(appserver, {"status", "phase"});
        if (!run && (phase == "Error" || phase == "Terminating")) co_return;
    }
}

}  // namespace ocim::openedx
