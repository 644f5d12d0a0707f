#include "dns/message.hpp"

#include "dns/values.hpp"

#include <ldns/ldns.h>
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

namespace ocim::dns {

namespace {

constexpr std::size_t head_bytes = 12;
constexpr int jumps_max = 32;  // of compressed names

template <auto free_it>
struct Free {
    template <class T>
    void operator()(T* thing) const {
        free_it(thing);
    }
};
using Record = std::unique_ptr<ldns_rr, Free<ldns_rr_free>>;
using Text = std::unique_ptr<char, Free<std::free>>;
using Bytes = std::unique_ptr<std::uint8_t, Free<std::free>>;

Error not_dns() { return Error{ErrorClass::unreachable, "what answers is not a name server: its answer is malformed"}; }

Result<std::string> wire_of(const ldns_rr* record) {
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    const auto status = ldns_rr2wire(&bytes, record, LDNS_SECTION_ANSWER, &size);
    const Bytes owned(bytes);
    if (status != LDNS_STATUS_OK) return Error{ErrorClass::invalid, ldns_get_errorstr_by_id(status)};
    return std::string(reinterpret_cast<const char*>(bytes), size);
}

}  // namespace

std::string be16(unsigned number) { return {static_cast<char>(number >> 8 & 0xff), static_cast<char>(number & 0xff)}; }

std::string wire_name(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const auto dot = std::min(name.find('.'), name.size());
        out += static_cast<char>(dot);
        out += name.substr(0, dot);
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return out + '\0';
}

unsigned WireReader::byte() {
    if (at_ >= wire_.size()) {
        good_ = false;
        return 0;
    }
    return static_cast<unsigned char>(wire_[at_++]);
}

unsigned WireReader::number16() {
    const unsigned high = byte();
    return high << 8 | byte();
}

std::string WireReader::bytes(std::size_t count) {
    if (count > wire_.size() - std::min(at_, wire_.size())) {
        good_ = false;
        return {};
    }
    at_ += count;
    return std::string(wire_.substr(at_ - count, count));
}

std::string WireReader::name() {
    std::string out;
    std::optional<std::size_t> back;
    for (int jumps = 0; good_;) {
        const unsigned length = byte();
        if (length == 0) break;
        if (length >= 0xc0) {
            const auto to = (length & 0x3f) << 8 | byte();
            if (!back) back = at_;
            if (++jumps > jumps_max) good_ = false;
            at_ = to;
            continue;
        }
        if (length > 63 || out.size() > 255) good_ = false;
        out += (out.empty() ? "" : ".") + bytes(length);
    }
    if (back) at_ = *back;
    return canonical_name(out);
}

unsigned id_of(std::string_view message) { return WireReader(message).number16(); }
unsigned rcode_of(std::string_view message) { return WireReader(message, 2).number16() & 0xf; }
bool is_answer_to(std::string_view message, unsigned id, unsigned opcode) {
    const unsigned flags = WireReader(message, 2).number16();
    return message.size() >= head_bytes && id_of(message) == id && flags >> 15 == 1 && (flags >> 11 & 0xf) == opcode;
}
bool is_authoritative(std::string_view message) { return (WireReader(message, 2).number16() & 0x0400) != 0; }
unsigned count_of(std::string_view message, unsigned section) {
    return WireReader(message, 4 + 2 * static_cast<std::size_t>(section)).number16();
}
void set_count(std::string& message, unsigned section, unsigned count) {
    message.replace(4 + 2 * static_cast<std::size_t>(section), 2, be16(count));
}

std::optional<Layout> layout_of(std::string_view message) {
    if (message.size() < head_bytes) return std::nullopt;
    WireReader reader(message, head_bytes);
    for (unsigned i = count_of(message, 0); i > 0 && reader.good(); --i) {
        (void)reader.name();
        (void)reader.bytes(4);
    }
    Layout out;
    out.answers_at = reader.at();
    const unsigned answers = count_of(message, 1);
    const unsigned all = answers + count_of(message, 2) + count_of(message, 3);
    for (; out.records < all && reader.good(); ++out.records) {
        out.last.begin = reader.at();
        out.last.name = reader.name();
        out.last.type = reader.number16();
        out.last.record_class = reader.number16();
        out.last.ttl_high = reader.number16();
        out.last.ttl_low = reader.number16();
        out.last.length = reader.number16();
        out.last.rdata = reader.at();
        (void)reader.bytes(out.last.length);
        if (out.records == 0 && answers > 0) out.first_answer = out.last.type;
        if (out.records < answers) out.last_answer = out.last.type;
    }
    if (!reader.good() || !reader.at_end()) return std::nullopt;
    return out;
}

std::string question(unsigned id, unsigned opcode, std::string_view name, unsigned type) {
    return be16(id) + be16(opcode << 11) + be16(1) + be16(0) + be16(0) + be16(0) + wire_name(name) + be16(type) +
           be16(class_in);
}

Result<std::string> wire_record(const Key& key, unsigned record_class, std::uint32_t ttl, const std::string& content) {
    const auto line = key.name + ". " + std::to_string(ttl) + " IN " + key.type + " " + content;
    ldns_rr* made = nullptr;
    const auto status = ldns_rr_new_frm_str(&made, line.c_str(), ttl, nullptr, nullptr);
    const Record record(made);
    if (status != LDNS_STATUS_OK || !record)
        return Error{ErrorClass::invalid,
                     key.type + " " + key.name + " cannot be written: " + ldns_get_errorstr_by_id(status)};
    ldns_rr_set_class(made, static_cast<ldns_rr_class>(record_class));
    ldns_rr_set_ttl(made, ttl);
    return wire_of(made);
}

Result<std::string> wire_empty(const Key& key, unsigned record_class) {
    const auto type = key.type == "ANY" ? type_any : static_cast<unsigned>(ldns_get_rr_type_by_name(key.type.c_str()));
    if (type == 0) return Error{ErrorClass::invalid, "the type " + key.type + " is unknown"};
    return wire_name(key.name) + be16(type) + be16(record_class) + be16(0) + be16(0) + be16(0);
}

Result<std::vector<Answer>> answers_of(std::string_view message) {
    const auto layout = layout_of(message);
    if (!layout) return not_dns();
    std::vector<Answer> out;
    auto at = layout->answers_at;
    for (unsigned i = count_of(message, 1); i > 0; --i) {
        ldns_rr* made = nullptr;
        const auto status = ldns_wire2rr(&made, reinterpret_cast<const std::uint8_t*>(message.data()), message.size(),
                                         &at, LDNS_SECTION_ANSWER);
        const Record record(made);
        if (status != LDNS_STATUS_OK || !record) return not_dns();
        const Text name(ldns_rdf2str(ldns_rr_owner(made))), type(ldns_rr_type2str(ldns_rr_get_type(made)));
        if (!name || !type) return not_dns();
        Answer answer{{canonical_name(name.get()), type.get()}, ldns_rr_ttl(made), {}};
        for (std::size_t part = 0; part < ldns_rr_rd_count(made); ++part) {
            const Text text(ldns_rdf2str(ldns_rr_rdf(made, part)));
            if (!text) return not_dns();
            answer.content += (part == 0 ? "" : " ") + std::string(text.get());
        }
        out.push_back(std::move(answer));
    }
    return out;
}

}  // namespace ocim::dns
