#pragma once

#include "api/apply.hpp"
#include "api/json.hpp"
#include "api/status.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::schema {

/// A structural schema, compiled once. Immutable; cheap to copy.
class Schema {
public:
    /// Compiles an `openAPIV3Schema`. Errors (invalid) name the path below `path` and the reason: not structural,
    /// an unknown keyword, a bad pattern, a default that does not validate, a CEL rule outside our subset.
    static Result<Schema> compile(const api::Json& open_api, const std::string& path);

    /// Fills in defaults, drops nulls where a default stands or the field is not nullable.
    void apply_defaults(api::Json& object) const;
    /// Removes fields that are not declared and returns their paths ("spec.bogus", "spec.ports[0].zz").
    /// apiVersion, kind and metadata at the root are always kept.
    std::vector<std::string> prune(api::Json& object) const;
    /// All that is wrong with `object`. `old` is the stored object on an update (for oldSelf), else null.
    std::vector<api::Cause> validate(const api::Json& object, const api::Json* old) const;

    /// How objects of this schema merge: at the root an object with apiVersion, kind and typed metadata.
    const api::TypeNode& type() const;
    /// The OpenAPI it was compiled from, as JSON: it is asked for seldom, and a text is much smaller.
    const std::string& open_api() const;

    /// Calls `visit` with each text in a declared field: the field's name, its format, and the text, to be changed.
    using TextVisitor = std::function<void(std::string_view name, std::string_view format, api::Json& text)>;
    void for_each_text(api::Json& object, const TextVisitor& visit) const;

private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_;  // shared by copies: immutable
};

}  // namespace ocim::schema
