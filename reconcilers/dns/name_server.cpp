#include "dns/name_server.hpp"

#include "base/limits.hpp"
#include "dns/message.hpp"
#include "dns/values.hpp"
#include "net/message_stream.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace ocim::dns {

namespace {

constexpr unsigned yx_domain = 6, yx_set = 7, nx_set = 8, nx_domain = 3;

/// What DNSSEC and the server itself keep in a zone: it comes and goes without anybody's wish.
bool is_the_servers_own(const std::string& type) {
    static constexpr std::array<std::string_view, 8> types{"RRSIG",  "NSEC", "NSEC3",   "NSEC3PARAM",
                                                           "DNSKEY", "CDS",  "CDNSKEY", "TYPE65534"};
    return std::ranges::find(types, type) != types.end();
}

Error unreachable(const std::string& what) { return Error{ErrorClass::unreachable, what}; }

/// The zone in the messages of a transfer, which are known to be whole.
Result<Transferred> zone_in(const std::vector<std::string>& messages, const std::string& domain,
                            const ExternalDns& external) {
    Transferred out;
    std::vector<std::string> ends;
    for (const auto& message : messages) {
        auto answers = answers_of(message);
        if (!answers) return std::move(answers).error();
        for (auto& answer : *answers) {
            if (ends.size() == 2) return unreachable("the transfer goes on after its end");
            if (answer.key.type == "SOA") {
                if (answer.key.name != domain) return unreachable("the transfer is of another zone");
                ends.push_back(answer.content);
                continue;
            }
            if (ends.empty()) return unreachable("the transfer does not begin with the zone's SOA");
            if (is_the_servers_own(answer.key.type)) continue;
            auto& set = out.snapshot[answer.key];
            set.ttl_seconds = static_cast<std::int32_t>(std::clamp<std::int64_t>(answer.ttl, 0, INT32_MAX));
            set.values.push_back(from_presentation(answer.key.type, answer.content));
            out.raw[answer.key].push_back(std::move(answer.content));
        }
    }
    if (ends.size() != 2) return unreachable("the transfer is not whole");
    if (ends[0] != ends[1])
        return Error{ErrorClass::transient,
                     "the zone changed while it was transferred: its serial differs at both ends"};
    for (auto& [key, set] : out.snapshot) std::ranges::sort(set.values);
    fold_marks(out.snapshot, external);
    return out;
}

}  // namespace

bool is_prerequisite_failure(unsigned rcode) {
    return rcode == yx_domain || rcode == yx_set || rcode == nx_set || rcode == nx_domain;
}

void NameServer::Update::add(const Update& other) {
    prerequisites += other.prerequisites;
    changes += other.changes;
    prerequisite_count += other.prerequisite_count;
    change_count += other.change_count;
}

NameServer::NameServer(const runtime::Services& services, Rfc2136Settings settings)
    : loop_(services.loop),
      clock_(services.clock),
      random_(services.random),
      blocking_(services.blocking),
      settings_(std::move(settings)) {}

Error NameServer::refusal(unsigned rcode, const std::string& what) const {
    switch (rcode) {
        case rcode_refused:
            return {ErrorClass::auth, "the server refuses " + what + " of " + settings_.domain +
                                          " (REFUSED): allow it to the key " + settings_.key.name};
        case rcode_not_authoritative:
            return {ErrorClass::auth, "the server refuses " + what + " (NOTAUTH): either it is not the primary of " +
                                          settings_.domain + ", or the key " + settings_.key.name +
                                          " is not allowed to"};
        case rcode_not_implemented: return {ErrorClass::invalid, "the server does not know " + what + " (NOTIMP)"};
        // a quota of BIND is told in this way too: slower, then
        case rcode_server_failure:
            return {ErrorClass::rate_limited,
                    "the server cannot do " + what + " of " + settings_.domain + " now (SERVFAIL)"};
        default:
            return {ErrorClass::transient, "the server refuses " + what + " (rcode " + std::to_string(rcode) + ")"};
    }
}

