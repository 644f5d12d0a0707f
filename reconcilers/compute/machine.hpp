#pragma once

#include "compute/cloud.hpp"

namespace ocim::compute {

/// VirtualMachine, decided. Pure: no I/O, no clock, no throw.
struct Machines {
    using Backend = crd::Cloud;
    using Object = crd::VirtualMachine;
    using Key = compute::Key;
    using Thing = Machine;
    using Action = compute::Action;
    static constexpr std::string_view name = "virtualmachine";

    static std::string backend_name(const Object& object);
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::GeneratedSecret> generates(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    static std::optional<Duration> going(const Object& object, const std::string& installation, const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen);
    static std::optional<std::string> concerns(const Key& key, const Snapshot& seen);
    static std::vector<Action> sweep(const Key& key, const Snapshot& seen);
    static Key key(const Action& action);
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<System>> open(const Backend& backend, const runtime::Inputs& inputs,
                                                const runtime::Services& services);
    /// The same where this host makes no machines. Error: invalid for a Cloud that asks for some.
    static Result<std::unique_ptr<System>> open_elsewhere(const Backend& backend, const runtime::Inputs& inputs,
                                                          const runtime::Services& services);
};

/// What the machine of `object` is called in its cloud: "<name>-<start of the uid>", a host name of 63 at most.
Key key_of(const crd::VirtualMachine& object);

}  // namespace ocim::compute
