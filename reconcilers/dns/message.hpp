#pragma once

#include "base/result.hpp"
#include "dns/zone.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Messages of DNS as they are on the wire (RFC 1035, 2136). The records in them are ldns' business. Pure.
namespace ocim::dns {

inline constexpr unsigned type_soa = 6, type_tsig = 250, type_axfr = 252, type_any = 255;
inline constexpr unsigned class_in = 1, class_none = 254, class_any = 255;
inline constexpr unsigned opcode_query = 0, opcode_update = 5;

std::string be16(unsigned number);
/// A canonical name; not compressed.
std::string wire_name(std::string_view name);

/// Reads what a stranger sent: what is beyond the end is 0 or "", and good() is false from then on.
class WireReader {
public:
    explicit WireReader(std::string_view wire, std::size_t at = 0) : wire_(wire), at_(at) {}
    unsigned number16();
    std::string bytes(std::size_t count);
    /// Canonical, in presentation form; follows compression.
    std::string name();
    std::size_t at() const { return at_; }
    bool good() const { return good_; }
    bool at_end() const { return at_ == wire_.size(); }

private:
    unsigned byte();
    std::string_view wire_;
    std::size_t at_;
    bool good_ = true;
};

// of the head; 0 when there is none
unsigned id_of(std::string_view message);
unsigned rcode_of(std::string_view message);
bool is_answer_to(std::string_view message, unsigned id, unsigned opcode);
bool is_authoritative(std::string_view message);
/// Sections: 0 question or zone, 1 answer or prerequisite, 2 authority or update, 3 additional.
unsigned count_of(std::string_view message, unsigned section);
void set_count(std::string& message, unsigned section, unsigned count);

/// Where things are in a message.
struct Layout {
    struct Place {
        std::string name;
        unsigned type = 0, record_class = 0, ttl_high = 0, ttl_low = 0;
        std::size_t begin = 0, rdata = 0, length = 0;
    };
    unsigned records = 0;       ///< in all sections but the first
    Place last;                 ///< of all records
    unsigned first_answer = 0;  ///< the type
    unsigned last_answer = 0;   ///< the type
    std::size_t answers_at = 0;
};
/// Nothing when it is no whole message.
std::optional<Layout> layout_of(std::string_view message);

/// A question about `name`, or the head of an update of the zone `name`.
std::string question(unsigned id, unsigned opcode, std::string_view name, unsigned type);

/// A record as it goes out. `content` is in presentation form. Error: invalid.
Result<std::string> wire_record(const Key& key, unsigned record_class, std::uint32_t ttl, const std::string& content);
/// One without content: of a whole record set, or with type ANY of all at a name.
Result<std::string> wire_empty(const Key& key, unsigned record_class);

/// A record as it came.
struct Answer {
    Key key;
    std::int64_t ttl = 0;
    std::string content;  ///< presentation form
};
/// All of the answer section. Error: unreachable.
Result<std::vector<Answer>> answers_of(std::string_view message);

}  // namespace ocim::dns
