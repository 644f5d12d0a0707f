#include "cli/kubeconfig.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace ocim::cli;

namespace {

namespace fs = std::filesystem;

constexpr auto good = R"(
current-context: second
contexts:
- {name: first, context: {cluster: nowhere, user: nobody}}
- {name: second, context: {cluster: here, user: me, namespace: campus}}
clusters:
- {name: here, cluster: {server: "https://127.0.0.1:7443/", certificate-authority: ca.pem}}
users:
- {name: me, user: {client-certificate-data: Y2VydA==, client-key-data: a2V5}}
)";

class KubeconfigTest : public testing::Test {
protected:
    KubeconfigTest() {
        std::string name = (fs::temp_directory_path() / "ocim-kubeconfig-XXXXXX").string();
        folder = ::mkdtemp(name.data());
        std::ofstream(folder + "/ca.pem") << "authority";
    }
    ~KubeconfigTest() override { fs::remove_all(folder); }

    std::string refusal(std::string text, const std::string& what, const std::string& with) {
        if (!what.empty()) text.replace(text.find(what), what.size(), with);
        std::ofstream(folder + "/config") << text;
        const auto read = read_kubeconfig(folder + "/config");
        return read ? "" : read.error().message.substr(folder.size());
    }
    std::string folder;
};

TEST_F(KubeconfigTest, SaysWhatTheCurrentContextSays) {
    std::ofstream(folder + "/config") << good;
    const auto read = read_kubeconfig(folder + "/config");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->server, "https://127.0.0.1:7443");
    EXPECT_EQ(read->ca_certificate, "authority") << "a file beside it";
    EXPECT_EQ(read->certificate, "cert") << "data in it";
    EXPECT_EQ(read->private_key.reveal(), "key");
    EXPECT_EQ(read->namespace_, "campus");
}

TEST_F(KubeconfigTest, NamesWhatIsMissing) {
    const struct {
        const char* what;
        const char* with;
        const char* expected;
    } cases[] = {{"current-context: second", "", "/config has no current-context"},
                 {"current-context: second", "current-context: third", "/config has no context \"third\""},
                 {"cluster: here", "cluster: there", "/config has no cluster \"there\""},
                 {"user: me", "user: you", "/config has no user \"you\""},
                 {"a2V5", "\"*\"", "/config has client-key-data that is not base64"},
                 {"client-certificate-data: Y2VydA==, ", "",
                  "/config has neither client-certificate-data nor a token for its user"}};
    EXPECT_EQ(refusal(good, "", ""), "");
    for (const auto& c : cases) EXPECT_EQ(refusal(good, c.what, c.with), c.expected);
    EXPECT_EQ(read_kubeconfig(folder + "/none").error().message.substr(folder.size()),
              "/none is not there or empty; give --kubeconfig FILE or set KUBECONFIG");
}

}  // namespace
