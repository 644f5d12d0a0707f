#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ocim::runtime {

/// Says in the outside world whose a thing is. Every external thing of ours carries one, in whatever the system
/// has for it: a comment, a tag, a TXT record, a row of our own.
struct Mark {
    std::string installation;    ///< one controller's id, [a-z0-9-]{1,32}
    std::string namespace_name;  ///< "namespace/name" of the object
    std::string uid;
    bool retained = false;  ///< the object is gone on purpose, the thing stays: never an orphan, never swept

    /// "i=prod o=default/demo u=4f1c…" with " retained" at the end when it is; printable ASCII without quotes.
    std::string text() const;
    /// Nothing when `text` is not a mark of this form.
    static std::optional<Mark> parse(std::string_view text);
    bool operator==(const Mark&) const = default;
};

/// Whose a thing is, as seen by one object.
enum class Ownership {
    ours,     ///< this object's own, or one that it takes over: retained by a former object of the same name
    foreign,  ///< no mark, another installation's, or another object's
};
/// `found` is the mark on the thing, if it has any; `self` what we would write.
Ownership ownership(const std::optional<Mark>& found, const Mark& self);

/// Whether an object may make a thing its own: it is, or its adoptionPolicy is Adopt and the thing is nobody's or a
/// former object's of the same name.
bool takeable(const std::optional<Mark>& found, const Mark& self, bool adopt);

}  // namespace ocim::runtime
