#include "loadbalancing/register.hpp"

#include "runtime/base64.hpp"
#include "support/door.hpp"
#include "support/haproxy.hpp"
#include "support/running.hpp"
#include "support/sshd.hpp"

#include <gtest/gtest.h>
#include <cstdlib>

/// One LoadBalancer on two hosts, each with an sshd and an HAProxy of its own, under the runtime.
/// OCIM_SCALE=full: one of them down in every way.
namespace ocim::loadbalancing {
namespace {

using ocim::test::json;
using ocim::test::read_file;
using ocim::test::write_file;

struct HostOfTest {
    ocim::test::Sshd sshd;
    ocim::test::Door door{sshd.port()};
    ocim::test::HaproxyService haproxy;
    bool serves(const std::string& site, int origin = 0) const {
        return haproxy.get(site + ".example.org").starts_with("origin " + std::to_string(origin));
    }
    std::string file(const std::string& site) const { return haproxy.fragment_file("ocim-campus_" + site); }
};

class SeveralHosts : public testing::Test {
protected:
    SeveralHosts() {
        running.put_secret("ocim-system", "key-east", "ssh-privatekey", runtime::base64(east.sshd.user_key()));
        running.put_secret("ocim-system", "key-west", "ssh-privatekey", runtime::base64(west.sshd.user_key()));
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'LoadBalancer','metadata':{'name':'lb'},'spec':{"
                 "'domain':'lb.example.com','driftInterval':'2s','haproxy':{'hosts':[" +
                 host("east", east) + "," + host("west", west) + "]}}}"));
    }
    static std::string host(const std::string& name, const HostOfTest& at) {
        return "{'name':'" + name + "','directory':'" + at.haproxy.directory() + "','configFiles':['" +
               at.haproxy.base_config() + "'],'masterSocket':'" + at.haproxy.master_socket() +
               "','ssh':{'host':'127.0.0.1','port':" + std::to_string(at.door.port()) + ",'user':'" + at.sshd.user() +
               "','keyRef':{'name':'key-" + name + "'},'hostKey':'" + at.sshd.host_key() + "'}}";
    }
    void put(const std::string& name, int origin = 0) {
        const auto server = [&](const HostOfTest& at) {
            return std::to_string(at.haproxy.origin_ports[static_cast<std::size_t>(origin)]);
        };
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'LoadBalancerFragment','metadata':{'namespace':"
                 "'campus','name':'" +
                 name + "'},'spec':{'loadBalancerRef':{'name':'lb'},'domains':['" + name +
                 ".example.org'],'servers':[{'name':'a','address':'127.0.0.1','port':" + server(east) + "}]}}"));
    }
    /// "True Applied east=InForce west=InForce"
    std::string stands(const std::string& name) {
        auto out = running.stands("LoadBalancerFragment", "campus", name);
        const auto* object = running.server.get("LoadBalancerFragment", "campus", name);
        if (!object) return out;
        const auto* hosts = api::find(*object, {"status", "hosts"});
        if (!hosts || !hosts->is_array()) return out;
        for (const auto& item : hosts->as_array())
            out +=
                " " + std::string(api::find_text(item, {"name"})) + "=" + std::string(api::find_text(item, {"state"}));
        return out;
    }
    bool becomes(const std::string& name, const std::string& wanted) {
        return running.until([&] { return stands(name) == wanted; }, limit);
    }
    static constexpr auto well = "True Applied east=InForce west=InForce";
    static constexpr auto half = "False HostUnreachable east=InForce west=Unknown";
    static constexpr std::chrono::seconds limit{200};

    HostOfTest east, west;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
};

