#include "loadbalancing/change.hpp"
#include "loadbalancing/rendering.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr std::string_view server_word = "  server ";
constexpr std::string_view standby_words = " weight 0";
constexpr std::string_view cookie_word = " cookie ";  // HAProxy gives none to a server that it did not start with

/// A server's line: "  server NAME ADDRESS REST [weight 0]".
struct ServerLine {
    std::string address, rest;
    bool standby = false;
    const char* weight() const { return standby ? "0" : "1"; }
};

/// A backend's text: its servers, and all else.
struct Parts {
    std::vector<std::string_view> lines;
    std::map<std::string, ServerLine, std::less<>> servers;
};

ServerLine server_line(std::string_view words) {
    ServerLine out;
    out.standby = words.ends_with(standby_words);
    if (out.standby) words.remove_suffix(standby_words.size());
    const auto end = std::min(words.find(' '), words.size());
    out.address = words.substr(0, end);
    out.rest = words.substr(end);
    return out;
}

Parts parts_of(std::string_view text) {
    Parts out;
    const bool marked = mark_of(text).has_value();
    for (std::size_t number = 0; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        // remarks: HAProxy need not hear of them
        if (marked && (number == 0 || (number == 1 && CertificateNote::parse(line)))) continue;
        if (!line.starts_with(server_word)) {
            out.lines.push_back(line);
            continue;
        }
        line.remove_prefix(server_word.size());
        const auto name = line.substr(0, line.find(' '));
        line.remove_prefix(std::min(name.size() + 1, line.size()));
        out.servers[std::string(name)] = server_line(line);
    }
    return out;
}

/// "192.0.2.1:80" or "ipv6@[2001:db8::1]:80" as two words.
std::pair<std::string, std::string> address_and_port(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return {};
    auto address = text.substr(0, colon);
    if (const auto open = address.find('['); open != std::string_view::npos)
        address = address.substr(open + 1, address.size() - open - 2);
    return {std::string(address), std::string(text.substr(colon + 1))};
}

