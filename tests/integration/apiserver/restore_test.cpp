#include "support/postgresql.hpp"
#include "support/powerdns.hpp"
#include "support/service.hpp"

#include <gtest/gtest.h>
#include <filesystem>
#include <memory>

/// The program's own commands: everything saved while a server runs, brought back, and carried to another place. The
/// world is a real PowerDNS.
namespace ocim::test {
namespace {

namespace fs = std::filesystem;

const std::string program = OCIM_BINARY_DIR "/ocim";

class Server {
public:
    Server(std::string directory, std::vector<std::string> more = {}) : data_(std::move(directory)) {
        std::vector<std::string> command{program,
                                         "serve",
                                         "--data-dir",
                                         data_,
                                         "--listen",
                                         "127.0.0.1:" + std::to_string(free_port()),
                                         "--metrics-listen",
                                         "127.0.0.1:" + std::to_string(free_port())};
        command.insert(command.end(), more.begin(), more.end());
        service_ = std::make_unique<Service>(Service::Settings{
            .command = std::move(command), .log = log_.file("log"), .environment = {}, .stop_signal = SIGTERM});
        service_->wait_until([this] { return read_file(log_.file("log")).find("ocim is ready") != std::string::npos; });
    }
    Ran kubectl(std::vector<std::string> words, const std::string& input = {}) const {
        words.insert(words.begin(), {OCIM_SOURCE_DIR "/.deps/kubectl/kubectl", "--kubeconfig", data_ + "/kubeconfig"});
        return run_program(std::move(words), input);
    }
    std::string installation() const {
        return kubectl({"get", "configmap", "ocim-installation", "-n", "ocim-system", "-o", "jsonpath={.data.id}"})
            .output;
    }
    /// Within a few seconds, among its metrics.
    bool shows(const std::string& line) const {
        return wait_for(
            [&] { return kubectl({"get", "--raw", "/metrics"}).output.find("\n" + line + "\n") != std::string::npos; },
            std::chrono::seconds(20));
    }
    void declare(const std::string& name, const std::string& address) const {
        const auto made = kubectl({"apply", "-f", "-"},
                                  "apiVersion: ocim.opencraft.com/v1alpha1\nkind: DNSRecord\nmetadata: {name: " + name +
                                      ", namespace: default}\nspec: {zoneRef: {name: zone}, name: " + name +
                                      ".example.test, type: A, values: [" + address + "]}\n");
        EXPECT_EQ(made.exit_code, 0) << made.output;
    }

private:
    TempDir log_;
    std::string data_;
    std::unique_ptr<Service> service_;
};

class Restored : public testing::Test {
protected:
    void declare_zone(const Server& server) const {
        const auto made = server.kubectl(
            {"apply", "-f", "-"},
            "apiVersion: v1\nkind: Secret\nmetadata: {name: powerdns, namespace: ocim-system}\nstringData: {apiKey: " +
                dns_.api_key +
                "}\n---\napiVersion: ocim.opencraft.com/v1alpha1\nkind: DNSZone\nmetadata: {name: zone}\n" +
                "spec: {domain: example.test, powerdns: {url: '" + dns_.url() +
                "'}, credentialsRef: {name: powerdns}, driftInterval: 10s}\n");
        ASSERT_EQ(made.exit_code, 0) << made.output;
    }
    bool serves(const std::string& name, const std::string& address) const {
        return wait_for([&] { return dns_.dig(name + ".example.test", "A") == address; }, std::chrono::seconds(60));
    }
    std::string directory(const std::string& name) const { return folder_.file(name); }
    static Ran ocim(std::vector<std::string> words) {
        words.insert(words.begin(), program);
        return run_program(std::move(words));
    }
    /// A directory with the keys of another.
    std::string like(const std::string& name, const std::string& other) const {
        fs::create_directories(directory(name));
        fs::permissions(directory(name), fs::perms::owner_all);
        fs::copy_file(other + "/encryption-keys", directory(name) + "/encryption-keys");
        return directory(name);
    }

