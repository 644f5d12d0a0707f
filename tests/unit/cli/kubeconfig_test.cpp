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

TEST_F(KubeconfigTest, RefusesWhatWouldMakeUsSomebodyElse) {
    const struct {
        const char* what;
        const char* with;
        const char* expected;
    } cases[] = {
        {"client-certificate-data: Y2VydA==", "exec: {command: aws}",
         "/config has a user with exec, which is not supported: make a token or a client certificate instead, such as "
         "by "
         "kubectl create token"},
        {"client-certificate-data: Y2VydA==", "auth-provider: {name: gcp}",
         "/config has a user with auth-provider, which is not supported: use a token or a client certificate"},
        {"client-certificate-data: Y2VydA==", "username: me, password: pass",
         "/config has a user with username, which is not supported: use a token or a client certificate"},
        {"client-certificate-data: Y2VydA==", "client-certificate-data: Y2VydA==, as: other",
         "/config has a user with as, which is not supported: use the credentials of whom you want to be"},
        {"certificate-authority: ca.pem", "insecure-skip-tls-verify: true",
         "/config says insecure-skip-tls-verify, which is not supported: give certificate-authority-data"},
        {"certificate-authority: ca.pem", "certificate-authority: ca.pem, proxy-url: 'http://proxy'",
         "/config has a cluster with proxy-url, which is not supported: reach the server directly"},
        {"https://", "http://", "/config names the server http://127.0.0.1:7443, which is not https"},
    };
    for (const auto& c : cases) EXPECT_EQ(refusal(good, c.what, c.with), c.expected);
}

TEST_F(KubeconfigTest, ATokensFileIsReadEachTime) {
    std::string text = good;
    const std::string who = "client-certificate-data: Y2VydA==, client-key-data: a2V5";
    text.replace(text.find(who), who.size(), "tokenFile: token, token: older");
    std::ofstream(folder + "/config") << text;
    for (const auto* token : {"first", "second"}) {
        std::ofstream(folder + "/token") << token << "\n";
        const auto read = read_kubeconfig(folder + "/config");
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(read->token.reveal(), token);
    }
}

TEST_F(KubeconfigTest, APodHasItsFiles) {
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    EXPECT_NE(read_pod_access(folder).error().message.find("give --kubeconfig FILE"), std::string::npos);
    ::setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    EXPECT_NE(read_pod_access(folder).error().message.find("automountServiceAccountToken"), std::string::npos);
    std::ofstream(folder + "/token") << "of-the-pod";
    std::ofstream(folder + "/ca.crt") << "authority";
    std::ofstream(folder + "/namespace") << "ocim-system";
    const auto read = read_pod_access(folder);
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->server, "https://[fd00::1]:443");
    EXPECT_EQ(read->token.reveal(), "of-the-pod");
    EXPECT_EQ(read->ca_certificate, "authority");
    EXPECT_EQ(read->namespace_, "ocim-system");
}

}  // namespace
