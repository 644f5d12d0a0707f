#include "support/faults.hpp"
#include "runtime/base64.hpp"
#include "storage/register.hpp"
#include "support/object_stores.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <string_view>

/// What StorageContainers say and do when their store is in trouble.
namespace ocim::storage {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class StoreFaults : public ocim::test::FaultTest {
protected:
    explicit StoreFaults(std::uint16_t port) : FaultTest(register_kinds), front(port) {}
    void TearDown() override { running.stop(); }

    void put_store(const std::string& name, const std::string& provider) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'ObjectStore','metadata':{'name':'" + name +
                 "'},'spec':{" + provider + ",'credentialsRef':{'name':'" + name + "'}}}"));
    }
    void set_secret(const std::string& name, const std::string& key, const std::string& value) {
        running.server.merge("Secret", "ocim-system", name,
                             "{\"data\":{\"" + key + "\":\"" + runtime::base64(value) + "\"}}");
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'StorageContainer','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'storeRef':{'name':'" + backend + "'},'container':'campus-" + name + "'}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("StorageContainer", "campus", name); }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            set_secret("struck", secret_key, "wrong");
        else
            show(front, fault, ocim::test::http_garbage(fault));
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            set_secret("struck", secret_key, right);
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    std::string secret_key, right;
    ocim::test::Door front;
};

struct HasS3 {
    ocim::test::S3Service service;
};
class S3Faults : HasS3, public StoreFaults {
protected:
    S3Faults() : StoreFaults(HasS3::service.port) {
        secret_key = "secretKey";
        right = "our/secret+key";
        const auto at = [](const std::string& url) { return "'s3':{'endpoint':'" + url + "','region':'eu-test-1'}"; };
        for (const std::string name : {"struck", "well"}) {
            running.put_secret("ocim-system", name, "accessKey", runtime::base64("AKIAOURS"));
            set_secret(name, secret_key, right);
            put_store(name, at(name == "struck" ? front.url() : "http://127.0.0.1:" + std::to_string(service.port)));
        }
    }
};

struct HasSwift {
    ocim::test::SwiftAccount service;
};
class SwiftFaults : HasSwift, public StoreFaults {
protected:
    SwiftFaults() : StoreFaults(HasSwift::service.port) {
        secret_key = "password";
        right = "testing";
        const auto at = [](const std::string& url) {
            return "'swift':{'authVersion':'V1','authURL':'" + url + "/auth/v1.0'}";
        };
        for (const std::string name : {"struck", "well"}) {
            running.put_secret("ocim-system", name, "username", runtime::base64(service.user()));
            set_secret(name, secret_key, right);
            put_store(name, at(name == "struck" ? front.url() : "http://127.0.0.1:" + std::to_string(service.port)));
        }
    }
};

TEST_P(S3Faults, AreSaidBoundedAndOverByThemselves) { suffers(usual_reasons(GetParam())); }
TEST_P(SwiftFaults, AreSaidBoundedAndOverByThemselves) { suffers(usual_reasons(GetParam())); }

/// Of what both suffer alike one shows the most; at full scale both suffer all of it.
auto chosen(std::vector<Fault> few) {
    const std::vector all{Fault::down,           Fault::slow,     Fault::refuses_credentials,
                          Fault::wrong_protocol, Fault::html,     Fault::truncated_json,
                          Fault::cut_off,        Fault::huge_body};
    const auto* scale = std::getenv("OCIM_SCALE");
    return testing::ValuesIn(scale && scale == std::string_view("full") ? all : few);
}
INSTANTIATE_TEST_SUITE_P(S3, S3Faults,
                         chosen({Fault::down, Fault::slow, Fault::refuses_credentials, Fault::truncated_json}),
                         ocim::test::fault_name);
INSTANTIATE_TEST_SUITE_P(Swift, SwiftFaults, chosen({Fault::down, Fault::slow, Fault::refuses_credentials}),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::storage
