#pragma once

#include "dns/rfc2136.hpp"

#include <map>
#include <string>
#include <vector>

/// What one says to a name server, and what is made of its answers; a part of rfc2136.cpp.
namespace ocim::dns {

inline constexpr unsigned rcode_format_error = 1, rcode_server_failure = 2, rcode_not_implemented = 4,
                          rcode_refused = 5, rcode_not_authoritative = 9, rcode_not_in_zone = 10;
/// Somebody changed what we had looked at: YXDOMAIN, YXRRSET, NXRRSET, NXDOMAIN.
bool is_prerequisite_failure(unsigned rcode);

/// A zone as it was transferred.
struct Transferred {
    Snapshot snapshot;
    /// The values as the server wrote them, marks and external-dns' registry too: what a prerequisite compares with.
    std::map<Key, std::vector<std::string>> raw;
};

class NameServer {
public:
    NameServer(const runtime::Services& services, Rfc2136Settings settings);

    /// The whole zone, whose serial is the same at both ends.
    awaitable<Result<Transferred>> transfer();
    /// Whether it serves the zone and takes our key.
    awaitable<Result<void>> probe();

    /// Prerequisites and changes, as records on the wire.
    struct Update {
        std::string prerequisites{}, changes{};
        unsigned prerequisite_count = 0, change_count = 0;
        std::size_t size() const { return prerequisites.size() + changes.size(); }
        void add(const Update& other);
    };
    /// One message, all or nothing. The value is the server's answer: 0, or one of those that concern what was sent.
    /// Errors concern the whole zone.
    awaitable<Result<unsigned>> update(Update update);

    static constexpr std::size_t update_bytes_max = 60'000;  // of 65535, less head, zone and signature

private:
    awaitable<Result<std::vector<std::string>>> exchange(unsigned opcode, unsigned id, std::string message,
                                                         bool transfer);
    awaitable<Result<std::vector<std::string>>> ask(unsigned opcode, std::string rest, unsigned type);
    Error refusal(unsigned rcode, const std::string& what) const;

    boost::asio::any_io_executor loop_;
    Clock& clock_;
    Random& random_;
    BlockingPool& blocking_;
    Rfc2136Settings settings_;
};

}  // namespace ocim::dns
