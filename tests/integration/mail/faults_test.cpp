#include "mail/register.hpp"

#include "support/faults.hpp"
#include "support/mail.hpp"

#include <gtest/gtest.h>

/// What Notifications say when their relay is in trouble.
namespace ocim::mail {
namespace {

using ocim::test::Door;
using ocim::test::Fault;
using ocim::test::json;

class MailFaults : public ocim::test::FaultTest {
protected:
    MailFaults() : FaultTest(register_kinds) {
        for (const auto* service : {&struck_, &well_}) service->behave(R"({"user": "ocim", "password": "secret"})");
        running.put_secret("ocim-system", "smtp", "username", runtime_base64("ocim"));
        auto secret = *running.server.get("Secret", "ocim-system", "smtp");
        secret.as_object()["data"].as_object()["password"] = runtime_base64("secret");
        running.server.put(secret);
        put_authority("struck-ca", struck_);
        put_authority("well-ca", well_);
        put_relay("struck", door_.port());
        put_relay("well", well_.port);
    }
    void put_authority(const std::string& name, const ocim::test::MailService& service) {
        running.put_secret("ocim-system", name, "ca.crt", runtime_base64(service.authority()));
    }
    static std::string runtime_base64(const std::string& text);
    void put_relay(const std::string& name, std::uint16_t port) {
        running.server.put(json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MailRelay','metadata':{'name':'" +
                                name + "'},'spec':{'smtp':{'host':'127.0.0.1','port':" + std::to_string(port) +
                                ",'tls':{'caRef':{'name':'" + name +
                                "-ca'}},'credentialsRef':{'name':'smtp'}},'from':'ocim@example.org',"
                                "'limits':{'requestsPerSecond':100}}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Notification','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'mailRelayRef':{'name':'" + backend +
                 "'},'to':['ops@example.org'],'subject':'s','text':'t'}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("Notification", "campus", name); }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            struck_.behave(R"({"user": "ocim", "password": "changed"})");
        else
            show(door_, fault, ocim::test::greeting_garbage(fault));
    }
    void mend() override {
        struck_.behave(R"({"user": "ocim", "password": "secret"})");
        if (GetParam() != Fault::refuses_credentials) door_.open();
    }
    Door& door() override { return door_; }
    int calls() override { return door_.connections(); }

    ocim::test::MailService struck_{"starttls"}, well_{"starttls"};
    Door door_{struck_.port};
};

std::string MailFaults::runtime_base64(const std::string& text) {
    return ocim::test::run_program({"base64", "-w0"}, text).output;
}

TEST_P(MailFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(struck_.mails().size(), 31u) << "each once, whatever happened";
}

INSTANTIATE_TEST_SUITE_P(Mail, MailFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::mail
