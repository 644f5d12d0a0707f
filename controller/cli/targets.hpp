#pragma once

#include "cli/served_kinds.hpp"

#include <string>
#include <vector>

namespace ocim::cli {

/// What was asked for by words: a kind with names, or without: all of it.
struct Target {
    const ServedKind* kind = nullptr;
    std::vector<std::string> names;
};
/// KIND, KIND,KIND, KIND NAME..., KIND/NAME...: as kubectl reads them.
Answer<std::vector<Target>> parse_targets(ServedKinds& kinds, const std::vector<std::string>& words);

/// One object, there or not.
struct Named {
    const ServedKind* kind = nullptr;
    std::string namespace_, name;

    std::string target() const { return kind->target(namespace_, name); }
    std::string text() const { return kind->named(name); }
};

/// Where to look: -n, else the context's namespace; "" for all with -A.
std::string namespace_of(const Arguments& arguments, const Connection& server);
/// The namespace of a manifest's object; it is written into it where it says none.
Answer<Named> place(ServedKinds& kinds, api::Json& object, const std::string& namespace_);

/// The objects that a command is about: of -f, of words with names, or with --selector or --all of a kind. Nothing at
/// all is refused.
Answer<std::vector<Named>> select(Connection& server, ServedKinds& kinds, const Arguments& arguments);

/// Every object of a kind, page by page; `namespace_` empty: of all namespaces.
Answer<std::vector<api::Json>> list(Connection& server, const ServedKind& kind, const std::string& namespace_,
                                    const std::string& selector = "");
/// Of every object of a kind, in all namespaces, what it is called, whose it is and so on: without the rest.
Answer<std::vector<api::Json>> list_metadata(Connection& server, const ServedKind& kind);

}  // namespace ocim::cli
