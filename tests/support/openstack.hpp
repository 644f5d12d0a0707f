#pragma once

#include "api/json.hpp"
#include "runtime/base64.hpp"
#include "support/running.hpp"
#include "support/service.hpp"

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace ocim::test {

/// The control plane that tests/integration/openstack/control_plane.py has started, as one of its users sees it.
class OpenStack {
public:
    using Json = api::Json;
    enum class Who { campus, narrow, admin };

    explicit OpenStack(Who who = Who::campus) {
        const auto* file = std::getenv("OCIM_OPENSTACK");
        if (!file) throw std::runtime_error("OCIM_OPENSTACK is not set: run this by control_plane.py");
        const auto place = api::parse_json(read_file(file));
        if (!place) throw std::runtime_error("OCIM_OPENSTACK cannot be read");
        auth_url = api::find_text(place->value, {"authURL"});
        for (const auto* service : {"nova", "neutron", "glance"})
            ports_[service] = api::find(place->value, {"ports", service})->to_number<std::uint16_t>();
        const auto& account = who == Who::admin ? *api::find(place->value, {"admin"})
                                                : api::find(place->value, {"accounts"})->at(who == Who::narrow ? 1 : 0);
        user = api::find_text(account, {"user"});
        password = api::find_text(account, {"password"});
        project = api::find_text(account, {"project"});
        log_in();
    }

    std::uint16_t port(const std::string& service) const { return ports_.at(service); }
    std::string url(const std::string& service) const {
        const auto root = "http://127.0.0.1:" + std::to_string(ports_.at(service));
        return root + (service == "nova" ? "/v2.1" : service == "neutron" ? "/v2.0" : "/v2");
    }

    /// Speaks to a service by curl; null when it answers with nothing, throws when it refuses.
    Json call(const std::string& method, const std::string& url, const std::string& body = {},
              bool about_myself = false) const {
        std::vector<std::string> command{"curl",
                                         "-sS",
                                         "-m",
                                         "60",
                                         "--fail-with-body",
                                         "-X",
                                         method,
                                         "-H",
                                         "Accept: application/json",
                                         "-H",
                                         "OpenStack-API-Version: compute 2.72",
                                         "-H",
                                         "X-Auth-Token: " + token_,
                                         url};
        if (about_myself) command.insert(command.end(), {"-H", "X-Subject-Token: " + token_});
        if (!body.empty())
            command.insert(command.end(), {"-H", "Content-Type: application/json", "--data-binary", "@-"});
        const auto ran = run_program(command, body);
        if (ran.exit_code != 0) throw std::runtime_error(method + " " + url + ": " + ran.output);
        if (ran.output.empty()) return {};
        const auto parsed = api::parse_json(ran.output);
        if (!parsed) throw std::runtime_error(url + ": " + ran.output);
        return parsed->value;
    }
    std::vector<Json> list(const std::string& service, const std::string& path, const std::string& key) const {
        const auto all = call("GET", url(service) + path);
        std::vector<Json> out;
        for (const auto& item : api::find(all, {key})->get_array()) out.push_back(item);
        return out;
    }
    std::vector<Json> servers() const { return list("nova", "/servers/detail", "servers"); }
    std::vector<Json> floating() const { return list("neutron", "/floatingips", "floatingips"); }
    std::string id_of(const std::string& service, const std::string& path, const std::string& key,
                      const std::string& name) const {
        for (const auto& item : list(service, path, key))
            if (api::find_text(item, {"name"}) == name) return std::string(api::find_text(item, {"id"}));
        throw std::runtime_error("no " + name + " among " + key);
    }
    /// Gives our user a key pair, if it has none of that name.
    void need_key_pair(const std::string& name) const {
        for (const auto& pair : list("nova", "/os-keypairs", "keypairs"))
            if (api::find_text(pair, {"keypair", "name"}) == name) return;
        call(
            "POST", url("nova") + "/os-keypairs",
            R"({"keypair":{"name":")" + name +
                R"(","public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0hEbCWVHVkrpvNgHeRaiRUBSfXMLjPpGKMkZ3QNc2b"}})");
    }
    std::vector<Json> groups() const { return list("neutron", "/security-groups", "security_groups"); }
    /// Leaves the project as it was found: without machines, addresses and groups of its own.
    void clear() const {
        for (const auto& address : floating())
            call("DELETE", url("neutron") + "/floatingips/" + std::string(api::find_text(address, {"id"})));
        for (const auto& server : servers())
            call("DELETE", url("nova") + "/servers/" + std::string(api::find_text(server, {"id"})));
        if (!wait_for([this] { return servers().empty(); }, std::chrono::seconds(180)))
            throw std::runtime_error("machines stay");
        for (const auto& group : groups())
            if (api::find_text(group, {"name"}) != "default")
                call("DELETE", url("neutron") + "/security-groups/" + std::string(api::find_text(group, {"id"})));
    }
    /// Declares our Secret and a Cloud of it; `more` goes into spec.openstack.
    void declare(Running& running, const std::string& name, const std::string& more = "'waitForSSH':false",
                 const std::string& interval = "2s", const std::string& rest = "") const {
        const auto secret = [](const std::string& text) { return runtime::base64(text); };
        running.server.put(json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'" +
                                name + "'},'data':{'OS_USERNAME':'" + secret(user) + "','OS_PASSWORD':'" +
                                secret(password) + "','OS_PROJECT_NAME':'" + secret(project) + "'}}"));
        running.server.put(json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Cloud','metadata':{'name':'" +
                                name + "'},'spec':{'openstack':{'authURL':'" + auth_url +
                                "','network':'private','credentialsRef':{'name':'" + name + "'}" +
                                (more.empty() ? "" : "," + more) +
                                (more.find("'region'") == std::string::npos ? ",'region':'RegionOne'" : "") +
                                "},'driftInterval':'" + interval + "'" + rest + "}}"));
    }

    std::string auth_url, user, password, project;

private:
    void log_in() {
        const std::string body = R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":")" + user +
                                 R"(","domain":{"id":"default"},"password":")" + password +
                                 R"("}}},"scope":{"project":{"name":")" + project +
                                 R"(","domain":{"id":"default"}}}}})";
        const auto ran =
            run_program({"curl", "-sS", "-m", "60", "-D", "-", "-o", "/dev/null", "-H",
                         "Content-Type: application/json", "--data-binary", "@-", auth_url + "/auth/tokens"},
                        body);
        const std::string header = "\nX-Subject-Token: ";
        const auto at = ran.output.find(header);
        if (at == std::string::npos) throw std::runtime_error("no token: " + ran.output);
        const auto begin = at + header.size();
        token_ = ran.output.substr(begin, ran.output.find('\r', begin) - begin);
    }

    std::map<std::string, std::uint16_t> ports_;
    std::string token_;
};

}  // namespace ocim::test
