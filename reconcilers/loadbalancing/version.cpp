#include "loadbalancing/version.hpp"

#include "base/utf8.hpp"
#include "loadbalancing/rendering.hpp"
#include "loadbalancing/tar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr std::string_view extension = ".cfg";
constexpr std::string_view folder = "conf.d/";
constexpr std::string_view blank = " \t\r";
constexpr std::string_view certificates_folder = "certs/", certificate_extension = ".pem";
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

/// "x" of "…/FOLDER/x.EXTENSION"; nothing for what HAProxy would not load.
std::optional<std::string> name_in(std::string_view path, std::string_view of, std::string_view ending) {
    const auto at = path.rfind(of);
    if (at == std::string_view::npos || !path.ends_with(ending)) return std::nullopt;
    const auto name = path.substr(at + of.size());
    if (name.starts_with('.') || name.find('/') != std::string_view::npos || name.size() <= ending.size())
        return std::nullopt;
    return std::string(name.substr(0, name.size() - ending.size()));
}
std::optional<std::string> fragment_of(std::string_view path) { return name_in(path, folder, extension); }

/// What read_script says before the stream.
void read_remarks(std::string_view text, Version& version) {
    while (!text.empty()) {
        auto line = take_line(text);
        if (!line.starts_with('@')) continue;
        const auto what = take_word(line);
        if (what == "@stale") version.loaded.clear();
        if (what == "@unlisted") version.unlisted = true;
        if (what == "@told") version.told = true;
        if (what == "@unreadable") version.unreadable_elsewhere = take_word(line);
        if (what == "@backend" || what == "@domain") {
            const std::string name(take_word(line));
            const std::string backend(what == "@domain" ? take_word(line) : std::string_view());
            const std::string fragment(take_word(line));
            if (!fragment.empty())
                (backend.empty() ? version.backends_elsewhere : version.domains_elsewhere)[name] = {fragment, backend};
            continue;
        }
        const auto name = name_in(std::string(certificates_folder).append(take_word(line)), certificates_folder,
                                  certificate_extension);
        if (!name) continue;
        if (what == "@certificate") version.certificates[*name].hash = take_word(line);
        if (what == "@exposed") version.certificates[*name].readable_by_others = true;
    }
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
        else if (file.path == out.name + "/certs.list")
            out.list = std::move(file.content);
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
    out->traffic = read_traffic(lines, *out);
    read_remarks(lines, *out);
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
        const bool maintained = status.starts_with("MAINT");
        if (!maintained && (check.empty() || check == "INI")) continue;
        Check said;
        if (maintained)  // somebody told the process so: it is not checked
            said = {Check::State::failed, std::string(status.substr(0, status.find(' ')))};
        else if (status.starts_with("DOWN"))
            said = {Check::State::failed, std::string(check) + (code.empty() ? "" : "/" + std::string(code))};
        else if (check.find("OK") != std::string_view::npos)
            said = {Check::State::passed, {}};
        else
            continue;  // it wavers: the next ones decide
        out[backend][name] = std::move(said);
    }
    return out;
}

