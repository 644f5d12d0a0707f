#include "crd/storagecontainers.hpp"
#include "openedx/instance.hpp"
#include "runtime/base64.hpp"
#include "runtime/composite.hpp"
#include "storage/register.hpp"
#include "support/object_stores.hpp"
#include "support/running.hpp"
#include "unit/openedx/campus.hpp"

#include <gtest/gtest.h>

/// The files of a whole site: Instance, StorageContainer, container, Secret, variables.
namespace ocim::storage {
namespace {

using ocim::test::json;
using openedx::test::Campus;
using Mode = crd::InstanceClass::Spec::Storage::Mode;

/// The runtime with Instances and what concerns storage; for their databases and broker others answer.
class SiteFiles : public testing::Test {
protected:
    ~SiteFiles() override { running.stop(); }

    void begin(Campus campus, const std::string& provider, const std::map<std::string, std::string>& account,
               const std::map<std::string, std::string>& sites, const char* policy) {
        campus.of_class.spec.storage.mode = Mode::object_store;
        running.server.put(api::encode_object(campus.of_class));
        for (const auto& backend : campus.others) running.server.put(backend);
        running.server.put(openedx::test::secret("ocim-system", "account", account));
        running.server.put(openedx::test::secret("ocim-system", "sites", sites));
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'ObjectStore','metadata':{"
                 "'name':'store1'},'spec':{" +
                 provider + ",'credentialsRef':{'name':'account'},'tenantCredentialsRef':{'name':'sites'}}}"));
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Instance','metadata':{"
                 "'namespace':'campus','name':'demo'},'spec':{'className':'sandbox','subdomain':'demo',"
                 "'deletionPolicy':'" +
                 std::string(policy) + "'}}"));
        running.start();
        ASSERT_TRUE(running.until(
            [this] {
                answer_for_others();
                return running.server.get("AppServer", "campus", "demo-1") != nullptr;
            },
            std::chrono::seconds(100)))
            << running.stands("Instance", "campus", "demo") << ", "
            << running.stands("StorageContainer", "campus", "demo-storage");
        EXPECT_EQ(running.stands("StorageContainer", "campus", "demo-storage"), "True InSync");
    }
    void answer_for_others() {
        for (const std::string kind : {"DatabaseTenant", "RabbitMQVhost"})
            for (const auto& object : running.server.all(kind)) {
                const std::string name(api::find_text(object, {"metadata", "name"}));
                if (running.stands(kind, "campus", name).starts_with("True")) continue;
                running.server.merge(kind, "campus", name,
                                     R"({"status":{"observedGeneration":)" +
                                         api::to_text(object.at("metadata").at("generation")) +
                                         R"(,"conditions":[{"type":"Ready","status":"True","reason":"InSync"}]}})");
            }
    }
    std::string container() const {
        const auto* made = running.server.get("StorageContainer", "campus", "demo-storage");
        return made ? std::string(api::find_text(*made, {"spec", "container"})) : "";
    }
    std::string secret(const char* name, const char* key) const {
        const auto* made = running.server.get("Secret", "campus", name);
        return made ? runtime::from_base64(api::find_text(*made, {"data", key})).value_or("") : "";
    }
    void expect_line(const char* key, const std::string& line) const {
        const auto text = secret("demo-configuration", key);
        EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
    }
    void delete_site() {
        running.server.remove("Instance", "campus", "demo");
        ASSERT_TRUE(running.until([this] { return !running.server.get("Instance", "campus", "demo"); },
                                  std::chrono::seconds(100)));
        EXPECT_FALSE(running.server.get("StorageContainer", "campus", "demo-storage"));
    }

    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, [](runtime::Manager& manager) {
                                    runtime::add_composite<openedx::Instances>(manager);
                                    register_kinds(manager);
                                }};
};

class SiteFilesAtS3 : public SiteFiles {
protected:
    void begin(Campus campus, const char* policy) {
        SiteFiles::begin(std::move(campus), "'s3':{'endpoint':'" + url() + "','region':'eu-test-1'}",
                         {{"accessKey", "AKIAOURS"}, {"secretKey", "our/secret+key"}},
                         {{"accessKey", "AKIASITES"}, {"secretKey", "sites' key"}}, policy);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(service.port); }
    ocim::test::S3Service service;
};

TEST_F(SiteFilesAtS3, AreInABucketThatItsVariablesName) {
    begin(Campus(), "Delete");
    EXPECT_EQ(service.of(container(), "owner"), "\"AKIAOURS\"");
    EXPECT_EQ(secret("demo-storage", "container"), container());
    EXPECT_EQ(secret("demo-storage", "secretKey"), "sites' key");
    expect_line("variables.yml", R"("EDXAPP_AWS_ACCESS_KEY_ID": !unsafe "AKIASITES")");
    expect_line("variables.yml", R"("EDXAPP_GRADE_BUCKET": ")" + container() + "\"");
    expect_line("variables.yml", R"("AWS_S3_ENDPOINT_URL": ")" + url() + "\"");
    (void)service.order("{'set':{'" + container() + "':{'versions':[['upload','v1',false]]}}}");
    const auto bucket = container();
    delete_site();
    EXPECT_EQ(service.of(bucket, "owner"), "") << "deletionPolicy Delete takes all that is in it";
    EXPECT_EQ(service.violations(), "[]");
}

TEST_F(SiteFilesAtS3, AreToldToTutorToo) {
    Campus campus;
    campus.of_class.spec.tutor.emplace().plugins = {"s3"};
    begin(std::move(campus), "Retain");
    expect_line("config.yml", R"("S3_STORAGE_BUCKET":")" + container() + "\"");
    expect_line("config.yml", R"("OPENEDX_AWS_SECRET_ACCESS_KEY":"sites' key")");
    expect_line("config.yml", R"("S3_PORT":")" + std::to_string(service.port) + "\"");
    const auto bucket = container();
    delete_site();
    EXPECT_NE(service.of(bucket, "tags").find("ocim-retained"), std::string::npos) << "its files stay";
}

TEST_F(SiteFiles, AreInAContainerOfSwiftThatItsVariablesName) {
    const ocim::test::SwiftAccount account;
    const auto url = "http://127.0.0.1:" + std::to_string(account.port) + "/auth/v1.0";
    const std::map<std::string, std::string> keys{{"username", account.user()}, {"password", "testing"}};
    begin(Campus(), "'swift':{'authVersion':'V1','authURL':'" + url + "'}", keys, keys, "Delete");
    EXPECT_TRUE(account.call("HEAD", "/" + container()).starts_with("HTTP/1.1 204"));
    ASSERT_TRUE(account.call("PUT", "/" + container() + "/upload", {}, "a file").starts_with("HTTP/1.1 201"));
    expect_line("variables.yml", R"("EDXAPP_SWIFT_AUTH_URL": ")" + url + "\"");
    expect_line("variables.yml", R"("EDXAPP_FILE_UPLOAD_STORAGE_BUCKET_NAME": ")" + container() + "\"");
    EXPECT_TRUE(account.call_as_anybody("GET", "/" + container() + "/upload").starts_with("HTTP/1.1 200"))
        << "the addresses of files are not signed";
    const auto name = container();
    delete_site();
    EXPECT_TRUE(account.call("HEAD", "/" + name).starts_with("HTTP/1.1 404"));
}

}  // namespace
}  // namespace ocim::storage
