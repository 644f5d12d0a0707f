#pragma once

#include "api/json.hpp"
#include "net/http_client.hpp"
#include "support/sim_system.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ocim::simulation {

/// A project of an OpenStack cloud as its services keep it, by "servers/ID", "ports/ID" and so on: what Keystone,
/// Glance, Nova and Neutron answer, and what a request does there. As far as Ocim asks.
class StackProject {
public:
    using World = test::SimWorld<std::string, api::Json>;
    using Map = World::Map;

    /// `fails` says whether a server that is made now comes to nothing.
    StackProject(World& world, std::function<bool()> fails) : world_(world), fails_(std::move(fails)) {}

    /// `root`: the part of the URL by which a service is told from the others.
    net::HttpReply answer(const std::string& root, Map& things, const net::HttpRequest& request);

    static constexpr const char* url = "http://stack";
    static constexpr const char *flavor = "m1", *image = "debian", *key_pair = "demo";
    static constexpr const char *inner_network = "net-inner", *outer_network = "net-outer";

    /// All of a sort that there are, of servers without those that are gone.
    static std::vector<api::Json> all(const Map& things, const std::string& sort);
    /// A public address as Neutron shows it: with whom it leads to.
    static api::Json shown_address(const Map& things, const api::Json& address);
    /// The server with all that it had.
    static void take_away(Map& things, const std::string& id, const std::string& now);
    /// Names of servers that were made while another one was there for the same object.
    const std::vector<std::string>& doubled() const { return doubled_; }
    /// How many were ever made of each, by "namespace/name" of its object.
    const std::map<std::string, int>& made() const { return made_; }
    /// The clock of the cloud.
    std::string wall() const;

private:
    struct Asked;
    net::HttpReply keystone(const Asked& asked);
    net::HttpReply glance(const Asked& asked);
    net::HttpReply nova(Map& things, const Asked& asked);
    net::HttpReply make_server(Map& things, const api::Json& wanted);
    net::HttpReply act_on_server(Map& things, const std::string& id, const Asked& asked);
    void becomes(Duration after, const std::string& id, std::string from, std::string to);
    net::HttpReply neutron(Map& things, const Asked& asked);
    net::HttpReply addresses(Map& things, const Asked& asked);
    net::HttpReply groups(Map& things, const Asked& asked);
    net::HttpReply make_rules(Map& things, const api::Json& wanted);
    net::HttpReply drop_rule(Map& things, const std::string& id);
    std::string next_id(const std::string& sort) { return sort + "-" + std::to_string(++last_id_); }

    World& world_;
    std::function<bool()> fails_;
    std::uint64_t last_id_ = 0;
    std::vector<std::string> doubled_;
    std::map<std::string, int> made_;
};

/// What is asked of a service, taken apart.
struct StackProject::Asked {
    std::string method;
    std::vector<std::string> path;
    std::map<std::string, std::string> query;
    api::Json body;
};

net::HttpReply stack_reply(unsigned status, const api::Json& body);
net::HttpReply stack_refusal(unsigned status, const std::string& reason);

}  // namespace ocim::simulation
