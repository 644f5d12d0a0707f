#include "campus.hpp"
#include "crd/dnsrecords.hpp"
#include "openedx/appserver.hpp"
#include "openedx/instance.hpp"
#include "openedx/instance_class.hpp"
#include "openedx/run.hpp"
#include "runtime/index.hpp"

#include <gtest/gtest.h>

/// Of many sites, who is visited when something changes.
namespace ocim::openedx::test {
namespace {

using runtime::Change;
using runtime::ObjectPtr;
using runtime::ReferenceIndex;

constexpr int sites = 200;

std::string address_of(int site) { return "10.77." + std::to_string(site / 250) + "." + std::to_string(site % 250); }

crd::AppServer appserver_of(int site) {
    crd::AppServer out;
    out.metadata.name = "site-" + std::to_string(site) + "-1";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-" + out.metadata.name;
    out.spec.instance_name = "site-" + std::to_string(site);
    out.status.addresses = {address_of(site)};
    return out;
}

class Woken : public testing::Test {
protected:
    Woken() {
        for (int site = 0; site < sites; ++site) {
            Campus campus;
            campus.instance.metadata.name = "site-" + std::to_string(site);
            instances_.set("campus/" + campus.instance.metadata.name, Instances::needs(campus.instance));
            auto appserver = appserver_of(site);
            appserver.metadata.deletion_timestamp = "2026-11-22T12:00:00Z";
            leaving_.set("campus/" + appserver.metadata.name, AppServers::needs(appserver));
            crd::ProvisioningRun run;
            run.metadata.namespace_ = "campus";
            run.metadata.name = appserver.metadata.name + "-1";
            run.spec.run_on = crd::ProvisioningRun::Spec::RunOn::controller;
            run.metadata.owner_references = {{"ocim.opencraft.com/v1alpha1", "AppServer", appserver.metadata.name,
                                              appserver.metadata.uid, true, true}};
            runtime::Inputs inputs;
            inputs.add(api::encode_object(appserver));
            auto needs = Runs::needs(run);
            for (auto& more : Runs::further_needs(run, inputs)) needs.push_back(std::move(more));
            runs_.set("campus/" + run.metadata.name, needs);
        }
        for (const std::string name : {"sandbox", "production"}) {
            Campus campus;
            campus.of_class.metadata.name = name;
            classes_.set(name, InstanceClasses::needs(campus.of_class));
        }
    }
    template <class T>
    static Change changed(const T& object) {
        auto whole = api::encode_object(object);
        whole.as_object()["status"] = api::encode(object.status);
        const auto after = std::make_shared<const Json>(std::move(whole));
        return {runtime::kind_id(T::kind), {object.metadata.namespace_, object.metadata.name}, after, after};
    }

    ReferenceIndex instances_, leaving_, runs_, classes_;
};

using Names = std::set<std::string>;

TEST_F(Woken, ByAnAppServerItsOwnInstanceAndRun) {
    const auto change = changed(appserver_of(7));
    EXPECT_EQ(instances_.dependents(change), (Names{"campus/site-7"}));
    EXPECT_EQ(runs_.dependents(change), (Names{"campus/site-7-1-1"}));
    EXPECT_EQ(leaving_.dependents(change), Names());
}

TEST_F(Woken, ByAnInstanceItsOwnAppServerRunAndClass) {
    Campus campus;
    campus.instance.metadata.name = "site-7";
    const auto change = changed(campus.instance);
    EXPECT_EQ(leaving_.dependents(change), (Names{"campus/site-7-1"}));
    EXPECT_EQ(runs_.dependents(change), (Names{"campus/site-7-1-1"}));
    EXPECT_EQ(classes_.dependents(change), (Names{"sandbox"}));
    EXPECT_EQ(instances_.dependents(change), (Names{"campus/site-7"})) << "itself, which is left out";
}

TEST_F(Woken, ByABackendWhoIsPlacedThereOrNowhere) {
    instances_ = {};
    for (const std::string site : {"here", "there", "nowhere"}) {
        Campus campus;
        campus.instance.metadata.name = site;
        auto& placement = campus.instance.status.placement.emplace();
        placement.cloud = placement.mysql = placement.load_balancer = site + "1";
        if (site == "nowhere") campus.instance.status.placement.reset();
        instances_.set("campus/" + site, Instances::needs(campus.instance));
    }
    for (const auto* kind : {"DatabaseServer", "Cloud", "LoadBalancer"}) {
        const auto server = std::make_shared<const Json>(backend(kind, "here1", "{}"));
        const Change change{std::string("ocim.opencraft.com/") + kind, {"", "here1"}, server, server};
        EXPECT_EQ(instances_.dependents(change), (Names{"campus/here", "campus/nowhere"})) << kind;
    }
    const auto store = std::make_shared<const Json>(backend("ObjectStore", "os", "{}"));
    EXPECT_EQ(instances_.dependents(Change{"ocim.opencraft.com/ObjectStore", {"", "os"}, store, store}),
              (Names{"campus/nowhere"}))
        << "who has no files there never will";
}

TEST_F(Woken, ByARecordWhoIsBeingDeletedWhileItLeadsOrLedToItsMachine) {
    crd::DNSRecord record;
    record.metadata.namespace_ = "campus";
    record.metadata.name = "site-7-vm1";
    record.spec.values = {address_of(8)};
    record.status.served = {address_of(7)};
    EXPECT_EQ(leaving_.dependents(changed(record)), (Names{"campus/site-7-1", "campus/site-8-1"}));
    record.spec.values = record.status.served = {"site-7.example.test."};
    EXPECT_EQ(leaving_.dependents(changed(record)), Names());
}

}  // namespace
}  // namespace ocim::openedx::test
