#pragma once

#include "integration/storage/visit.hpp"

namespace ocim::storage::test {

struct HasAccount {
    ocim::test::SwiftAccount server;
};

class SwiftStore : HasAccount, public StoreTest {
protected:
    SwiftStore() : StoreTest(HasAccount::server.port) {}
    using HasAccount::server;

    crd::ObjectStore declared() const override {
        crd::ObjectStore out;
        out.spec.swift.emplace().auth_url = front.url() + "/auth/v1.0";
        out.spec.swift->auth_version = crd::ObjectStore::Spec::Swift::AuthVersion::v1;
        return out;
    }
    std::map<std::string, std::string> credentials() const override {
        return {{"username", server.user()}, {"password", "testing"}};
    }
    static bool answers(const std::string& reply, const std::string& status) {
        return reply.starts_with("HTTP/1.1 " + status);
    }
    std::unique_ptr<Store> store = open();
    ocim::test::Visitor<Container> visit = visitor(*store);
};

}  // namespace ocim::storage::test