std::map<std::string, Traffic> read_traffic(std::string_view text, const Version& version) {
    std::map<std::string, Traffic> out;
    while (!text.empty()) {
        auto line = take_line(text);
        std::array<std::string_view, 10> field{};  // name, "BACKEND", sessions, bytes in and out, answers by status
        for (auto& one : field) {
            const auto end = std::min(line.find(','), line.size());
            one = line.substr(0, end);
            line.remove_prefix(std::min(end + 1, line.size()));
        }
        if (field[1] != "BACKEND") continue;
        const auto fragment = version.fragments.find(std::string(field[0]));
        if (fragment == version.fragments.end() || !mark_of(fragment->second.content)) continue;
        const auto number = [&field](std::size_t index) {
            std::uint64_t value = 0;
            std::from_chars(field[index].data(), field[index].data() + field[index].size(), value);
            return value;
        };
        Traffic& traffic = out[fragment->first];
        traffic.sessions = number(2);
        traffic.bytes_in = number(3);
        traffic.bytes_out = number(4);
        for (std::size_t index = 0; index < traffic.answers.size(); ++index) traffic.answers[index] = number(index + 5);
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
        thing.unread = thing.mark && thing.live && told && !traffic.contains(name);
        const auto note = certificate_of(file.content);
        if (const auto found = certificates.find(name); thing.mark && note && found != certificates.end()) {
            thing.certificate = found->second.hash;
            thing.readable_by_all = thing.readable_by_all || found->second.readable_by_others;
            thing.unlisted = unlisted;
        }
        if (const auto found = checks.find(name); found != checks.end()) {
            auto& known = out[checks_key(name)];
            known.text = thing.text;
            known.checks = found->second;
        }
    }
    for (const auto& [name, one] : traffic)
        if (fragments.contains(name)) out[traffic_key(name)].traffic = one;
    for (const auto& [name, file] : certificates) {
        const auto found = fragments.find(name);
        if (found == fragments.end() || !certificate_of(found->second.content)) out[certificate_key(name)];
    }
    for (const auto& [host, backend] : domains.leads()) {
        out[domain_key(host)].backend = backend;
        if (const auto found = out.find(fragment_key(backend)); found != out.end())
            found->second.domains.push_back(host);  // in order, as the map is
    }
    if (!unreadable_elsewhere.empty()) out[unreadable_key()].elsewhere = unreadable_elsewhere;
    for (const auto& [name, elsewhere] : backends_elsewhere) {
        auto& thing = out[fragment_key(name)];
        thing.live = thing.live || !thing.mark;
        thing.elsewhere = elsewhere.fragment;
    }
    for (const auto& [host, elsewhere] : domains_elsewhere) {
        auto& thing = out[domain_key(host)];
        thing.backend = elsewhere.backend;
        thing.elsewhere = elsewhere.fragment;
    }
    return out;
}

std::string certificate_path(const std::string& directory, const std::string& name) {
    return directory + "/current/" + std::string(certificates_folder) + name + std::string(certificate_extension);
}

std::map<std::string, std::vector<std::string>> certificate_entries(const Version& version) {
    std::map<std::string, std::vector<std::string>> out;
    std::map<std::string, std::vector<std::string>> good_for;
    for (const auto& [name, file] : version.fragments) {
        if (!version.certificates.contains(name)) continue;
        auto note = certificate_of(file.content);
        if (!note) continue;
        out[name];
        if (note->names) good_for[name] = *std::move(note->names);
    }
    for (const auto& [host, backend] : version.domains.leads()) {
        const auto found = out.find(backend);
        if (found == out.end()) continue;
        const auto names = good_for.find(backend);
        if (names == good_for.end() || std::ranges::binary_search(names->second, host)) found->second.push_back(host);
    }
    std::erase_if(out, [](const auto& entry) { return entry.second.empty(); });
    return out;
}

std::string certificate_list(const std::map<std::string, std::vector<std::string>>& entries,
                             const std::string& directory) {
    std::string out;
    for (const auto& [name, hosts] : entries) {
        out += certificate_path(directory, name);
        for (const auto& host : hosts) out += " " + host;
        out += "\n";
    }
    return out;
}

std::map<std::string, std::string> blamed(std::string_view messages) {
    std::map<std::string, std::string> out;
    while (!messages.empty()) {
        const auto line = take_line(messages);
        if (!line.starts_with("[ALERT]")) continue;
        // [ALERT] (pid) : config : parsing [/…/check.cfg:4] : … '/…/certs/x.pem'
        if (const auto at = line.rfind(certificates_folder); at != std::string_view::npos) {
            const auto file = line.substr(at, line.find('\'', at) - at);
            if (const auto name = name_in(file, certificates_folder, certificate_extension))
                out.try_emplace(*name,
                                "its certificate: " + one_line(line.substr(line.rfind(" : ") + 3), message_bytes_max));
        }
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
