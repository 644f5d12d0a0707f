#include "loadbalancing/certificate.hpp"

#include "base/random.hpp"
#include "fake_machine.hpp"
#include "loadbalancing/change.hpp"
#include "loadbalancing/haproxy.hpp"
#include "net/tls.hpp"
#include "runtime/base64.hpp"
#include "sample.hpp"
#include "support/contract.hpp"

#include <gtest/gtest.h>

namespace ocim::loadbalancing {
namespace {

using namespace test;
using std::chrono::hours;

const WallTime today = *parse_rfc3339("2026-11-23T10:00:00Z");

const net::KeyPair& ca() {
    static const auto made = *net::make_ca("test", today);
    return made;
}

net::KeyPair issue(const std::vector<std::string>& names, hours valid_for = hours(24 * 90), WallTime from = today) {
    net::CertificateRequest request;
    request.common_name = names.front();
    request.dns_names = names;
    request.server = true;
    request.valid_for = valid_for;
    request.not_before_min = from;
    return *net::issue_certificate(ca(), request, from);
}

api::Json tls_secret(const net::KeyPair& pair) {
    namespace json = api::json;
    return json::object{{"apiVersion", "v1"},
                        {"kind", "Secret"},
                        {"metadata", json::object{{"name", "tls"}, {"namespace", "campus"}}},
                        {"data", json::object{{"tls.crt", runtime::base64(pair.certificate)},
                                              {"tls.key", runtime::base64(pair.private_key.reveal())}}}};
}

crd::LoadBalancerFragment with_tls() {
    auto out = fragment();
    out.spec.certificate_secret_ref.emplace().name = "tls";
    return out;
}

TEST(Certificate, IsCheckedBeforeItGoesLive) {
    const auto good = issue({"site1.example.org", "*.site1.example.org"});
    const auto other = issue({"site1.example.org"});
    const std::vector<std::string> site{"site1.example.org"};
    const auto vouching = ca().certificate;
    const auto stranger = net::make_ca("test", today)->certificate;  // of the same name
    const auto changed = [](std::string text, std::string_view from, std::string_view to) {
        return text.replace(text.rfind(from), from.size(), to);
    };
    std::string long_chain = good.certificate;
    for (int n = 0; n < 10; ++n) long_chain += vouching;
    const struct {
        const char* reason;
        std::string chain;
        Secret key;
        std::vector<std::string> domains;
        WallTime now;
        const char* refused;
        const char* message;
    } rows[] = {
        {"all is well", good.certificate, good.private_key, site, today, "", ""},
        {"with what vouches for it", good.certificate + vouching, good.private_key, site, today, "", ""},
        {"with words between", "leaf\n" + good.certificate + "CA\n" + vouching, good.private_key, site, today, "", ""},
        {"another that it did not sign", good.certificate + other.certificate, good.private_key, site, today,
         "ChainBroken", "none of the other certificates of the chain signed the first one"},
        {"one of the same name with another key", good.certificate + stranger, good.private_key, site, today,
         "ChainBroken", "none of the other"},
        {"what vouches is garbled", good.certificate + changed(vouching, "MII", "!!!"), good.private_key, site, today,
         "ChainUnreadable", "certificate 2 of the chain cannot be read"},
        {"what vouches is cut off", good.certificate + vouching.substr(0, vouching.size() / 2), good.private_key, site,
         today, "ChainUnreadable", "certificate 2"},
        {"its first line is garbled", good.certificate + changed(vouching, "-----BEGIN", "---BEGIN"), good.private_key,
         site, today, "ChainUnreadable", "certificate 2"},
        {"an endless one", long_chain, good.private_key, site, today, "ChainTooLong", "more than 10"},
        {"a wildcard covers one label", good.certificate, good.private_key, {"a.site1.example.org"}, today, "", ""},
        {"and no more",
         good.certificate,
         good.private_key,
         {"a.b.site1.example.org"},
         today,
         "NamesNotCovered",
         "a.b.site1.example.org"},
        {"one of two names",
         good.certificate,
         good.private_key,
         {"site1.example.org", "x.org"},
         today,
         "NamesNotCovered",
         "does not cover x.org"},
        {"another's key", good.certificate, other.private_key, site, today, "KeyMismatch", "not that of"},
        {"no PEM", "nonsense", good.private_key, site, today, "Unreadable", "no certificate"},
        {"no key", good.certificate, Secret("nonsense"), site, today, "Unreadable", "no private key"},
        {"nothing", "", Secret(), site, today, "Unreadable", "no certificate"},
        {"too early", good.certificate, good.private_key, site, today - hours(48), "NotYetValid", "2026-11-23"},
        {"too late", good.certificate, good.private_key, site, today + hours(24 * 91), "Expired", "2027-02-21"},
    };
    for (const auto& row : rows) {
        const auto judged = judge_certificate(Secret(row.chain), row.key, row.domains, row.now);
        EXPECT_EQ(judged.reason, row.refused) << row.reason << ": " << judged.message;
        EXPECT_NE(judged.message.find(row.message), std::string::npos) << row.reason << ": " << judged.message;
        EXPECT_EQ(judged.note.has_value(), judged.reason.empty()) << row.reason;
        if (!judged.note) continue;
        EXPECT_EQ(CertificateNote::parse(judged.note->line()), judged.note) << row.reason;
        EXPECT_EQ(judged.pem.reveal().find("\n\n"), std::string::npos) << "HAProxy ends there: " << row.reason;
        EXPECT_EQ(judged.note->file, sha256_hex(judged.pem.reveal()));
        EXPECT_EQ(judged.note->names, row.domains) << row.reason;
    }
    for (const auto* line :
         {"# certificate", "# certificate a b c 1", "# certificate a b c 1 x", "# certificate a b c 1 99999999999999",
          "# certificate a b c 1 2 a.org b.org", "# certificate a b c 1 2 ,", "# certificate a b c 1 2 a\nb",
          "# certificate a b c 1 2  a.org", "backend x"})
        EXPECT_FALSE(CertificateNote::parse(line)) << line;
}

class CertificateTest : public testing::Test {
protected:
    runtime::Inputs given(const std::optional<net::KeyPair>& pair, WallTime now = today) {
        auto out = inputs();
        out.now = now;
        if (pair) out.add(tls_secret(*pair));
        return out;
    }
    Snapshot see() {
        auto seen = loop.run(system->observe());
        EXPECT_TRUE(seen) << (seen ? "" : seen.error().message);
        return seen ? *std::move(seen) : Snapshot{};
    }
    runtime::Report<crd::LoadBalancerFragment> report(const runtime::Inputs& with) {
        auto said = Fragment::report(object, with, see());
        object.status = said.status;
        return said;
    }
    void apply(const runtime::Inputs& with) {
        ocim::test::Visitor<Fragment> visitor(loop, *system, with);
        visitor.must(visitor.wanted(object));
        EXPECT_TRUE(visitor.wanted(object).empty()) << "nothing more to be done";
    }
    static std::string finding(const runtime::Report<crd::LoadBalancerFragment>& said) {
        return said.findings.empty() ? "" : said.findings[0].status + " " + said.findings[0].reason;
    }
    std::string file() const {
        const auto found = machine.files.find("certs/" + name_of() + ".pem");
        return found == machine.files.end() ? "" : found->second;
    }

