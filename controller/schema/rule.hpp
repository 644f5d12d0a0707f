#pragma once

#include "schema/cel_syntax.hpp"

namespace ocim::schema {

/// One of x-kubernetes-validations, compiled.
class Rule {
public:
    /// `uncorrelatable`: where above, if anywhere, a list or map has no identity across updates, so that a rule
    /// below cannot speak of oldSelf.
    static Result<std::unique_ptr<const Rule>> compile(const Json& source, const Node& self, const std::string& path,
                                                       const std::string& uncorrelatable);

    /// What is wrong with `value`, if anything. `old` is null when there was none.
    std::optional<Cause> check(const Node& self, const Json& value, const Json* old, const std::string& path,
                               cel::Budget& budget) const;

private:
    Result<void> read(const Json& source, const std::string& path);
    Result<void> bind(const Node& self, const std::string& path, const std::string& uncorrelatable);
    Cause cause(const std::string& path, const Json& value, std::string why) const;
    std::string detail(const cel::Scope& scope, cel::Budget& budget) const;

    std::string text_, message_, message_text_, reason_, field_path_;
    cel::Expression rule_;
    std::optional<cel::Expression> message_expression_;
    bool uses_old_self_ = false, optional_old_self_ = false;
};

/// Compiles the rules of a schema and all below.
Result<void> compile_rules(Node& root, const std::string& path);
/// Runs them. What an object may cost is bounded; beyond it a cause says so and no more rules run.
std::vector<Cause> check_rules(const Node& root, const Json& value, const Json* old);

}  // namespace ocim::schema
