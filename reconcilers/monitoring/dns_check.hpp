#pragma once

#include "base/result.hpp"
#include "monitoring/watch.hpp"

#include <string>
#include <string_view>

/// A question to a name server and what is made of its answer. Pure.
namespace ocim::monitoring {

/// The question on the wire. Error: invalid.
Result<std::string> dns_question(const DnsCheck& check, unsigned id);

/// Whether a server left something out because a datagram is short.
bool is_truncated(std::string_view answer);

/// "" when the answer is what is expected, else what is wrong with it, in words that stay the same as long as it does.
std::string wrong_with_answer(const DnsCheck& check, std::string_view answer);

/// One form of a value, however it is written: of TXT the text without quotes. Error: invalid.
Result<std::string> canonical_dns_value(const std::string& type, const std::string& value);

}  // namespace ocim::monitoring