    Machine machine;
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
    std::unique_ptr<System> system =
        open_haproxy(std::make_unique<FakeHost>(machine), services, {"/x", {"/etc/haproxy.cfg"}, "/run/s", {}, "lb1"});
    crd::LoadBalancerFragment object = with_tls();
};

TEST_F(CertificateTest, GoesLiveIsRotatedAndGoes) {
    const auto first = issue({"site1.example.org"}), second = issue({"site1.example.org"}, hours(24 * 120));
    apply(given(first));
    EXPECT_NE(file().find(first.certificate), std::string::npos);
    EXPECT_EQ(machine.files.at("certs.list"), "/x/current/certs/" + name_of() + ".pem site1.example.org\n");
    auto said = report(given(first));
    EXPECT_EQ(finding(said), "True Valid");
    EXPECT_EQ(said.verdict.reason, "Applied");
    EXPECT_EQ(said.status.certificate->not_after, "2027-02-21T10:00:00Z");
    EXPECT_NE(metrics.text().find("ocim_certificate_expiry_timestamp_seconds{load_balancer=\"lb1\",name=\"site1\","
                                  "namespace=\"campus\"} "),
              std::string::npos);

    const auto reloads = machine.reloads;
    apply(given(second));
    EXPECT_EQ(machine.reloads, reloads) << "the process is told";
    EXPECT_NE(file().find(second.certificate), std::string::npos);
    EXPECT_EQ(report(given(second)).status.certificate->not_after, "2027-03-23T10:00:00Z");

    machine.files["certs/" + name_of() + ".pem"] = "somebody else's";
    EXPECT_EQ(report(given(second)).findings.size(), 1U);
    apply(given(second));
    EXPECT_NE(file().find(second.certificate), std::string::npos) << "drift is put right";

    object.spec.certificate_secret_ref.reset();
    apply(given(second));
    EXPECT_EQ(file(), "");
    EXPECT_EQ(machine.files.at("certs.list"), "");
    EXPECT_FALSE(report(given(second)).status.certificate);
    EXPECT_EQ(metrics.text().find("ocim_certificate_expiry_timestamp_seconds{"), std::string::npos);

    object = with_tls();
    apply(given(second));
    ocim::test::Visitor<Fragment> visitor(loop, *system, given(second));
    visitor.must(visitor.wanted(object, true));
    EXPECT_EQ(file(), "") << "it goes with its fragment";
}

TEST_F(CertificateTest, OneThatCannotGoLiveLeavesTheFormer) {
    const auto good = issue({"site1.example.org"});
    auto bad = issue({"elsewhere.example.org"});
    apply(given(bad));
    auto said = report(given(bad));
    EXPECT_EQ(finding(said), "False NamesNotCovered");
    EXPECT_EQ(said.verdict.reason, "CertificateRefused");
    EXPECT_NE(said.verdict.message.find("there is none in force"), std::string::npos) << said.verdict.message;
    EXPECT_EQ(file(), "");
    apply(given(std::nullopt));
    EXPECT_EQ(finding(report(given(std::nullopt))), "False SecretNotFound");
    apply(given(good));
    EXPECT_EQ(finding(report(given(good))), "True Valid");
    const auto text = file();
    for (const auto& wrong : {std::optional(bad), std::optional<net::KeyPair>()}) {
        object.spec.servers[0].port = wrong ? 81 : 82;
        apply(given(wrong));
        EXPECT_EQ(file(), text);
        said = report(given(wrong));
        EXPECT_EQ(said.verdict.reason, "CertificateRefused") << "it is said, and all else is in force";
        EXPECT_EQ(said.status.certificate->state, std::decay_t<decltype(*said.status.certificate)>::State::valid);
    }
    machine.files["certs/" + name_of() + ".pem"] = "somebody else's";
    apply(given(bad));
    EXPECT_EQ(file(), "") << "what is not what was put there is not kept";
}

/// A domain was added, and the Secret not yet renewed.
TEST_F(CertificateTest, AFormerOneAnswersForNothingThatItIsNotGoodFor) {
    const auto pair = issue({"site1.example.org"});
    apply(given(pair));
    const auto text = file();
    const auto path = "/x/current/certs/" + name_of() + ".pem";
    object.spec.domains = {"site1.example.org", "new.example.org"};
    apply(given(pair));
    EXPECT_EQ(file(), text);
    EXPECT_EQ(machine.files.at("certs.list"), path + " site1.example.org\n");
    EXPECT_NE(machine.files.at("domains.map").find("new.example.org"), std::string::npos) << "all else is in force";
    auto said = report(given(pair));
    EXPECT_EQ(finding(said), "False NamesNotCovered");
    EXPECT_NE(said.verdict.message.find("stays for what it is good for"), std::string::npos) << said.verdict.message;

    object.spec.domains = {"new.example.org"};
    apply(given(pair));
    EXPECT_EQ(file(), "") << "it is good for nothing any more";
    EXPECT_EQ(machine.files.at("certs.list"), "");
    const auto both = issue({"site1.example.org", "new.example.org"});
    object.spec.domains = {"site1.example.org", "new.example.org"};
    apply(given(both));
    EXPECT_EQ(machine.files.at("certs.list"), path + " new.example.org site1.example.org\n");
}

TEST_F(CertificateTest, ItsEndIsToldOfInTime) {
    const auto pair = issue({"site1.example.org"});
    apply(given(pair));
    auto said = report(given(pair));
    EXPECT_TRUE(said.notes.empty());
    EXPECT_EQ(said.look_again, Duration(hours(24 * 76))) << "14 days before its end";
    const auto soon = today + hours(24 * 77);
    said = report(given(pair, soon));
    EXPECT_EQ(finding(said), "True ExpiresSoon");
    ASSERT_EQ(said.notes.size(), 1U);
    EXPECT_TRUE(said.notes[0].warning);
    EXPECT_EQ(said.notes[0].reason, "CertificateExpires");
    EXPECT_TRUE(report(given(pair, soon)).notes.empty()) << "once";
    const auto over = today + hours(24 * 90);
    said = report(given(pair, over));
    EXPECT_EQ(finding(said), "False Expired");
    EXPECT_EQ(said.notes.at(0).reason, "CertificateExpired");
    EXPECT_NE(file(), "") << "it is not taken away";
}

TEST_F(CertificateTest, IsNotReadyWhereNoBindLineReadsTheList) {
    const auto pair = issue({"site1.example.org"});
    apply(given(pair));
    machine.unlisted = true;
    const auto said = report(given(pair));
    EXPECT_EQ(finding(said), "False NotServed");
    EXPECT_EQ(said.verdict.reason, "CertificateNotServed");
}

TEST_F(CertificateTest, AFileThatIsNotOursStays) {
    const auto pair = issue({"site1.example.org"});
    machine.version = machine.loaded = 1;
    machine.files = {{"domains.map", ""}, {"certs.list", ""}, {"certs/" + name_of() + ".pem", "a person's"}};
    EXPECT_TRUE(Fragment::diff(object, given(pair), see()).empty());
    EXPECT_EQ(report(given(pair)).verdict.reason, "NotOwned");
    object.spec.certificate_secret_ref.reset();
    apply(given(pair));
    EXPECT_EQ(file(), "a person's");
    object = with_tls();
    object.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    apply(given(pair));
    EXPECT_NE(file().find(pair.certificate), std::string::npos);
}

TEST_F(CertificateTest, ItsKeyIsInNoTextThatPeopleSee) {
    const auto pair = issue({"site1.example.org"});
    const auto actions = Fragment::diff(object, given(pair), see());
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(actions[0].text.reveal().find("PRIVATE"), std::string::npos) << "nor in the text that is compared";
    EXPECT_EQ(Fragment::describe(actions[0]).find("PRIVATE"), std::string::npos);
    Version now;
    now.name = now.loaded = "v1";
    now.fragments[name_of()] = {actions[0].text.reveal(), false};
    now.certificates[name_of()] = {"another", false};
    now.domains.add("site1.example.org", name_of());
    const Change change(now, actions, {0});
    const auto plan = runtime_plan(now, change, "/x");
    ASSERT_TRUE(plan) << "a rotation needs no reload";
    std::string all;
    for (const auto& line : plan->commands) all += line + "\n";
    const auto path = "/x/current/certs/" + name_of() + ".pem";
    EXPECT_EQ(all, "set ssl cert " + path + " <<\n<certs/" + name_of() + ".pem\n\ncommit ssl cert " + path + "\n");
    ASSERT_EQ(plan->expected.size(), 1U);
    EXPECT_EQ(plan->expected[0].substr(0, 12 + path.size()), "certificate " + path);
}

}  // namespace
}  // namespace ocim::loadbalancing
