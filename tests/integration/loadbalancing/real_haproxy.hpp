#pragma once

#include "loadbalancing/fragment.hpp"

#include "base/async.hpp"
#include "base/random.hpp"
#include "runtime/base64.hpp"
#include "support/contract.hpp"
#include "support/haproxy.hpp"
#include "support/sshd.hpp"

#include <gtest/gtest.h>

/// Fragments in a real HAProxy, on this host and over SSH.
namespace ocim::loadbalancing::test {

using Spec = crd::LoadBalancerFragment::Spec;
namespace json = api::json;

enum class Way { local, ssh };

inline api::Json secret(const std::string& namespace_, const std::string& name,
                        const std::map<std::string, std::string>& data) {
    json::object encoded;
    for (const auto& [key, value] : data) encoded[key] = runtime::base64(value);
    return json::object{{"apiVersion", "v1"},
                        {"kind", "Secret"},
                        {"metadata", json::object{{"name", name}, {"namespace", namespace_}}},
                        {"data", std::move(encoded)}};
}

template <class Base>
class RealHaproxyOf : public Base {
protected:
    explicit RealHaproxyOf(Way chosen, ocim::test::HaproxyService::Tls tls = ocim::test::HaproxyService::Tls::none)
        : way(chosen), server({}, tls) {}

    crd::LoadBalancer balancer() {
        crd::LoadBalancer out;
        out.metadata.name = "lb1";
        out.spec.domain = "lb1.example.com";
        auto& haproxy = out.spec.haproxy.emplace();
        haproxy.directory = server.directory();
        haproxy.config_files = {server.base_config()};
        haproxy.master_socket = server.master_socket();
        if (way == Way::local) {
            haproxy.local.emplace();
            return out;
        }
        if (!sshd) sshd.emplace();
        auto& ssh = haproxy.ssh.emplace();
        ssh.host = "127.0.0.1";
        ssh.port = sshd->port();
        ssh.user = sshd->user();
        ssh.key_ref.name = "lb-key";
        ssh.host_key = sshd->host_key();
        return out;
    }
    runtime::Inputs inputs() {
        runtime::Inputs out;
        out.installation = "prod";
        out.add(api::encode_object(balancer()));
        out.add(secret("campus", "auth", {{"username", "user"}, {"password", "pass\"'\\$w\xc3\xb6rd"}}));
        if (sshd) out.add(secret("ocim-system", "lb-key", {{"ssh-privatekey", sshd->user_key()}}));
        return out;
    }
    std::unique_ptr<System> open() {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        const auto given = inputs();
        auto opened = Fragment::open(balancer(), given, services);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }
    crd::LoadBalancerFragment fragment(int n) {
        const auto number = std::to_string(n);
        crd::LoadBalancerFragment out;
        out.metadata.name = "site" + number;
        out.metadata.namespace_ = "campus";
        out.metadata.uid = "uid-" + number;
        out.spec.load_balancer_ref.name = "lb1";
        out.spec.domains = {"site" + number + ".example.org"};
        out.spec.servers.push_back({"a0", "127.0.0.1", server.origin_ports[0]});
        return out;
    }
    static std::string name_of(int n) { return "ocim-campus_site" + std::to_string(n); }

    const Way way;
    ocim::test::HaproxyService server;
    std::optional<ocim::test::Sshd> sshd;
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 2, 16};
    std::unique_ptr<System> system = open();
    ocim::test::Visitor<Fragment> visitor{loop, *system, inputs()};
};

class RealHaproxy : public RealHaproxyOf<testing::TestWithParam<Way>> {
protected:
    RealHaproxy() : RealHaproxyOf(GetParam()) {}
};

}  // namespace ocim::loadbalancing::test
