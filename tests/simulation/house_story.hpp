#pragma once

#include "database/server.hpp"
#include "loadbalancing/balancer.hpp"
#include "messaging/broker.hpp"
#include "monitoring/watch.hpp"
#include "openedx/run.hpp"
#include "simulation/grounds.hpp"
#include "simulation/story.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ocim::simulation {

/// The whole product: sites, with every real reconciler, each on a simulated backend.
class HouseStory : public Story {
public:
    HouseStory(Universe& universe, std::unique_ptr<Grounds> grounds)
        : universe_(universe), grounds_(std::move(grounds)) {}

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
    void set_faults(test::Faults faults) override;
    void set_down(bool down) override;
    int actions() override;
    std::vector<std::string> broken_laws(Program& program) override;

protected:
    Universe& universe() { return universe_; }
    Grounds& grounds() { return *grounds_; }
    test::SimWorld<monitoring::Key, monitoring::Thing>& watch() { return watch_; }
    /// Whether a playbook that is begun now will fail.
    virtual bool run_fails(const openedx::RunAction& action);
    /// What a probe finds.
    virtual monitoring::Outcome probed(const monitoring::Key& key);
    static api::Json site(const std::string& name, const char* policy);
    /// Nobody takes databases and users away behind a site's back: whoever is refused, it is our doing.
    virtual bool undisturbed() const { return false; }

private:
    using Runs = test::SimWorld<std::string, openedx::Run>;

    void register_runs(runtime::Manager& manager);
    void register_data(runtime::Manager& manager);
    void register_traffic(runtime::Manager& manager);
    Runs& runs_on(const crd::VirtualMachine& machine);

    /// Playbooks that run now, on machines that are there.
    std::size_t running();

    void with_a_child(Program& program);
    void meddles_with_ours(const std::string& installation);
    void brings_his_own(const std::string& installation);

    /// What a machine logs in with, to the databases or to the broker.
    struct Login {
        std::string user;
        Secret password;
        bool broker = false;
    };
    void note_logins(const std::string& machine, const openedx::RunAction& action);
    static bool lets_in(const database::Snapshot& things, const Login& login);
    static bool lets_in(const messaging::Snapshot& things, const Login& login);
    template <class Things>
    std::set<std::string> let_in(const Things& things);
    void compare(const std::set<std::string>& before, const std::set<std::string>& after, const std::string& what);
    void judge_logins(Judge& judge);

    void judge_external(Judge& judge, Program& program);
    void judge_sites(Judge& judge, Program& program);
    void judge_site(Judge& judge, Program& program, const api::Json& site);
    void judge_serving(Judge& judge, const api::Json& site);
    void judge_data(Judge& judge, Program& program, const std::string& name);
    std::string address_of(const std::string& appserver);

    /// So many sites there is room for in the databases; in every third life for one only.
    std::size_t room() const { return universe_.seed % 3 == 0 ? 1 : 100; }
    void count_sites(const database::Snapshot& things);

    static constexpr std::size_t runs_max = 1;  ///< at a time

    Universe& universe_;
    std::vector<std::string> too_many_;  ///< runs that began when none might, sites where no room was
    std::unique_ptr<Grounds> grounds_;
    std::map<std::string, Runs> runs_;  // by machine
    std::map<std::string, std::vector<Login>> logins_;
    std::vector<std::string> refused_;  ///< machines that we have shut out
    test::SimWorld<dns::Key, dns::RecordSet> zone_;
    test::SimWorld<database::Key, database::Thing> database_;
    test::SimWorld<messaging::Key, messaging::Thing> broker_;
    test::SimWorld<loadbalancing::Key, loadbalancing::Thing> balancer_;
    test::SimWorld<monitoring::Key, monitoring::Thing> watch_;
};

}  // namespace ocim::simulation
