#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ocim::storage {

/// An element of XML as S3 writes it: names without their prefixes, no attributes, text with its entities resolved.
struct Xml {
    std::string name, text;
    std::vector<Xml> children;

    const Xml* child(std::string_view wanted) const;
    /// The text of a child, "" when there is none.
    std::string of(std::string_view wanted) const;
};

/// Error: unreachable, when it is not a whole document or holds what S3 never writes (a DOCTYPE, elements nested too
/// deep): then it is somebody else who answers.
Result<Xml> parse_xml(std::string_view text);

/// Text for the inside of an element.
std::string xml_text(std::string_view text);

}  // namespace ocim::storage
