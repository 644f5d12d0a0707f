#include "gitops/known_hosts.hpp"

#include <gtest/gtest.h>

namespace ocim::gitops {
namespace {

using Keys = std::vector<std::string>;

const std::string ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIpsD9iSq/+w3aCQ5ciMLC8dYGfuXTjXIZXItGs9arxW";
const std::string ecdsa =
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBC936aMJag8vmkpCUCsQfruQdwPNcF8qUJEXomamTi6"
    "z2cOzzxrctRMFO9DcRN7MqzVMQTZqnfGUqV9PEcfTGzg=";
const std::string rsa =
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCiwqCyzYGqQn1h/JWa3rEJb82ARpqtNYwbq1BsATztJ0oQg2C8MKVqoNN/xgmF3q1a7t8kQruYpQo"
    "2madMNusDrJdapNR2c0LQeks/DAFQjdGbq7HGoYwKVpwwNR1iLXIcTCH5StJDlgps14caU0T8l5/z7dsgrYjOxcmvoE1QMQ==";
// as ssh-keygen -H made them of "git.example.com" and "[git.example.com]:2222"
const std::string hashed = "|1|mJeZ1ELfReqdjpM4W55T3vRG1Io=|p7TSFI1BkI8IFYPasv4lNK65Mzw= ";
const std::string hashed_port = "|1|M5244RTQiuBbDtcG+QNjdzylkUY=|yExq9xCm+zQpSW9Buznm9FsX6SM= ";

std::string line(const std::string& hosts, const std::string& key) { return hosts + " " + key + "\n"; }

TEST(KnownHosts, GiveTheKeysOfThatHostAndPort) {
    const struct {
        const char* reason;
        std::string file, host;
        std::uint16_t port;
        Keys keys;
    } cases[] = {
        {"another host's line, comments and what is no line are passed over",
         "# ada\n\nnothing\n" + line("other.example.com", rsa) + line("git.example.com,192.0.2.1", ed25519 + " ada"),
         "git.example.com",
         22,
         {ed25519}},
        {"an address counts as a name does", line("git.example.com,192.0.2.1", ed25519), "192.0.2.1", 22, {ed25519}},
        {"several of several types, each once",
         line("git.example.com", rsa) + line("git.example.com", ed25519) + line("*", rsa),
         "git.example.com",
         22,
         {rsa, ed25519}},
        {"names have no case", line("Git.Example.com", rsa), "GIT.example.COM", 22, {rsa}},
        {"a port has a key of its own",
         line("git.example.com", rsa) + line("[git.example.com]:2222", ed25519),
         "git.example.com",
         2222,
         {ed25519}},
        {"which is none of the usual port",
         line("git.example.com", rsa) + line("[git.example.com]:2222", ed25519),
         "git.example.com",
         22,
         {rsa}},
        {"a port that no line names has the host's key, as for ssh",
         line("git.example.com", rsa),
         "git.example.com",
         2222,
         {rsa}},
        {"an address of IPv6", line("::1", rsa), "::1", 22, {rsa}},
        {"with a port", line("[::1]:2222", rsa), "::1", 2222, {rsa}},
        {"hashed", line("x", rsa) + hashed + ed25519 + "\n", "git.example.com", 22, {ed25519}},
        {"hashed with a port", hashed + ed25519 + "\n" + hashed_port + ecdsa, "git.example.com", 2222, {ecdsa}},
        {"wildcards", line("*.example.???", rsa), "git.example.com", 22, {rsa}},
        {"a negation takes the line away",
         line("*.example.com,!git.example.com", rsa) + line("git.*", ed25519),
         "git.example.com",
         22,
         {ed25519}},
        {"and nothing else", line("!www.example.com,*.example.com", rsa), "git.example.com", 22, {rsa}},
        {"a revoked key is passed over",
         line("git.example.com", rsa) + line("@revoked *", rsa) + line("git.example.com", ed25519),
         "git.example.com",
         22,
         {ed25519}},
        {"also where it stands under the bare name",
         line("@revoked git.example.com", rsa) + line("[git.example.com]:2222", rsa) +
             line("[git.example.com]:2222", ecdsa),
         "git.example.com",
         2222,
         {ecdsa}},
        {"what another host revoked counts",
         line("@revoked www.example.com", rsa) + line("git.example.com", rsa),
         "git.example.com",
         22,
         {rsa}},
        {"an authority beside a key",
         line("@cert-authority *.example.com", rsa) + line("git.example.com", ecdsa),
         "git.example.com",
         22,
         {ecdsa}},
        {"a key that was cut says nothing",
         line("git.example.com", "ssh-ed25519 AAAA") + line("git.example.com", rsa) +
             line("git.example.com", "ssh-rsa " + ed25519.substr(12)),
         "git.example.com",
         22,
         {rsa}},
        {"lines of DOS", "git.example.com " + rsa + "\r\n", "git.example.com", 22, {rsa}},
    };
    for (const auto& c : cases) {
        const auto keys = keys_of_host(c.file, c.host, c.port);
        EXPECT_EQ(keys ? *keys : Keys{keys.error().message}, c.keys) << c.reason;
    }
}

TEST(KnownHosts, SayWhyThereIsNoKey) {
    const struct {
        const char* reason;
        std::string file;
        std::uint16_t port;
        const char* says;
    } cases[] = {
        {"only another host's", line("git.example.org", rsa), 22, "has no key of git.example.com; add the line"},
        {"a name that begins alike", line("git.example.co,git.example.comm,git", rsa), 22, "has no key of"},
        {"a dot is no wildcard", line("gitxexample.com", rsa), 22, "has no key of"},
        {"only a negation", line("!git.example.com", rsa) + line("!www.example.com", rsa), 22, "has no key of"},
        {"hashed, of another host", "|1|mJeZ1ELfReqdjpM4W55T3vRG1Io=|AAAA " + rsa, 22, "has no key of"},
        {"broken hashes", "|1| " + rsa + "\n|1|a|b " + rsa + "\n|1|||| " + rsa, 22, "has no key of"},
        {"of another port", line("[git.example.com]:2200", rsa), 2222, "ssh-keyscan -p 2222 git.example.com prints"},
        {"all revoked", line("git.example.com", rsa) + line("@revoked *", rsa), 22, "revokes every key"},
        {"only an authority", line("@cert-authority *.example.com", rsa), 22, "@cert-authority"},
        {"a marker that is unknown", line("@other git.example.com", rsa), 22, "has no key of"},
        {"larger than anybody needs", std::string(200'000, '#'), 22, "is larger than"},
    };
    for (const auto& c : cases) {
        const auto keys = keys_of_host(c.file, "git.example.com", c.port);
        ASSERT_FALSE(keys) << c.reason;
        EXPECT_EQ(keys.error().error_class, ErrorClass::invalid) << c.reason;
        EXPECT_NE(keys.error().message.find(c.says), std::string::npos) << c.reason << ": " << keys.error().message;
    }
}

}  // namespace
}  // namespace ocim::gitops
