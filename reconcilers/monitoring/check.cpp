#include "monitoring/check.hpp"

#include "base/async.hpp"
#include "monitoring/dns_check.hpp"

#include <utility>

namespace ocim::monitoring {

namespace {

constexpr std::size_t body_bytes_max = 1024 * 1024;
constexpr Duration::rep sendings = 3;  // of a question, because a datagram may be lost

Outcome down(std::string why) {
    Outcome out;
    out.message = std::move(why);
    return out;
}

Outcome judged(const Probe& probe, const Result<net::Fetched>& answer) {
    if (!answer) return down(answer.error().message);
    Outcome out;
    const auto status = answer->status;
    out.status = status;
    out.up = probe.expected_status ? status == *probe.expected_status : status >= 200 && status < 400;
    out.certificate_expires = answer->certificate_expires;
    const auto wanted = probe.expected_status ? std::to_string(*probe.expected_status) : "200 to 399";
    out.message = "answers " + std::to_string(status) + (out.up ? "" : ", expected " + wanted);
    if (!out.up) return out;
    const auto& body = answer->body;
    const bool lacks = !probe.body_contains.empty() && body.find(probe.body_contains) == std::string::npos;
    const bool holds = !probe.body_excludes.empty() && body.find(probe.body_excludes) != std::string::npos;
    if (lacks) out.message += ", and its body does not contain what spec.body.contains says";
    if (holds) out.message += ", and its body contains what spec.body.excludes says";
    out.up = !lacks && !holds;
    return out;
}

awaitable<Outcome> check_url(Senses senses, Probe probe) {
    net::Fetch fetch;
    fetch.url = probe.url;
    fetch.connect_to = probe.connect_to;
    fetch.verify = probe.verify;
    fetch.headers = probe.headers;
    fetch.timeout = probe.timeout;
    if (!probe.body_contains.empty() || !probe.body_excludes.empty()) fetch.body_max = body_bytes_max;
    const auto answer = co_await senses.fetcher->fetch(std::move(fetch));
    co_return judged(probe, answer);
}

/// One server's answer, by TCP when a datagram is too short for it.
awaitable<Result<std::string>> ask_server(std::shared_ptr<net::Talker> talker, net::Datagram question) {
    auto again = question;
    auto answer = co_await talker->ask(std::move(question));
    if (!answer || again.over_tcp || !is_truncated(*answer)) co_return answer;
    again.over_tcp = true;
    co_return co_await talker->ask(std::move(again));
}

awaitable<Result<Outcome>> check_servers(std::shared_ptr<net::Talker> talker, Random& random, DnsCheck what,
                                         Duration resend_after) {
    for (const auto& server : what.servers) {
        const auto id = static_cast<unsigned>(random.below(65'536));
        CO_TRY(auto message, dns_question(what, id));
        net::Datagram question{server, std::move(message), what.over_tcp, resend_after};
        const auto answer = co_await ask_server(talker, std::move(question));
        const auto wrong = answer ? wrong_with_answer(what, *answer) : answer.error().message;
        if (!wrong.empty()) co_return down(server + ": " + wrong);
    }
    Outcome out;
    out.up = true;
    const auto count = what.servers.size();
    out.message = count == 1 ? "answers as expected" : std::to_string(count) + " servers answer as expected";
    co_return out;
}

awaitable<Result<Outcome>> check_connection(std::shared_ptr<net::Talker> talker, net::Talk talk) {
    const bool says = !talk.steps.empty();
    CO_TRY(const auto talked, co_await talker->talk(std::move(talk)));
    Outcome out;
    out.up = true;
    out.message = says ? "answers as expected" : "takes connections";
    out.certificate_expires = talked.certificate_expires;
    co_return out;
}

awaitable<Outcome> within_time(Clock& clock, Duration limit, awaitable<Result<Outcome>> work) {
    auto found = co_await with_deadline(clock, limit, "the answer", std::move(work));
    if (!found) co_return down(found.error().message);
    co_return *std::move(found);
}

}  // namespace

awaitable<Outcome> check(Senses senses, Clock& clock, Random& random, Probe probe) {
    const auto limit = probe.timeout;
    if (probe.dns) {
        auto work = check_servers(senses.talker, random, *probe.dns, limit / sendings);
        co_return co_await within_time(clock, limit, std::move(work));
    }
    if (probe.tcp) {
        net::Talk talk{probe.tcp->address, probe.tcp->tls, probe.verify, probe.tcp->server_name, probe.tcp->steps};
        auto work = check_connection(senses.talker, std::move(talk));
        co_return co_await within_time(clock, limit, std::move(work));
    }
    co_return co_await check_url(std::move(senses), std::move(probe));
}

std::string target_of(const Probe& probe) {
    if (probe.dns) return "DNS " + probe.dns->type + " " + probe.dns->name;
    if (probe.tcp) return (probe.tcp->tls ? "tls://" : "tcp://") + probe.tcp->address;
    return probe.url;
}

}  // namespace ocim::monitoring
