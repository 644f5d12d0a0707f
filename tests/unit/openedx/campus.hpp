#pragma once

#include "crd/appservers.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "openedx/instance.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ocim::openedx::test {

using api::Json;

/// A campus with everything that one Instance "demo" needs: its class, a backend of each sort, and what the runtime
/// keeps for it. A test changes what it is about, lets the runtime's part happen (visit), and looks.
///
/// It does to children what the runtime does: applies what is wanted, draws secrets, prunes what a complete
/// composition no longer names, stores the status with its conditions. What is applied is Ready at once unless
/// `unready` holds its kind.
class Campus {
public:
    Campus();

    crd::Instance instance;
    crd::InstanceClass of_class;
    std::vector<Json> others;          ///< further inputs: backends, Secrets, AppServers of people
    std::vector<Json> children;        ///< as stored
    std::vector<std::string> unready;  ///< kinds whose objects are not Ready
    WallTime now;

    using Composition = runtime::Composition<crd::Instance>;
    /// What the decision says as things are.
    Composition compose() const;
    /// One visit; what it said.
    Composition visit();
    /// Visits until nothing changes any more; what the last one said.
    Composition settle();
    /// Settled, its first AppServer running and in rotation.
    static Campus serving();
    /// kubectl delete.
    void remove();
    /// One of the same name is made, now, after the former is gone.
    void live_again(crd::Instance::Spec::DeletionPolicy policy);

    runtime::Inputs inputs() const;
    Json* child(const std::string& kind, const std::string& name);
    Json* other(const std::string& kind, const std::string& name);
    /// Names of the children of a kind, sorted.
    std::vector<std::string> names(const std::string& kind) const;
    /// The machine of an AppServer, a child or one of `others`, is made and its playbook ended: with `phase`.
    void appserver(const std::string& name, const std::string& phase, const std::string& message = "");
    /// The load balancer did what its fragment says.
    void balance();
    /// An AppServer that a person applies.
    Json& persons_appserver(const std::string& name, bool active);

private:
    Json* find(std::vector<Json>& in, const std::string& kind, const std::string& name);
    void store(const runtime::Child& child);
    void set_ready(Json& object) const;
};

/// A backend of a kind that exists in `Campus::others`, Ready.
Json backend(const std::string& kind, const std::string& name, const std::string& spec);
Json secret(const std::string& namespace_, const std::string& name, const std::map<std::string, std::string>& data);
void set_condition(Json& object, const std::string& type, const std::string& status, const std::string& reason,
                   const std::string& message = "", const std::string& since = "");
/// "Warning AppServerFailed" for each note.
std::vector<std::string> told(const Campus::Composition& composition);
const runtime::Finding* finding(const Campus::Composition& composition, const std::string& type);

}  // namespace ocim::openedx::test