    PowerDnsService dns_{"example.test"};
    TempDir folder_;
};

TEST_F(Restored, AServerChangesNothingInTheWorldUntilItIsResumed) {
    const auto first = directory("first");
    std::string id;
    {
        const Server server(first);
        declare_zone(server);
        server.declare("kept", "192.0.2.1");
        server.declare("removed", "192.0.2.2");
        ASSERT_TRUE(serves("kept", "192.0.2.1\n"));
        ASSERT_TRUE(serves("removed", "192.0.2.2\n"));
        id = server.installation();
        const auto saved = ocim({"backup", "--from", "sqlite:" + first + "/ocim.db", "--to", directory("backup.db")});
        ASSERT_EQ(saved.exit_code, 0) << saved.output;
        EXPECT_EQ(read_file(directory("backup.db")).find(dns_.api_key), std::string::npos);
        EXPECT_EQ(server.kubectl({"delete", "dnsrecord", "removed"}).exit_code, 0);
        ASSERT_TRUE(serves("removed", ""));
    }
    const auto second = like("second", first);
    const auto restored = ocim({"restore", "--from", directory("backup.db"), "--to", "sqlite:" + second + "/ocim.db"});
    ASSERT_EQ(restored.exit_code, 0) << restored.output;
    {
        const Server server(second);
        EXPECT_EQ(server.installation(), id);
        // it has looked, wanted to act, and was held
        ASSERT_TRUE(wait_for(
            [&] {
                return server.kubectl({"get", "dnsrecord", "removed", "-o", "yaml"}).output.find("ocim resume --all") !=
                       std::string::npos;
            },
            std::chrono::seconds(60)))
            << server.kubectl({"get", "dnsrecord", "removed", "-o", "yaml"}).output;
        EXPECT_TRUE(server.shows("ocim_restored 1"));
        EXPECT_EQ(dns_.dig("removed.example.test", "A"), "");
        EXPECT_EQ(dns_.dig("kept.example.test", "A"), "192.0.2.1\n");
        const auto resumed = ocim({"resume", "--all", "--kubeconfig", second + "/kubeconfig"});
        EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
        EXPECT_TRUE(serves("removed", "192.0.2.2\n")) << "as it was declared then";
        EXPECT_TRUE(server.shows("ocim_restored 0"));
        EXPECT_NE(ocim({"resume", "--all", "--kubeconfig", second + "/kubeconfig"}).output.find("was not restored"),
                  std::string::npos);
    }
    const auto copy = like("copy", first);
    const auto copied =
        ocim({"restore", "--as-copy", "--from", directory("backup.db"), "--to", "sqlite:" + copy + "/ocim.db"});
    ASSERT_EQ(copied.exit_code, 0) << copied.output;
    const Server server(copy, {"--no-controllers"});
    EXPECT_NE(server.installation(), id);
    EXPECT_EQ(server.installation().size(), 10U);
}

TEST_F(Restored, EverythingIsCarriedToADatabaseAndServedFromThere) {
    PostgreSQL postgresql;
    postgresql.sql("CREATE ROLE ocim LOGIN PASSWORD 'hidden'");
    postgresql.sql("CREATE DATABASE ocim OWNER ocim");
    const auto first = directory("first");
    const auto url = "postgres://ocim@127.0.0.1:" + std::to_string(postgresql.port()) + "/ocim";
    write_file(directory("password"), "hidden\n");
    fs::permissions(directory("password"), fs::perms::owner_read);
    const auto migrate = [&](const std::string& from, const std::string& to) {
        return ocim({"migrate", "--from", from, "--to", to, "--store-password-file", directory("password")});
    };
    {
        const Server server(first);
        declare_zone(server);
        server.declare("www", "192.0.2.1");
        ASSERT_TRUE(serves("www", "192.0.2.1\n"));
        EXPECT_EQ(migrate("sqlite:" + first + "/ocim.db", url).exit_code, 1) << "a server runs on it";
    }
    const auto there = migrate("sqlite:" + first + "/ocim.db", url);
    ASSERT_EQ(there.exit_code, 0) << there.output;
    EXPECT_NE(there.output.find("never start a server there again"), std::string::npos) << there.output;
    EXPECT_THROW(Server(first, {"--store", url, "--store-password-file", directory("password")}), std::runtime_error)
        << "what is there would be left aside";
    fs::create_directory(directory("old"));
    for (const auto* ending : {"", "-wal", "-shm"})
        if (fs::exists(first + "/ocim.db" + ending))
            fs::rename(first + "/ocim.db" + ending, directory("old") + "/ocim.db" + ending);
    {
        const Server server(first, {"--store", url, "--store-password-file", directory("password")});
        server.declare("www", "192.0.2.7");
        EXPECT_TRUE(serves("www", "192.0.2.7\n"));
        const auto early = migrate(url, "sqlite:" + first + "/back.db");
        EXPECT_EQ(early.exit_code, 1) << "a server runs on it";
        const auto saved = ocim({"backup", "--from", url, "--store-password-file", directory("password"),
                                 "--encryption-key-file", first + "/encryption-keys", "--to", directory("backup.db")});
        EXPECT_EQ(saved.exit_code, 0) << saved.output;
    }
    const auto second = like("second", first);
    const auto back = migrate(url, "sqlite:" + second + "/ocim.db");
    ASSERT_EQ(back.exit_code, 0) << back.output;
    const Server server(second);
    EXPECT_EQ(server.kubectl({"get", "dnsrecord", "www", "-o", "jsonpath={.spec.values[0]}"}).output, "192.0.2.7");
    server.declare("www", "192.0.2.9");
    EXPECT_TRUE(serves("www", "192.0.2.9\n"));
}

}  // namespace
}  // namespace ocim::test
