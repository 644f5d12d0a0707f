#include "cli/waiting.hpp"

#include "cli/output.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::cli {

namespace {

using namespace std::chrono_literals;

constexpr Duration look_first = 100ms, look_last = 1s;

std::optional<Duration> unit_of(std::string_view unit) {
    if (unit == "ms") return Duration(1);
    if (unit == "s" || unit.empty()) return Duration(1s);
    if (unit == "m") return Duration(1min);
    if (unit == "h") return Duration(1h);
    return std::nullopt;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    const Error bad{ErrorClass::invalid, "\"" + std::string(text) + "\": give a duration such as 30s, 5m or 1h30m"};
    const bool minus = text.starts_with("-");
    auto rest = minus ? text.substr(1) : text;
    if (rest.empty()) return bad;
    Duration out{};
    while (!rest.empty()) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
        if (error != std::errc() || number < 0 || number > 10'000'000) return bad;
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        const auto letters = std::min(rest.find_first_of("0123456789"), rest.size());
        const auto unit = unit_of(rest.substr(0, letters));
        if (!unit) return bad;
        out += *unit * number;
        rest.remove_prefix(letters);
    }
    return minus ? -out : out;
}

Result<Duration> timeout_of(const Arguments& arguments) {
    auto out = parse_duration(arguments.text("timeout"));
    if (!out) return std::move(out).error().within("--timeout");
    return out;
}

std::string told_by(const api::Json& object) {
    const auto* conditions = api::find(object, {"status", "conditions"});
    if (!conditions || !conditions->is_array()) return "";
    for (const auto& one : conditions->get_array())
        if (api::find_text(one, {"type"}) == "Ready" && api::find_text(one, {"status"}) != "True")
            return std::string(api::find_text(one, {"reason"})) + ": " + std::string(api::find_text(one, {"message"}));
    return "";
}

Answer<bool> wait_for(Connection& server, const Waited& waited, std::optional<Instant> deadline, const Holds& holds) {
    Progress progress;
    for (auto pause = look_first;; pause = std::min(look_last, pause * 3 / 2)) {
        const auto found = server.get(waited.named.target());
        if (!found && found.error().code != 404) return found.error();
        const bool there = found && (waited.uid.empty() || api::find_text(*found, {"metadata", "uid"}) == waited.uid);
        if (holds(there ? &*found : nullptr)) return true;
        if (deadline && server.now() >= *deadline) return false;
        progress.say("waiting for " + waited.named.text() + ": " + (there ? told_by(*found) : "it is not there"));
        server.sleep(deadline ? std::min(pause, std::chrono::ceil<Duration>(*deadline - server.now())) : pause);
    }
}

Answer<> wait_until_gone(Connection& server, const std::vector<Waited>& going, Duration limit) {
    const auto deadline = limit == Duration::zero() ? std::nullopt : std::optional(server.now() + limit);
    for (const auto& one : going) {
        std::string last;
        const auto gone = wait_for(server, one, deadline, [&](const api::Json* object) {
            if (object) last = told_by(*object);
            return !object;
        });
        if (!gone) return gone.error();
        if (!*gone)
            return refusal("timed out waiting for the condition on " + one.named.kind->plural + "/" + one.named.name +
                           (last.empty() ? "" : " (" + last + ")"));
    }
    return {};
}

}  // namespace ocim::cli
