#pragma once

#include "base/random.hpp"
#include "runtime/base64.hpp"
#include "storage/container.hpp"
#include "support/contract.hpp"
#include "support/door.hpp"
#include "support/object_stores.hpp"
#include "support/running.hpp"
#include "unit/storage/sample.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <string_view>

namespace ocim::storage::test {

using ocim::test::json;

/// The second figure with OCIM_SCALE=full.
inline int scaled(int few, int all) {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && scale == std::string_view("full") ? all : few;
}

/// A store opened as the runtime opens it, and driven by hand. `front` is the door before the service.
class StoreTest : public testing::Test {
protected:
    using Spec = crd::StorageContainer::Spec;

    explicit StoreTest(std::uint16_t port) : front(port) {}

    virtual crd::ObjectStore declared() const = 0;
    virtual std::map<std::string, std::string> credentials() const = 0;

    runtime::Inputs inputs() const {
        runtime::Inputs out;
        out.installation = "lab";
        std::string data;
        for (const auto& [key, value] : given.empty() ? credentials() : given)
            data += (data.empty() ? "'" : ",'") + key + "':'" + runtime::base64(value) + "'";
        out.add(json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'key'},'data':{" +
                     data + "}}"));
        return out;
    }
    std::unique_ptr<Store> open() {
        auto object = declared();
        object.metadata.name = "store";
        object.spec.credentials_ref.name = "key";
        auto opened = Container::open(object, inputs(), services);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }
    ocim::test::Visitor<Container> visitor(Store& store) { return {loop, store, inputs()}; }

    static crd::StorageContainer full(int n) {
        auto out = container(n);
        out.spec.public_read = Spec::PublicRead::objects;
        auto& cors = out.spec.cors.emplace();
        cors.allowed_origins = {"https://studio.example.com", "https://site.example.com"};
        cors.expose_headers = {"ETag"};
        out.spec.versioning = true;
        return out;
    }
    static crd::StorageContainer adopting(crd::StorageContainer object) {
        object.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
        return object;
    }
    static crd::StorageContainer changed(crd::StorageContainer object) {
        object.spec.public_read = Spec::PublicRead::none;
        object.spec.cors.reset();
        object.spec.versioning = false;
        return object;
    }

    std::map<std::string, std::string> given;  ///< other credentials
    ocim::test::Door front;
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "lab", "", nullptr};
};

}  // namespace ocim::storage::test
