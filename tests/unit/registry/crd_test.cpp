#include "crd/schemas.hpp"
#include "fixture.hpp"

namespace ocim::registry {
namespace {

TEST(OurDefinitions, AreAllAcceptedAndServed) {
    World world;
    for (const auto text_ : crd::schemas()) {
        const auto crd = json_of(std::string(text_));
        const auto name = text(crd, {"metadata", "name"});
        const auto installed = world.loop.run(world.registry().install(crd));
        EXPECT_TRUE(installed) << name << ": " << (installed ? "" : installed.error().message);
        EXPECT_NE(world.registry().resource_of_kind(text(crd, {"spec", "group"}), "v1alpha1",
                                                    text(crd, {"spec", "names", "kind"})),
                  nullptr)
            << name;
    }
    const auto revision = world.registry().revision();
    world.restart();
    for (const auto text_ : crd::schemas())
        EXPECT_TRUE(world.loop.run(world.registry().install(json_of(std::string(text_)))));
    EXPECT_EQ(world.registry().revision(), revision) << "a second start writes nothing";
}

}  // namespace
}  // namespace ocim::registry
