#pragma once

#include "database/register.hpp"
#include "runtime/base64.hpp"
#include "support/faults.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

/// What DatabaseTenants say and do when their server is in trouble, whichever it is: two DatabaseServers, "struck" by
/// way of a door and "well", each with an administrator of its name.
namespace ocim::database::test {

using ocim::test::Fault;
using ocim::test::json;

class TenantFaults : public ocim::test::FaultTest {
protected:
    /// `privilege`: what each tenant's user is granted on its database.
    TenantFaults(std::uint16_t port, std::string privilege)
        : FaultTest(register_kinds), port_(port), privilege_(std::move(privilege)), front(port) {}

    void SetUp() override {
        for (const std::string user : {"struck", "well"}) {
            make_administrator(user, "right");
            running.put_secret("ocim-system", user, "username", runtime::base64(user));
            running.server.merge("Secret", "ocim-system", user,
                                 R"({"data":{"password":")" + runtime::base64("right") + R"("}})");
            running.server.put(
                json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseServer','metadata':{'name':'" + user +
                     "'},'spec':{" + provider(user, user == "struck" ? front.port() : port_) +
                     ",'credentialsRef':{'name':'" + user + "'}}}"));
        }
        running.put_secret("campus", "passwords", "password", runtime::base64("a tenant's"));
    }

    virtual void make_administrator(const std::string& user, const std::string& password) = 0;
    /// Of the administrator "struck".
    virtual void change_password(const std::string& password) = 0;
    /// The member of the spec that says what the server called `name` is.
    virtual std::string provider(const std::string& name, std::uint16_t port) = 0;

    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseTenant','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'serverRef':{'name':'" + backend + "'},'databases':[{'name':'" + name +
                 "','characterSet':'utf8mb4'}],'users':[{'name':'" + name +
                 "','host':'%','passwordRef':{'name':'passwords','key':'password'},'grants':[{'database':'" + name +
                 "','privileges':['" + privilege_ + "']}]}]}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("DatabaseTenant", "campus", name); }
    void strike(Fault fault) override {
        if (fault != Fault::refuses_credentials) return show(front, fault, ocim::test::greeting_garbage(fault));
        change_password("another");
        front.open();  // sessions that there were are over, as after a restart of the server
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            change_password("right");
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    static bool at_full_scale() {
        const auto* scale = std::getenv("OCIM_SCALE");
        return scale && std::string_view(scale) == "full";
    }

private:
    std::uint16_t port_;
    std::string privilege_;

protected:
    ocim::test::Door front;
};

inline const auto every_fault = testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials,
                                                Fault::wrong_protocol, Fault::html, Fault::cut_off, Fault::huge_body);

}  // namespace ocim::database::test
