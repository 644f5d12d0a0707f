#include "monitoring/dns_check.hpp"

#include "base/utf8.hpp"

#include <ldns/ldns.h>
#include <algorithm>
#include <cstdlib>
#include <memory>

namespace ocim::monitoring {

namespace {

constexpr std::size_t shown_max = 300;  // of what a server answers

template <auto free_it>
struct Free {
    template <class T>
    void operator()(T* thing) const {
        free_it(thing);
    }
};
using Packet = std::unique_ptr<ldns_pkt, Free<ldns_pkt_free>>;
using Record = std::unique_ptr<ldns_rr, Free<ldns_rr_free>>;
using Text = std::unique_ptr<char, Free<std::free>>;
using Bytes = std::unique_ptr<std::uint8_t, Free<std::free>>;

/// Null when it is none.
Packet packet_of(std::string_view message) {
    ldns_pkt* made = nullptr;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(message.data());
    if (ldns_wire2pkt(&made, bytes, message.size()) != LDNS_STATUS_OK) return nullptr;
    return Packet(made);
}

/// The strings of a TXT record as one.
std::string text_of(const ldns_rr* record) {
    std::string out;
    for (std::size_t i = 0; i < ldns_rr_rd_count(record); ++i) {
        const auto* part = ldns_rr_rdf(record, i);
        if (ldns_rdf_size(part) > 1)
            out.append(reinterpret_cast<const char*>(ldns_rdf_data(part)) + 1, ldns_rdf_size(part) - 1);
    }
    return out;
}

std::string value_of(ldns_rr* record) {
    if (ldns_rr_get_type(record) == LDNS_RR_TYPE_TXT) return text_of(record);
    ldns_rr2canonical(record);
    std::string out;
    for (std::size_t i = 0; i < ldns_rr_rd_count(record); ++i) {
        const Text text(ldns_rdf2str(ldns_rr_rdf(record, i)));
        if (text) out += (out.empty() ? "" : " ") + std::string(text.get());
    }
    return out;
}

/// Whether it is an answer to this question and no other.
bool answers(const ldns_pkt* packet, const DnsCheck& check) {
    if (!ldns_pkt_qr(packet)) return false;
    const auto* asked = ldns_pkt_question(packet);
    // some do not repeat a question that they refuse
    if (!asked || ldns_rr_list_rr_count(asked) == 0) return ldns_pkt_get_rcode(packet) != LDNS_RCODE_NOERROR;
    if (ldns_rr_list_rr_count(asked) != 1) return false;
    const auto* question = ldns_rr_list_rr(asked, 0);
    const std::unique_ptr<ldns_rdf, Free<ldns_rdf_deep_free>> name(ldns_dname_new_frm_str(check.name.c_str()));
    return name && ldns_dname_compare(ldns_rr_owner(question), name.get()) == 0 &&
           ldns_rr_get_type(question) == ldns_get_rr_type_by_name(check.type.c_str());
}

std::vector<std::string> values_of(const ldns_pkt* packet, ldns_rr_type type) {
    std::vector<std::string> out;
    const auto* list = ldns_pkt_answer(packet);
    for (std::size_t i = 0; list && i < ldns_rr_list_rr_count(list); ++i) {
        auto* record = ldns_rr_list_rr(list, i);
        if (ldns_rr_get_type(record) == type) out.push_back(value_of(record));
    }
    std::ranges::sort(out);
    return out;
}

std::string shown(const std::vector<std::string>& values) {
    std::string out;
    for (const auto& value : values) out += (out.empty() ? "" : ", ") + value;
    return one_line(out, shown_max);
}

}  // namespace

Result<std::string> dns_question(const DnsCheck& check, unsigned id) {
    ldns_pkt* made = nullptr;
    const auto type = ldns_get_rr_type_by_name(check.type.c_str());
    const std::uint16_t flags = check.recursion ? LDNS_RD : 0;
    if (const auto status = ldns_pkt_query_new_frm_str(&made, check.name.c_str(), type, LDNS_RR_CLASS_IN, flags);
        status != LDNS_STATUS_OK)
        return Error{ErrorClass::invalid, std::string("cannot be asked for: ") + ldns_get_errorstr_by_id(status)};
    const Packet packet(made);
    ldns_pkt_set_id(made, static_cast<std::uint16_t>(id));
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    const auto status = ldns_pkt2wire(&bytes, made, &size);
    const Bytes owned(bytes);
    if (status != LDNS_STATUS_OK)
        return Error{ErrorClass::invalid, std::string("cannot be asked for: ") + ldns_get_errorstr_by_id(status)};
    return std::string(reinterpret_cast<const char*>(bytes), size);
}

bool is_truncated(std::string_view answer) {
    const auto packet = packet_of(answer);
    // the record that was cut in two makes the whole unreadable at some servers
    if (!packet) return answer.size() > 2 && (static_cast<unsigned char>(answer[2]) & 0x02U) != 0;
    return ldns_pkt_tc(packet.get());
}

std::string wrong_with_answer(const DnsCheck& check, std::string_view answer) {
    const auto packet = packet_of(answer);
    if (!packet || !answers(packet.get(), check)) return "what answers is not a name server";
    const auto number = ldns_pkt_get_rcode(packet.get());
    const Text name(ldns_pkt_rcode2str(number));
    const auto rcode = name ? std::string(name.get()) : std::to_string(number);
    if (rcode != check.rcode) return "answers " + rcode + ", expected " + check.rcode;
    if (check.rcode != "NOERROR") return {};
    const auto values = values_of(packet.get(), ldns_get_rr_type_by_name(check.type.c_str()));
    if (values.empty()) return "answers no " + check.type + " record";
    if (!check.values.empty() && values != check.values)
        return "answers " + shown(values) + ", expected " + shown(check.values);
    if (!std::ranges::includes(values, check.contains))
        return "answers " + shown(values) + ", expected " + shown(check.contains) + " among it";
    return {};
}

Result<std::string> canonical_dns_value(const std::string& type, const std::string& value) {
    if (type == "TXT") return value;
    const auto line = ". 0 IN " + type + " " + value;
    ldns_rr* made = nullptr;
    const auto status = ldns_rr_new_frm_str(&made, line.c_str(), 0, nullptr, nullptr);
    const Record record(made);
    if (status != LDNS_STATUS_OK || !record)
        return Error{ErrorClass::invalid, "is not the value of a record of type " + type};
    return value_of(made);
}

}  // namespace ocim::monitoring
