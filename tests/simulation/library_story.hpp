#pragma once

#include "simulation/judge.hpp"
#include "simulation/story.hpp"
#include "support/library_kinds.hpp"

namespace ocim::simulation {

/// Libraries with their books, and DNS records that people make by hand: small, so that many lives can be lived.
class LibraryStory final : public Story {
public:
    explicit LibraryStory(Universe& universe) : universe_(universe) {}

    std::vector<api::Json> definitions() override;
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
    int actions() override { return zone_.calls["action"] + shelf_.calls["action"]; }
    std::vector<std::string> broken_laws(Program& program) override;

private:
    api::Json record(const std::string& name);
    api::Json library(const std::string& name);
    void with_a_record(Program& program);
    void with_a_library(Program& program);
    void abandons_something(Program& program);
    void judge_library(Judge& judge, const api::Json& library, const std::vector<api::Json>& books);

    Universe& universe_;
    int ghosts_ = 0;  // things of ours that were left without an object
    test::SimWorld<dns::Key, dns::RecordSet> zone_;
    test::SimWorld<std::string, test::Volume> shelf_;
};

}  // namespace ocim::simulation