/// One question and all that is answered to it, checked and without signatures.
awaitable<Result<std::vector<std::string>>> NameServer::exchange(unsigned opcode, unsigned id, std::string message,
                                                                 bool transfer) {
    net::MessageStream stream(loop_);
    CO_CHECK(co_await stream.connect(settings_.host, settings_.port));
    TsigSession session(settings_.key);
    auto signed_message = session.sign(std::move(message), clock_.wall());
    CO_CHECK(co_await stream.send(std::move(signed_message)));
    std::vector<std::string> out;
    std::size_t bytes = 0;
    unsigned answers = 0;
    for (;;) {
        CO_TRY(auto answer, co_await stream.receive());
        // from here on it may have had its effect, whatever is wrong with the answer
        const auto unknown = [&](Error error) {
            error.outcome_unknown = true;
            return error;
        };
        if (!is_answer_to(answer, id, opcode)) co_return unknown(unreachable("what answers is not a name server"));
        auto checked = session.check(answer, clock_.wall());
        if (!checked) co_return unknown(std::move(checked).error());
        const auto layout = layout_of(answer);
        if (!layout) co_return unknown(unreachable("what answers is not a name server"));
        bytes += answer.size();
        if (bytes > limits::reply_bytes_max) co_return unreachable("the zone is too large to be read");
        const bool refused = rcode_of(answer) != 0;
        answers += count_of(answer, 1);
        const bool whole = !transfer || refused || (answers > 1 && layout->last_answer == type_soa);
        const bool empty = transfer && !refused && count_of(answer, 1) == 0;
        out.push_back(std::move(answer));
        if (empty) co_return unreachable("the transfer has an empty message");
        if (!whole) continue;
        if (!refused && !session.all_signed())
            co_return unknown(Error{ErrorClass::auth, "the end of the answer is not signed"});
        co_return out;
    }
}

awaitable<Result<std::vector<std::string>>> NameServer::ask(unsigned opcode, std::string rest, unsigned type) {
    const auto id = static_cast<unsigned>(random_.below(65'536));
    auto message = question(id, opcode, settings_.domain, type);
    if (!rest.empty()) message.replace(4, message.size() - 4, rest);
    auto work = exchange(opcode, id, std::move(message), type == type_axfr);
    const std::string what = "the exchange with " + settings_.host;
    co_return co_await with_deadline(clock_, settings_.timeout, what, std::move(work));
}

awaitable<Result<Transferred>> NameServer::transfer() {
    CO_TRY(auto messages, co_await ask(opcode_query, std::string(), type_axfr));
    if (const auto rcode = rcode_of(messages.back()); rcode != 0) co_return refusal(rcode, "a transfer");
    // a large zone takes longer to read than the loop may be held
    auto work = [messages = std::move(messages), domain = settings_.domain, external = settings_.external] {
        return zone_in(messages, domain, external);
    };
    co_return co_await blocking_.call(std::move(work));
}

awaitable<Result<void>> NameServer::probe() {
    CO_TRY(const auto messages, co_await ask(opcode_query, std::string(), type_soa));
    const auto& answer = messages.front();
    const auto rcode = rcode_of(answer);
    if (rcode == rcode_server_failure)
        co_return Error{ErrorClass::transient, "the server cannot serve " + settings_.domain + " (SERVFAIL)"};
    if (rcode != 0) co_return refusal(rcode, "a question");
    const auto layout = layout_of(answer);
    if (!layout || layout->first_answer != type_soa || !is_authoritative(answer))
        co_return Error{ErrorClass::not_found, "the server does not serve the zone " + settings_.domain};
    co_return Result<void>{};
}

awaitable<Result<unsigned>> NameServer::update(Update update) {
    // the head of the question with other counts, its zone, and what follows
    const auto head = question(0, opcode_update, settings_.domain, type_soa);
    auto rest = head.substr(4, 2) + be16(update.prerequisite_count) + be16(update.change_count) + be16(0) +
                head.substr(12) + update.prerequisites + update.changes;
    CO_TRY(const auto answers, co_await ask(opcode_update, std::move(rest), type_soa));
    const auto rcode = rcode_of(answers.front());
    const bool about_content = rcode == 0 || is_prerequisite_failure(rcode) || rcode == rcode_format_error ||
                               rcode == rcode_refused || rcode == rcode_not_in_zone;
    if (!about_content) co_return refusal(rcode, "an update");
    co_return rcode;
}

}  // namespace ocim::dns
