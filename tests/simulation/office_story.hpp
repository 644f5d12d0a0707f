#pragma once

#include "net/http_client.hpp"
#include "simulation/postbox.hpp"
#include "simulation/story.hpp"

#include <map>
#include <memory>
#include <string>

namespace ocim::simulation {

/// What people are told: a PullRequestWatch with its feed on a simulated GitHub, and Notifications through a simulated
/// relay. Instances are only declared here.
class OfficeStory final : public Story {
public:
    explicit OfficeStory(Universe& universe);

    std::vector<api::Json> definitions() override { return real_definitions(); }
    void register_kinds(runtime::Manager& manager) override;
    const std::vector<api::Kind>& kinds() override;
    void prepare(Program& program) override;
    void somebody_acts(Program& program) override;
    void stranger_acts(const std::string& installation) override;
    void declare_one(Program& program) override;
    bool one_is_ready(Program& program) override;
    void delete_one(Program& program) override;
    std::vector<std::string> remains_of_one(Program& program) override;
    void set_faults(test::Faults faults) override {
        postbox_.set_faults(faults);
        github_.faults = faults;
    }
    void set_down(bool down) override { github_.down = postbox_.relay().down = down; }
    int actions() override { return github_.calls["action"] + postbox_.relay().calls["action"]; }
    std::vector<std::string> broken_laws(Program& program) override;

private:
    using GitHub = test::SimWorld<std::string, api::Json>;  // by "comments/ID", "statuses/ID", "pull"

    void register_feeds(runtime::Manager& manager);
    net::HttpReply answer(GitHub::Map& things, const net::HttpRequest& request);
    net::HttpReply change(GitHub::Map& things, const net::HttpRequest& request);
    std::vector<api::Json> all(const std::string& sort);
    api::json::object& pull();
    std::string wall() const;

    Universe& universe_;
    GitHub github_;
    Postbox postbox_{universe_};
    int last_id_ = 0;
};

}  // namespace ocim::simulation
