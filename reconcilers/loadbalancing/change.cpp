#include "loadbalancing/change.hpp"

#include "loadbalancing/rendering.hpp"
#include "loadbalancing/tar.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace ocim::loadbalancing {

Leads::Leads(const DomainMap& map) : backend_of(map.leads()) {
    for (const auto& [host, backend] : backend_of) hosts_of[backend].push_back(host);
}

namespace {

bool has_note(const Version& version, const std::string& fragment) {
    const auto found = version.fragments.find(fragment);
    return found != version.fragments.end() && certificate_of(found->second.content);
}

}  // namespace

Change::Change(const Version& now, const std::vector<Action>& actions, const std::vector<std::size_t>& indexes)
    : domains(now.domains) {
    std::map<std::string, const Action*> last;  // of each fragment: each action says all of it
    for (const auto index : indexes) last[actions[index].fragment] = &actions[index];
    std::set<std::string> backends, hosts;
    std::map<std::string, std::string> leads;  // who comes later takes what an earlier one was given
    for (const auto index : indexes) {
        const auto& action = actions[index];
        if (last.at(action.fragment) != &action) continue;
        backends.insert(action.fragment);
        if (action.verb == Action::Verb::delete_) {
            deleted.push_back(action.fragment);
            if (has_note(now, action.fragment)) certificates_gone.insert(action.fragment);
            continue;
        }
        put[action.fragment] = action.text;
        if (!certificate_of(action.text.reveal())) {
            if (has_note(now, action.fragment)) certificates_gone.insert(action.fragment);
        } else if (!action.certificate.empty()) {
            certificates[action.fragment] = action.certificate;
        }
        for (const auto& domain : action.domains) {
            if (action.adopt) hosts.insert(domain);
            if (action.adopt || !leads.contains(domain)) leads[domain] = action.fragment;
        }
    }
    std::ranges::sort(deleted);
    domains.remove(backends, hosts);
    for (const auto index : indexes) {
        const auto& action = actions[index];
        if (last.at(action.fragment) != &action || action.verb == Action::Verb::delete_) continue;
        for (const auto& domain : action.domains)
            if (leads.at(domain) == action.fragment) domains.add(domain, action.fragment);
    }
    // what comes of it, as far as certificates go
    Version then;
    for (const auto& [name, certificate] : now.certificates)
        if (!certificates_gone.contains(name) && (put.contains(name) || has_note(now, name)))
            then.certificates[name] = certificate;
    for (const auto& [name, pem] : certificates) then.certificates[name];
    for (const auto& [name, certificate] : then.certificates) {
        const auto text = put.find(name);
        then.fragments[name].content = text != put.end() ? text->second.reveal() : now.fragments.at(name).content;
    }
    then.domains = domains;
    entries = certificate_entries(then);
}

Done done(const Action& action, const Leads& before, const Leads& after) {
    Done out;
    std::set<std::string> hosts(action.domains.begin(), action.domains.end());
    if (const auto had = before.hosts_of.find(action.fragment); had != before.hosts_of.end())
        hosts.insert(had->second.begin(), had->second.end());
    std::optional<Thing> fragment;
    if (action.verb != Action::Verb::delete_) {
        auto& thing = fragment.emplace();
        thing.mark = action.mark;
        thing.text = action.text;
        thing.live = true;
        if (const auto note = certificate_of(action.text.reveal())) {
            thing.certificate = note->file;
            out.now.emplace_back(certificate_key(action.fragment), std::nullopt);  // it is a fragment's
        }
    }
    for (const auto& host : hosts) {
        const auto found = after.backend_of.find(host);
        if (found == after.backend_of.end()) {
            out.now.emplace_back(domain_key(host), std::nullopt);
            continue;
        }
        Thing domain;
        domain.backend = found->second;
        out.now.emplace_back(domain_key(host), std::move(domain));
        if (fragment && found->second == action.fragment) fragment->domains.push_back(host);
    }
    out.now.emplace_back(fragment_key(action.fragment), std::move(fragment));
    return out;
}

std::string input_for(const Change& change, const std::optional<RuntimePlan>& plan, const std::string& directory) {
    std::vector<TarFile> files;
    for (const auto& [name, text] : change.put) files.push_back({"conf.d/" + name + ".cfg", text.reveal(), 0640});
    files.push_back({"domains.map", change.domains.text(), 0640});
    files.push_back({"certs.list", certificate_list(change.entries, directory), 0640});
    for (const auto& [name, pem] : change.certificates) files.push_back({"certs/" + name + ".pem", pem.reveal(), 0600});
    std::string names;
    for (const auto& name : change.deleted) names += "conf.d/" + name + ".cfg\n";
    for (const auto& name : change.certificates_gone) names += "certs/" + name + ".pem\n";
    files.push_back({".delete", std::move(names), 0600});
    if (plan) {
        std::string commands, expected;
        for (const auto& line : plan->commands) commands += line + "\n";
        for (const auto& line : plan->expected) expected += line + "\n";
        files.push_back({".runtime", std::move(commands), 0600});
        files.push_back({".expected", std::move(expected), 0600});
    }
    return write_tar(files);
}

}  // namespace ocim::loadbalancing
