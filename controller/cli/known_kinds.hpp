#pragma once

#include "api/json.hpp"
#include "client/remote.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <vector>

namespace ocim::cli {

/// What the controllers of this program know about kinds, asked without running them.
class KnownKinds {
public:
    explicit KnownKinds(const client::Access& access);
    ~KnownKinds();
    KnownKinds(const KnownKinds&) = delete;
    KnownKinds& operator=(const KnownKinds&) = delete;

    /// What an object refers to by name, its backend first; empty for what is no kind of ours.
    std::vector<runtime::Reference> references(const api::Json& object) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim::cli
