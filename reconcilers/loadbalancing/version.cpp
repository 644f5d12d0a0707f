#include "loadbalancing/version.hpp"

#include "base/utf8.hpp"
#include "loadbalancing/rendering.hpp"
#include "loadbalancing/tar.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr std::string_view extension = ".cfg";
constexpr std::string_view folder = "conf.d/";
constexpr std::string_view blank = " \t\r";
constexpr std::size_t message_bytes_max = 500;

/// The next line of `text`, without its end.
std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    return line;
}

std::string_view take_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
    const auto word = line.substr(0, line.find_first_of(blank));
    line.remove_prefix(word.size());
    return word;
}

/// "x" of "…/conf.d/x.cfg"; nothing for what HAProxy would not load.
std::optional<std::string> fragment_of(std::string_view path) {
    const auto at = path.rfind(folder);
    if (at == std::string_view::npos || !path.ends_with(extension)) return std::nullopt;
    const auto name = path.substr(at + folder.size());
    if (name.starts_with('.') || name.find('/') != std::string_view::npos || name.size() == extension.size())
        return std::nullopt;
    return std::string(name.substr(0, name.size() - extension.size()));
}

}  // namespace

DomainMap DomainMap::parse(std::string_view text) {
    DomainMap out;
    while (!text.empty()) {
        const auto line = take_line(text);
        auto rest = line;
        const auto host = take_word(rest), backend = take_word(rest);
        if (host.starts_with('#') || backend.empty())
            out.lines_.push_back({std::string(line), {}, {}});
        else
            out.lines_.push_back({std::string(line), std::string(host), std::string(backend)});
    }
    return out;
}

std::string DomainMap::text() const {
    std::string out;
    for (const auto& line : lines_) out += line.raw + "\n";
    return out;
}

std::map<std::string, std::string> DomainMap::leads() const {
    std::map<std::string, std::string> out;
    for (const auto& line : lines_)
        if (!line.host.empty()) out.try_emplace(line.host, line.backend);
    return out;
}

bool DomainMap::has_doubles() const {
    std::set<std::string_view> hosts;
    return std::ranges::any_of(
        lines_, [&hosts](const Line& line) { return !line.host.empty() && !hosts.insert(line.host).second; });
}

void DomainMap::remove(const std::set<std::string>& backends, const std::set<std::string>& hosts) {
    std::erase_if(lines_,
                  [&](const Line& line) { return backends.contains(line.backend) || hosts.contains(line.host); });
}

void DomainMap::add(std::string host, std::string backend) {
    auto raw = host + " " + backend;
    lines_.push_back({std::move(raw), std::move(host), std::move(backend)});
}

Result<Version> Version::read(std::string_view tar) {
    Version out;
    if (tar.empty()) return out;
    auto files = read_tar(tar);
    if (!files) return std::move(files).error();
    std::string map;
    for (auto& file : *files) {
        if (file.path == "loaded") {
            std::string_view text = file.content;
            out.loaded = take_line(text);
            continue;
        }
        out.name = file.path.substr(0, file.path.find('/'));
        if (file.path == out.name + "/domains.map")
            map = std::move(file.content);
        else if (auto name = fragment_of(file.path))
            out.fragments[*std::move(name)] = {std::move(file.content), (file.mode & 07U) != 0};
    }
    if (out.name.empty()) return Error{ErrorClass::transient, "the version in force has no domains.map"};
    out.domains = DomainMap::parse(map);
    return out;
}

Result<Version> Version::observed(std::string_view text) {
    constexpr std::string_view border = "\n.\n";
    const auto none = text.starts_with(border.substr(1));
    const auto at = none ? 0 : text.find(border);
    if (at == std::string_view::npos) return Error{ErrorClass::transient, "what the load balancer says is cut short"};
    auto out = read(text.substr(at + border.size() - (none ? 1 : 0)));
    if (!out) return out;
    const auto lines = text.substr(0, none ? 0 : at + 1);
    out->checks = read_checks(lines, *out);
    if (lines.starts_with("@stale\n") || lines.find("\n@stale\n") != std::string_view::npos) out->loaded.clear();
    return out;
}

std::map<std::string, std::map<std::string, Check>> read_checks(std::string_view text, const Version& version) {
    std::map<std::string, std::map<std::string, Check>> out;
    std::map<std::string, std::vector<RenderedServer>> servers;
    while (!text.empty()) {
        auto line = take_line(text);
        const auto field = [&line] {
            const auto end = line.find(',');
            const auto out_of = line.substr(0, end);
            line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
            return out_of;
        };
        const std::string backend(field()), name(field());
        const auto status = field(), weight = field();
        auto check = field();
        const auto code = field();
        const auto fragment = version.fragments.find(backend);
        if (fragment == version.fragments.end() || !mark_of(fragment->second.content)) continue;
        auto [known, fresh] = servers.try_emplace(backend);
        if (fresh) known->second = servers_of(fragment->second.content);
        if (std::ranges::find(known->second, RenderedServer{name, weight == "0"}) == known->second.end()) continue;
        if (check.starts_with("* ")) check.remove_prefix(2);  // another one is under way
        if (check.empty() || check == "INI") continue;
        Check said;
        if (status.starts_with("DOWN"))
            said = {Check::State::failed, std::string(check) + (code.empty() ? "" : "/" + std::string(code))};
        else if (check.find("OK") != std::string_view::npos)
            said = {Check::State::passed, {}};
        else
            continue;  // it wavers: the next ones decide
        out[backend][name] = std::move(said);
    }
    return out;
}

Snapshot Version::snapshot() const {
    Snapshot out;
    for (const auto& [name, file] : fragments) {
        auto& thing = out[fragment_key(name)];
        thing.mark = mark_of(file.content);
        thing.text = Secret(file.content);
        // of a stranger's file neither is ours to judge
        thing.live = !thing.mark || loaded == this->name;
        thing.readable_by_all = thing.mark && file.readable_by_all;
        if (const auto found = checks.find(name); found != checks.end()) {
            auto& known = out[checks_key(name)];
            known.text = thing.text;
            known.checks = found->second;
        }
    }
    for (const auto& [host, backend] : domains.leads()) {
        out[domain_key(host)].backend = backend;
        if (const auto found = out.find(fragment_key(backend)); found != out.end())
            found->second.domains.push_back(host);  // in order, as the map is
    }
    return out;
}

std::map<std::string, std::string> blamed(std::string_view messages) {
    std::map<std::string, std::string> out;
    while (!messages.empty()) {
        const auto line = take_line(messages);
        if (!line.starts_with("[ALERT]")) continue;
        // [ALERT] (pid) : config : parsing [/…/conf.d/x.cfg:3] : why
        const auto open = line.find('[', 1), close = line.find(']', open);
        if (open == std::string_view::npos || close == std::string_view::npos) continue;
        const auto place = line.substr(open + 1, close - open - 1);
        const auto name = fragment_of(place.substr(0, place.rfind(':')));
        if (!name || out.contains(*name)) continue;
        auto why = redacted(std::string(line.substr(close + 1)));
        why.erase(0, std::min(why.find_first_not_of(" :"), why.size()));
        out[*name] =
            "line " + std::string(place.substr(place.rfind(':') + 1)) + ": " + one_line(why, message_bytes_max);
    }
    return out;
}

}  // namespace ocim::loadbalancing
