#pragma once

#include "loadbalancing/fragment.hpp"

#include <string>
#include <utility>

/// Objects for the tests of this area.
namespace ocim::loadbalancing::test {

using Spec = crd::LoadBalancerFragment::Spec;

inline crd::LoadBalancer balancer() {
    crd::LoadBalancer out;
    out.metadata.name = "lb1";
    out.spec.domain = "lb1.example.com";
    out.spec.haproxy.emplace().local.emplace();
    return out;
}

/// The n-th of many: its own domain, one server.
inline crd::LoadBalancerFragment fragment(int n = 1) {
    const auto number = std::to_string(n);
    crd::LoadBalancerFragment out;
    out.metadata.name = "site" + number;
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-" + number;
    out.spec.load_balancer_ref.name = "lb1";
    out.spec.domains = {"site" + number + ".example.org"};
    out.spec.servers.push_back({"a1", "192.0.2.5", 80});
    return out;
}

inline std::string name_of(int n = 1) { return "ocim-campus_site" + std::to_string(n); }
inline Mark mark(int n = 1) { return {"prod", "campus/site" + std::to_string(n), "uid-" + std::to_string(n), false}; }

inline api::Json secret(const std::string& username, const std::string& password) {
    namespace json = api::json;
    return json::object{{"apiVersion", "v1"},
                        {"kind", "Secret"},
                        {"metadata", json::object{{"name", "auth"}, {"namespace", "campus"}}},
                        {"data", json::object{{"username", username}, {"password", password}}}};
}

inline runtime::Inputs inputs(const crd::LoadBalancer& balancer = test::balancer()) {
    runtime::Inputs out;
    out.installation = "prod";
    out.add(api::encode_object(balancer));
    out.add(secret("dXNlcg==", "cGFzcyI="));  // user, pass"
    return out;
}

}  // namespace ocim::loadbalancing::test
