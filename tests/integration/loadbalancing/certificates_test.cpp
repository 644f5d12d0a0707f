#include "loadbalancing/haproxy_scripts.hpp"
#include "loadbalancing/register.hpp"
#include "net/tls.hpp"
#include "real_haproxy.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <thread>

/// Certificates of fragments in a real HAProxy, as TLS clients see them.
namespace ocim::loadbalancing {
namespace {

using namespace test;
using ocim::test::json;
using Tls = ocim::test::HaproxyService::Tls;

class Certificates : public RealHaproxyOf<testing::TestWithParam<Way>> {
protected:
    Certificates() : RealHaproxyOf(GetParam(), Tls::by_our_list) {}

    net::KeyPair issue(const std::vector<std::string>& names) {
        net::CertificateRequest request;
        request.common_name = names.front();
        request.dns_names = names;
        request.server = true;
        return *net::issue_certificate(ca, request, loop.clock().wall());
    }
    crd::LoadBalancerFragment site(int n) {
        auto out = fragment(n);
        out.spec.certificate_secret_ref.emplace().name = "tls-" + std::to_string(n);
        return out;
    }
    /// What the object wants when its Secret holds `pair`, and does it.
    void put(const crd::LoadBalancerFragment& object, const net::KeyPair& pair, const char* why) {
        auto with = inputs();
        with.now = loop.clock().wall();
        with.add(secret("campus", object.spec.certificate_secret_ref->name,
                        {{"tls.crt", pair.certificate}, {"tls.key", pair.private_key.reveal()}}));
        ocim::test::Visitor<Fragment> one(loop, *system, with);
        one.must(one.wanted(object));
        const auto said = one.report(object);
        EXPECT_EQ(said.verdict.state, runtime::Verdict::State::ready) << why << ": " << said.verdict.message;
        ASSERT_TRUE(said.status.certificate) << why;
        EXPECT_EQ(server.shown_to(object.spec.domains[0]), said.status.certificate->fingerprint) << why;
    }
    std::string file(int n) const { return server.directory() + "/current/certs/" + name_of(n) + ".pem"; }

