#pragma once

#include "mail/relay.hpp"
#include "net/http_client.hpp"
#include "simulation/judge.hpp"
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
        faulty_ = faulty_ || faults.late_landing + faults.lost_reply > 0;
        github_.faults = relay_.faults = faults;
    }
    void set_down(bool down) override { github_.down = relay_.down = down; }
    int actions() override { return github_.calls["action"] + relay_.calls["action"]; }
    std::vector<std::string> broken_laws(Program& program) override;

private:
    using GitHub = test::SimWorld<std::string, api::Json>;  // by "comments/ID", "statuses/ID", "pull"

    void register_feeds(runtime::Manager& manager);
    void register_mail(runtime::Manager& manager);
    net::HttpReply answer(GitHub::Map& things, const net::HttpRequest& request);
    net::HttpReply change(GitHub::Map& things, const net::HttpRequest& request);
    std::vector<api::Json> all(const std::string& sort);
    api::json::object& pull();
    std::string wall() const;
    void judge_mail(Judge& judge, Program& program);

    Universe& universe_;
    GitHub github_;
    test::SimWorld<mail::Key, mail::Thing> relay_;                  // what the program knows that it has taken
    std::map<mail::Key, std::map<std::string, unsigned>> mailbox_;  // what it has taken: how often, by Message-ID
    bool faulty_ = false;                                           // answers were lost in this life
    int last_id_ = 0;
};

}  // namespace ocim::simulation
