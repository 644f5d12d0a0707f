#include "runtime/conditions.hpp"

#include "base/utf8.hpp"

#include <algorithm>

namespace ocim::runtime {

namespace {

/// As the CRDs bound it; Kubernetes' own limit.
constexpr std::size_t message_bytes_max = 32'768;

class Conditions {
public:
    Conditions(const Json& object, WallTime now) : object_(object), now_(rfc3339(now)) {
        const auto* generation = api::find(object, {"metadata", "generation"});
        if (generation && generation->is_number()) generation_ = generation->to_number<std::int64_t>();
    }

    void add(const std::string& type, const std::string& status, const std::string& reason,
             const std::string& message) {
        const auto* before = condition(object_, type);
        const bool same = before && api::find_text(*before, {"status"}) == status;
        const auto since = same ? api::find_text(*before, {"lastTransitionTime"}) : std::string_view();
        api::json::object out;
        out["type"] = type;
        out["status"] = status;
        out["observedGeneration"] = generation_;
        out["lastTransitionTime"] = since.empty() ? std::string_view(now_) : since;
        out["reason"] = reason.empty() ? type : reason;
        out["message"] = valid_utf8(message, message_bytes_max);
        items_.push_back(std::move(out));
    }
    /// As it was, or unknown.
    void keep(const std::string& type, const std::string& reason) {
        if (const auto* before = condition(object_, type))
            items_.push_back(*before);
        else
            add(type, "Unknown", reason, "");
    }

    api::json::array take() { return std::move(items_); }
    std::int64_t generation() const { return generation_; }

private:
    const Json& object_;
    std::string now_;
    std::int64_t generation_ = 0;
    api::json::array items_;
};

void add_main(Conditions& out, const Verdict& verdict) {
    switch (verdict.state) {
        case Verdict::State::ready:
            out.add("Ready", "True", verdict.reason == "Progressing" ? "Ready" : verdict.reason, verdict.message);
            return;
        case Verdict::State::progressing:
            out.add("Ready", "False", verdict.reason, verdict.message);
            out.add("Reconciling", "True", verdict.reason, verdict.message);
            return;
        case Verdict::State::stalled:
            out.add("Ready", "False", verdict.reason, verdict.message);
            out.add("Stalled", "True", verdict.reason, verdict.message);
            return;
    }
}

/// What the kind itself said last time.
api::json::object own_part(const Json& object) {
    const auto* status = api::find(object, {"status"});
    if (!status || !status->is_object()) return {};
    auto out = status->get_object();
    out.erase("conditions");
    out.erase("observedGeneration");
    // what is let go on the strength of it is what stood there under that spec
    if (!tells_of_spec(object)) out.erase("retained");
    return out;
}

std::int64_t number_at(const Json& object, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(object, path);
    return found && found->is_number() ? found->to_number<std::int64_t>() : -1;
}

/// Each wanted item is there, wherever.
bool covers_anywhere(const api::json::array& current, const api::json::array& desired) {
    return std::ranges::all_of(desired, [&](const Json& want) {
        return std::ranges::any_of(current, [&](const Json& have) { return covers(have, want); });
    });
}

/// The same items in the same order; each may have fields more, which the server's defaults put there.
bool covers_items(const api::json::array& current, const api::json::array& desired) {
    return std::ranges::equal(current, desired, [](const Json& have, const Json& want) { return covers(have, want); });
}

}  // namespace

Json whole_status(const Json& object, const Standing& standing, WallTime now) {
    Conditions conditions(object, now);
    if (standing.paused) {
        conditions.keep("Ready", "Paused");
        conditions.add("Paused", "True", "Paused", standing.verdict.message);
    } else {
        add_main(conditions, standing.verdict);
    }
    for (const auto& finding : standing.findings)
        conditions.add(finding.type, finding.status, finding.reason, finding.message);

    auto status = standing.status.is_object() ? standing.status.get_object() : own_part(object);
    status["conditions"] = conditions.take();
    status["observedGeneration"] = conditions.generation();
    return status;
}

bool tells_of_spec(const Json& object) {
    const auto generation = number_at(object, {"metadata", "generation"});
    const auto observed = number_at(object, {"status", "observedGeneration"});
    if (generation < 0 || observed < 0) return false;
    const bool deleting = !api::find_text(object, {"metadata", "deletionTimestamp"}).empty();
    return observed == generation || (deleting && observed + 1 == generation);
}

bool covers(const Json& current, const Json& desired) {
    if (current.is_number() && desired.is_number())
        return current == desired || current.to_number<double>() == desired.to_number<double>();
    if (current.is_array() && desired.is_array()) return covers_items(current.get_array(), desired.get_array());
    if (!desired.is_object() || !current.is_object()) return current == desired;
    const auto& have = current.get_object();
    return std::ranges::all_of(desired.get_object(), [&](const auto& want) {
        const auto* field = have.if_contains(want.key());
        // an empty object says nothing, so its absence is the same
        if (!field) return want.value().is_null() || (want.value().is_object() && want.value().get_object().empty());
        const bool by_key = want.key() == "conditions" || want.key() == "ownerReferences";
        if (by_key && field->is_array() && want.value().is_array())
            return covers_anywhere(field->get_array(), want.value().get_array());
        return covers(*field, want.value());
    });
}

const Json* condition(const Json& object, std::string_view type) {
    const auto* conditions = api::find(object, {"status", "conditions"});
    if (!conditions || !conditions->is_array()) return nullptr;
    for (const auto& item : conditions->get_array())
        if (api::find_text(item, {"type"}) == type) return &item;
    return nullptr;
}

bool is_ready(const Json& object) {
    const auto* ready = condition(object, "Ready");
    return ready && api::find_text(*ready, {"status"}) == "True";
}

}  // namespace ocim::runtime