    net::KeyPair ca = *net::make_ca("test", loop.clock().wall());
};

TEST_P(Certificates, GoLiveAreRotatedAndGoWithoutARestart) {
    const auto unnamed = server.shown_to("site1.example.org");
    put(site(1), issue({"site1.example.org"}), "with a new site");
    EXPECT_EQ(std::filesystem::status(file(1)).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    EXPECT_EQ(server.shown_to("site2.example.org"), unnamed) << "nobody else's visitors get it";

    const auto before = server.reloads();
    std::atomic<bool> stop = false;
    std::atomic<int> good = 0, bad = 0;
    std::thread visitors([&] {
        while (!stop) ++(server.get_secure("site1.example.org").ends_with(" 200") ? good : bad);
    });
    for (int n = 0; n < 5; ++n) put(site(1), issue({"site1.example.org", "*.example.org"}), "rotated");
    stop = true;
    visitors.join();
    EXPECT_EQ(bad, 0);
    EXPECT_GT(good, 0);
    EXPECT_EQ(server.reloads(), before) << "rotation needs no reload";
    EXPECT_EQ(server.shown_to("site2.example.org"), unnamed) << "whatever it says it is good for";

    visitor.must(visitor.wanted(fragment(2)));
    const auto reloads = server.reloads();
    put(site(2), issue({"site2.example.org"}), "a site that was there gets one");
    EXPECT_EQ(server.reloads(), reloads) << "nor does that";
    visitor.must(visitor.wanted(fragment(3)));
    EXPECT_NE(server.shown_to("site2.example.org"), unnamed) << "a reload finds what was told";

    auto moved = site(2);
    moved.spec.domains = {"site2.example.org", "more.example.org"};
    put(moved, issue({"site2.example.org", "more.example.org"}), "for another name too");
    EXPECT_NE(server.shown_to("more.example.org"), unnamed);

    const auto settled = server.reloads();
    visitor.must(visitor.wanted(fragment(2)));
    EXPECT_EQ(server.shown_to("more.example.org"), unnamed) << "it goes by itself";
    visitor.must(visitor.wanted(site(1), true));
    EXPECT_EQ(server.shown_to("site1.example.org"), unnamed) << "and with its fragment";
    EXPECT_EQ(server.reloads(), settled) << "none of which needs a reload";
    const auto left = ocim::test::run_program({"grep", "-rl", "PRIVATE KEY", server.directory()});
    EXPECT_EQ(left.output, "") << "no key is left behind, not even in the former version";
}

TEST_P(Certificates, ADriftIsPutRight) {
    const auto pair = issue({"site1.example.org"});
    put(site(1), pair, "at first");
    const auto text = ocim::test::read_file(file(1));
    const auto list = server.directory() + "/current/certs.list";
    const struct {
        const char* reason;
        std::function<void()> change;
    } rows[] = {
        {"the file is gone", [&] { std::filesystem::remove(file(1)); }},
        {"another one is there", [&] { ocim::test::write_file(file(1), "nonsense\n"); }},
        {"others may read it",
         [&] {
             std::filesystem::permissions(file(1), std::filesystem::perms::others_read,
                                          std::filesystem::perm_options::add);
         }},
        {"the list is empty", [&] { ocim::test::write_file(list, ""); }},
    };
    for (const auto& row : rows) {
        row.change();
        put(site(1), pair, row.reason);
        EXPECT_EQ(ocim::test::read_file(file(1)), text) << row.reason;
        EXPECT_EQ(std::filesystem::status(file(1)).permissions(),
                  std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
            << row.reason;
    }
}

/// Else the next write, whoever's, would leave it out of the list.
TEST_P(Certificates, WhatCannotBeReadIsNotTakenForNone) {
    put(site(1), issue({"site1.example.org"}), "at first");
    ocim::test::TempDir programs;
    const auto read = [&] {
        return ocim::test::run_program({"env", "PATH=" + programs.path() + ":/usr/sbin:/usr/bin:/bin", "/bin/sh", "-c",
                                        read_script, "ocim", server.directory()});
    };
    const auto good = read();
    EXPECT_EQ(good.exit_code, 0);
    EXPECT_TRUE(good.output.starts_with("@certificate " + name_of(1) + ".pem ")) << good.output.substr(0, 200);
    for (const auto* sum : {"exit 1\n", "/usr/bin/sha256sum \"$@\"\nexit 1\n"}) {
        ocim::test::write_file(programs.file("sha256sum"), std::string("#!/bin/sh\n") + sum);
        std::filesystem::permissions(programs.file("sha256sum"), std::filesystem::perms::owner_all);
        EXPECT_NE(read().exit_code, 0) << sum;
    }
}

/// A domain that the certificate in force is not good for gets what it would without one.
TEST_P(Certificates, AFormerOneIsShownToNobodyWhomItDoesNotFit) {
    const auto unnamed = server.shown_to("nobody.example.org");
    const auto pair = issue({"site1.example.org"});
    put(site(1), pair, "at first");
    const auto shown = server.shown_to("site1.example.org");
    auto more = site(1);
    more.spec.domains.push_back("new.example.org");
    auto with = inputs();
    with.now = loop.clock().wall();
    with.add(secret("campus", "tls-1", {{"tls.crt", pair.certificate}, {"tls.key", pair.private_key.reveal()}}));
    ocim::test::Visitor<Fragment> one(loop, *system, with);
    one.must(one.wanted(more));
    EXPECT_EQ(one.report(more).verdict.reason, "CertificateRefused");
    EXPECT_EQ(server.shown_to("site1.example.org"), shown);
    EXPECT_EQ(server.shown_to("new.example.org"), unnamed);
    EXPECT_TRUE(server.get("new.example.org").ends_with(" 200")) << "all else is in force";
    EXPECT_TRUE(one.wanted(more).empty());
}

/// HAProxy refuses what OpenSSL reads: the key is too short for it.
TEST_P(Certificates, OneThatHAProxyRefusesHoldsNoOtherUp) {
    ocim::test::TempDir files;
    const auto made = ocim::test::run_program({"openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout",
                                               files.file("key"), "-out", files.file("crt"), "-subj",
                                               "/CN=site1.example.org", "-days", "30"});
    ASSERT_EQ(made.exit_code, 0) << made.output;
    const auto pair = issue({"site2.example.org"});
    auto with = inputs();
    with.now = loop.clock().wall();
    const auto key = ocim::test::read_file(files.file("key"));
    with.add(secret("campus", "tls-1", {{"tls.crt", ocim::test::read_file(files.file("crt"))}, {"tls.key", key}}));
    with.add(secret("campus", "tls-2", {{"tls.crt", pair.certificate}, {"tls.key", pair.private_key.reveal()}}));
    ocim::test::Visitor<Fragment> both(loop, *system, with);
    const auto answers = both.act(both.wanted({site(1), site(2)}));
    ASSERT_FALSE(*answers.at(0));
    EXPECT_EQ(answers[0]->error().error_class, ErrorClass::invalid) << answers[0]->error().message;
    EXPECT_NE(answers[0]->error().message.find("its certificate"), std::string::npos) << answers[0]->error().message;
    EXPECT_EQ(answers[0]->error().message.find("PRIVATE"), std::string::npos);
    ASSERT_TRUE(*answers.at(1)) << answers[1]->error().message;
    EXPECT_TRUE(both.ready(site(2)));
}

INSTANTIATE_TEST_SUITE_P(Hosts, Certificates, testing::Values(Way::local, Way::ssh),
                         [](const auto& info) { return info.param == Way::local ? "Local" : "Ssh"; });

TEST(CertificateStore, IsMissedWhereNoBindLineReadsIt) {
    struct Without : RealHaproxyOf<testing::Test> {
        Without() : RealHaproxyOf(Way::local) {}
        void TestBody() override {
            const auto ca = *net::make_ca("test", loop.clock().wall());
            net::CertificateRequest request;
            request.common_name = "site1.example.org";
            request.dns_names = {"site1.example.org"};
            request.server = true;
            const auto pair = *net::issue_certificate(ca, request, loop.clock().wall());
            auto with = inputs();
            with.now = loop.clock().wall();
            with.add(secret("campus", "tls", {{"tls.crt", pair.certificate}, {"tls.key", pair.private_key.reveal()}}));
            auto object = fragment(1);
            object.spec.certificate_secret_ref.emplace().name = "tls";
            ocim::test::Visitor<Fragment> one(loop, *system, with);
            one.succeed(one.wanted(object));
            EXPECT_EQ(one.report(object).verdict.reason, "CertificateNotServed");
            EXPECT_TRUE(server.get("site1.example.org").ends_with(" 200")) << "the site is served all the same";
        }
    };
    Without().TestBody();
}

/// Under the runtime: a Secret that changes is a rotation, and nothing that people can read tells the key.
TEST(CertificateRotation, FollowsTheSecretAndTellsNobodyTheKey) {
    ocim::test::HaproxyService server({}, Tls::by_our_list);
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
    const auto ca = *net::make_ca("test", loop.clock().wall());
    const auto put_secret = [&] {
        net::CertificateRequest request;
        request.common_name = "one.example.org";
        request.dns_names = {"one.example.org"};
        request.server = true;
        const auto pair = *net::issue_certificate(ca, request, loop.clock().wall());
        running.server.put(
            secret("campus", "tls", {{"tls.crt", pair.certificate}, {"tls.key", pair.private_key.reveal()}}));
    };
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'LoadBalancer','metadata':{'name':'lb'},'spec':{"
             "'domain':'lb.example.com','haproxy':{'local':{},'directory':'" +
             server.directory() + "','configFiles':['" + server.base_config() + "'],'masterSocket':'" +
             server.master_socket() + "'}}}"));
    put_secret();
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'LoadBalancerFragment','metadata':{'namespace':"
             "'campus','name':'one'},'spec':{'loadBalancerRef':{'name':'lb'},'domains':['one.example.org'],"
             "'certificateSecretRef':{'name':'tls'},'servers':[{'name':'a','address':'127.0.0.1','port':" +
             std::to_string(server.origin_ports[0]) + "}]}}"));
    running.start();
    constexpr std::chrono::seconds limit{100};
    const auto in_force = [&]() -> std::string {
        const auto* object = running.server.get("LoadBalancerFragment", "campus", "one");
        return object ? std::string(api::find_text(*object, {"status", "certificate", "fingerprint"})) : "";
    };
    ASSERT_TRUE(running.until([&] { return !in_force().empty(); }, limit));
    const auto first = in_force();
    EXPECT_EQ(server.shown_to("one.example.org"), first);
    const auto reloads = server.reloads();
    put_secret();
    ASSERT_TRUE(running.until([&] { return in_force() != first; }, limit));
    EXPECT_EQ(server.shown_to("one.example.org"), in_force());
    EXPECT_EQ(server.reloads(), reloads);
    const auto* object = running.server.get("LoadBalancerFragment", "campus", "one");
    ASSERT_TRUE(object);
    EXPECT_EQ(api::to_text(*object).find("PRIVATE"), std::string::npos);
}

}  // namespace
}  // namespace ocim::loadbalancing