TEST_F(SeveralHosts, HoldTheSameAndEachIsPutRightByItself) {
    running.start();
    put("one");
    ASSERT_TRUE(becomes("one", well)) << stands("one");
    EXPECT_TRUE(east.serves("one"));
    EXPECT_TRUE(west.serves("one"));
    const auto text = read_file(west.file("one"));
    EXPECT_EQ(read_file(east.file("one")), text);
    const auto reloads = east.haproxy.reloads();
    write_file(west.file("one"), text + "  # by hand\n");
    EXPECT_TRUE(running.until([&] { return read_file(west.file("one")) == text; }, limit)) << "drift on one of them";
    EXPECT_EQ(east.haproxy.reloads(), reloads) << "the other one has nothing to do";

    // what is not ours on one of them holds nothing up on the other
    const auto foreign = "backend ocim-campus_two\n  http-request return status 200\n";
    write_file(west.file("two"), foreign);
    put("two");
    ASSERT_TRUE(becomes("two", "False NotOwned east=InForce west=Refused")) << stands("two");
    EXPECT_TRUE(east.serves("two"));
    EXPECT_EQ(read_file(west.file("two")), foreign);
    running.server.merge("LoadBalancerFragment", "campus", "two", R"({"spec":{"adoptionPolicy":"Adopt"}})");
    ASSERT_TRUE(becomes("two", well)) << stands("two");

    running.server.remove("LoadBalancerFragment", "campus", "one");
    EXPECT_TRUE(running.until([&] { return stands("one") == "gone"; }, limit));
    EXPECT_FALSE(std::filesystem::exists(east.file("one")));
    EXPECT_FALSE(std::filesystem::exists(west.file("one")));
}

TEST_F(SeveralHosts, AKeyIsRotatedWithoutARestart) {
    running.start();
    put("one");
    ASSERT_TRUE(becomes("one", well)) << stands("one");
    west.sshd.new_user_key();
    west.sshd.admit_user();
    west.sshd.drop_connections();
    put("one", 1);
    ASSERT_TRUE(becomes("one", half)) << stands("one") << ": the former key is refused";
    running.put_secret("ocim-system", "key-west", "ssh-privatekey", runtime::base64(west.sshd.user_key()));
    ASSERT_TRUE(becomes("one", well)) << stands("one") << ": the new one is used, and nothing was started anew";
    EXPECT_EQ(read_file(west.file("one")), read_file(east.file("one")));
}

TEST_F(SeveralHosts, OneThatIsDownHoldsNoOtherUp) {
    running.start();
    put("one");
    put("leaves");
    ASSERT_TRUE(becomes("one", well) && becomes("leaves", well)) << stands("one");
    const struct {
        const char* reason;
        std::function<void()> strike, mend;
    } rows[] = {
        {"refuses", [&] { west.door.shut(); }, [&] { west.door.open(); }},
        {"hangs", [&] { west.door.stand_still(); }, [&] { west.door.open(); }},
        {"wrong credentials",
         [&] {
             west.sshd.admit_nobody();
             west.door.open();  // sessions that there were are over
         },
         [&] { west.sshd.admit_user(); }},
    };
    int n = 0;
    const auto* scale = std::getenv("OCIM_SCALE");
    const bool full = scale && std::string_view(scale) == "full";
    for (const auto& row : rows) {
        if (n == 1 && !full) break;
        SCOPED_TRACE(row.reason);
        const auto name = "while" + std::to_string(++n);
        row.strike();
        ASSERT_TRUE(becomes("one", half)) << stands("one");
        put(name);
        ASSERT_TRUE(becomes(name, half)) << stands(name);
        EXPECT_TRUE(east.serves(name));
        EXPECT_TRUE(running.stands("LoadBalancer", "", "lb").starts_with("True ")) << "it can be worked with";
        if (n == 1) {
            running.server.remove("LoadBalancerFragment", "campus", "leaves");
            EXPECT_TRUE(running.until([&] { return !std::filesystem::exists(east.file("leaves")); }, limit));
            EXPECT_NE(stands("leaves"), "gone") << "unknown is not gone";
        }
        row.mend();
        ASSERT_TRUE(becomes(name, well)) << stands(name);
        EXPECT_TRUE(west.serves(name));
        ASSERT_TRUE(becomes("one", well)) << stands("one");
        EXPECT_TRUE(running.until([&] { return stands("leaves") == "gone"; }, limit));
        EXPECT_FALSE(std::filesystem::exists(west.file("leaves")));
    }
}

}  // namespace
}  // namespace ocim::loadbalancing