/// Who can answer comes before anybody is led there; who leaves goes last.
class Planning {
public:
    bool fragment(const std::string& name, const std::string& before, const std::string& after) {
        const auto old = parts_of(before), now = parts_of(after);
        if (old.lines != now.lines) return false;
        for (const auto& [server, line] : now.servers) {
            const auto found = old.servers.find(server);
            const auto id = name + "/" + server;
            if (!(found == old.servers.end() ? add(id, line) : change(id, found->second, line))) return false;
        }
        for (const auto& [server, line] : old.servers)
            if (!now.servers.contains(server)) leave(name + "/" + server, true);
        return true;
    }
    void gone(const std::string& name, const std::string& before) {
        for (const auto& [server, line] : parts_of(before).servers) leave(name + "/" + server, false);
    }
    bool domains(const DomainMap& before, const DomainMap& after, const std::string& map) {
        const auto led = before.leads(), lead = after.leads();
        if (led == lead) return true;
        if (before.has_doubles() || after.has_doubles()) return false;  // which of two goes cannot be said
        for (const auto& [host, backend] : lead) {
            const auto found = led.find(host);
            if (found != led.end() && found->second == backend) continue;
            then_.push_back((found == led.end() ? "add map " : "set map ") + map + " " + host + " " + backend);
            expected_.push_back("map " + host + " " + backend);
        }
        for (const auto& [host, backend] : led) {
            if (lead.contains(host)) continue;
            then_.push_back("del map " + map + " " + host);
            expected_.push_back("unmapped " + host);
        }
        return true;
    }
    bool certificates(const Version& before, const Change& change, const std::string& directory) {
        const auto were = certificate_entries(before);
        const auto list = directory + "/current/certs.list";
        for (const auto& [name, hosts] : change.entries) {
            const auto found = were.find(name);
            if (found != were.end() && found->second != hosts) return false;  // it would be away for a moment
            const auto text = change.put.find(name);
            if (text == change.put.end() || !change.certificates.contains(name)) {
                if (found == were.end()) return false;
                continue;
            }
            const auto note = certificate_of(text->second.reveal());
            if (found != were.end() && note && note->file == before.certificates.at(name).hash) continue;
            serve(name, note, found == were.end(), hosts, directory);
        }
        for (const auto& [name, hosts] : were) {
            if (change.entries.contains(name)) continue;
            const auto path = certificate_path(directory, name);
            last_.push_back("del ssl crt-list " + list + " " + path);
            last_.push_back("del ssl cert " + path);
            expected_.push_back("unlisted " + path);
        }
        return true;
    }
    RuntimePlan plan() && {
        RuntimePlan out{std::move(first_), std::move(expected_)};
        std::ranges::move(then_, std::back_inserter(out.commands));
        std::ranges::move(last_, std::back_inserter(out.commands));
        return out;
    }

private:
    void expect(const std::string& id, const ServerLine& line) {
        const auto [address, port] = address_and_port(line.address);
        expected_.push_back("server " + id + " " + address + " " + port + " " + line.weight());
    }
    void serve(const std::string& name, const std::optional<CertificateNote>& note, bool fresh,
               const std::vector<std::string>& hosts, const std::string& directory) {
        const auto path = certificate_path(directory, name);
        if (fresh) first_.push_back("new ssl cert " + path);
        first_.push_back("set ssl cert " + path + " <<");
        first_.push_back("<certs/" + name + ".pem");  // the host reads it from the file: a plan holds no key
        first_.push_back("");
        first_.push_back("commit ssl cert " + path);
        expected_.push_back("certificate " + path + " " + (note ? note->short_print : "unknown"));
        if (!fresh) return;
        std::string entry = path;
        for (const auto& host : hosts) entry += " " + host;
        first_.push_back("add ssl crt-list " + directory + "/current/certs.list <<");
        first_.push_back(entry);
        first_.push_back("");
        expected_.push_back("listed " + entry);
    }
    bool add(const std::string& id, const ServerLine& line) {
        if (line.rest.find(cookie_word) != std::string::npos) return false;
        first_.push_back("add server " + id + " " + line.address + line.rest + " weight " + line.weight());
        first_.push_back("enable health " + id);
        first_.push_back("set server " + id + " state ready");
        expect(id, line);
        return true;
    }
    bool change(const std::string& id, const ServerLine& before, const ServerLine& after) {
        if (before.rest != after.rest) return false;
        if (before.address != after.address) {
            const auto [address, port] = address_and_port(after.address);
            first_.push_back("set server " + id + " addr " + address + " port " + port);
        }
        if (before.standby != after.standby)
            (after.standby ? last_ : first_).push_back("set server " + id + " weight " + after.weight());
        if (before.address != after.address || before.standby != after.standby) expect(id, after);
        return true;
    }
    /// Its requests are answered; when one is still under way it stays, and gets no more.
    void leave(const std::string& id, bool remove) {
        last_.push_back("set server " + id + " state maint");
        if (remove) last_.push_back("del server " + id);
        expected_.push_back("gone " + id);
    }

    std::vector<std::string> first_, then_, last_, expected_;
};

}  // namespace

std::optional<RuntimePlan> runtime_plan(const Version& now, const Change& change, const std::string& directory) {
    if (now.name.empty() || now.loaded != now.name) return std::nullopt;
    Planning planning;
    for (const auto& [name, text] : change.put) {
        const auto found = now.fragments.find(name);
        if (found == now.fragments.end() || !planning.fragment(name, found->second.content, text.reveal()))
            return std::nullopt;
    }
    for (const auto& name : change.deleted)
        if (const auto found = now.fragments.find(name); found != now.fragments.end())
            planning.gone(name, found->second.content);
    if (!planning.certificates(now, change, directory)) return std::nullopt;
    if (!planning.domains(now.domains, change.domains, directory + "/current/domains.map")) return std::nullopt;
    return std::move(planning).plan();
}

}  // namespace ocim::loadbalancing
