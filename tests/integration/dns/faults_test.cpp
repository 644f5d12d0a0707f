#include "dns/register.hpp"

#include "runtime/base64.hpp"
#include "support/faults.hpp"
#include "support/powerdns.hpp"

#include <gtest/gtest.h>

/// What DNSRecords say and do when their PowerDNS is in trouble.
namespace ocim::dns {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class PowerDnsFaults : public ocim::test::FaultTest {
protected:
    PowerDnsFaults() : FaultTest(register_kinds) {
        running.put_secret("ocim-system", "struck-key", "apiKey", runtime::base64(struck.api_key));
        running.put_secret("ocim-system", "well-key", "apiKey", runtime::base64(well.api_key));
        put_zone("struck", "example.org", front.url());
        put_zone("well", "example.net", well.url());
    }
    void put_zone(const std::string& name, const std::string& domain, const std::string& url) {
        running.server.put(json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSZone','metadata':{'name':'" +
                                name + "'},'spec':{'domain':'" + domain + "','powerdns':{'url':'" + url +
                                "'},'credentialsRef':{'name':'" + name + "-key'},'driftInterval':'60s'}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':"
                 "'campus','name':'" +
                 name + "'},'spec':{'zoneRef':{'name':'" + backend + "'},'name':'" + name + ".example." +
                 (backend == "well" ? "net" : "org") + "','type':'A','values':['192.0.2.1']}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("DNSRecord", "campus", name); }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            struck.restart_with_key("another-key");
        else
            show(front, fault, ocim::test::http_garbage(fault));
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            // rotated: the server keeps its new key, and the Secret learns it
            running.put_secret("ocim-system", "struck-key", "apiKey", runtime::base64("another-key"));
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    ocim::test::PowerDnsService struck{"example.org"}, well{"example.net"};
    ocim::test::Door front{struck.api_port};
};

TEST_P(PowerDnsFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(struck.dig("later.example.org", "A"), "192.0.2.1\n");
}

INSTANTIATE_TEST_SUITE_P(PowerDns, PowerDnsFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::truncated_json, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::dns
