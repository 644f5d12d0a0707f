#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>

namespace ocim::mail {

struct Attachment {
    std::string name, text;
};

/// One mail as a person would describe it; all text is UTF-8, and may be a stranger's.
struct Message {
    std::string from, from_name, to, subject, text;
    std::optional<Attachment> attachment;
    WallTime date{};
    std::string id;  ///< "unique@domain": the same for the same mail, so that a second copy is known as one
};

/// The whole of it as it travels (RFC 5322, 2045, 2047): 7-bit, lines that end in CRLF and are short. Nothing of it can
/// become a header of its own. Error: invalid, for an address that is none.
Result<std::string> compose(const Message& message);

/// "Sun, 22 Nov 2026 21:13:31 +0000".
std::string mail_date(WallTime time);
/// Text of a header: as it is, or in encoded words, folded.
std::string header_text(std::string_view text);

}  // namespace ocim::mail
