#include "github/client.hpp"

#include "base/async.hpp"
#include "base/utf8.hpp"
#include "github/answers.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace ocim::github {
namespace {

using api::Json;
using namespace std::chrono_literals;

constexpr std::size_t pages_max = 100;    // of 100 items each: what no repository of people's has open at once
constexpr std::size_t message_max = 300;  // bytes of what GitHub says, in a message of ours
constexpr Duration secondary_wait = 60s;  // GitHub's own rule when it says no time
constexpr Duration reset_wait_min = 1s;   // its clock and ours differ
constexpr const char* calls[] = {"get_rate_limit", "get_user",       "list_members",  "list_teams",    "list_team",
                                 "list_pulls",     "get_pull",       "list_comments", "list_statuses", "create_comment",
                                 "update_comment", "delete_comment", "create_status"};

std::string header(const net::HttpReply& reply, const char* name) {
    const auto found = reply.headers.find(name);
    return found == reply.headers.end() ? std::string() : found->second;
}

std::optional<std::int64_t> whole_number(const std::string& text) {
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return out;
}

/// The path of a repository; its owner and name are escaped, the slash between them is not.
std::string path_of(const std::string& repository) {
    const auto slash = repository.find('/');
    const auto owner = repository.substr(0, slash);
    const auto name = slash == std::string::npos ? std::string() : repository.substr(slash + 1);
    return "/repos/" + net::percent_encode(owner) + "/" + net::percent_encode(name);
}

std::string message_of(const net::HttpReply& reply) {
    const auto parsed = api::parse_json(reply.body);
    const auto said = parsed ? api::find_text(parsed->value, {"message"}) : std::string_view();
    return one_line(said.empty() ? std::string_view(reply.body) : said, message_max);
}

/// How long GitHub wants to be left alone; nothing when it does not.
std::optional<Duration> wait_wanted(const net::HttpReply& reply, WallTime now) {
    const bool refused = reply.status == 403 || reply.status == 429;
    if (refused)
        if (const auto wait = net::retry_after(reply, now)) return std::max(*wait, reset_wait_min);
    if (header(reply, "x-ratelimit-remaining") == "0")
        if (const auto reset = whole_number(header(reply, "x-ratelimit-reset"))) {
            const WallTime when{std::chrono::seconds(*reset)};
            return std::clamp(std::chrono::ceil<Duration>(when - now), reset_wait_min,
                              Duration(limits::retry_after_max));
        }
    if (!refused) return std::nullopt;
    const auto said = message_of(reply);
    if (reply.status == 429 || said.find("secondary rate limit") != std::string::npos ||
        said.find("API rate limit exceeded") != std::string::npos)
        return secondary_wait;
    return std::nullopt;
}

}  // namespace

Client::Client(std::unique_ptr<net::HttpClient> http, Clock& clock, Metrics& metrics, BlockingPool& blocking,
               ClientSettings settings)
    : http_(std::move(http)), clock_(clock), metrics_(metrics), blocking_(blocking), settings_(std::move(settings)) {
    for (const auto* call : calls)
        for (const auto* result : {"success", "not_modified", "transient", "rate_limited", "conflict", "not_found",
                                   "auth", "unreachable", "invalid"})
            (void)metrics_.counter("ocim_github_calls_total", "Calls to GitHub by what was asked and what came of it",
                                   {{"call", call}, {"result", result}});
}

void Client::count(const char* call, const std::string& result) {
    metrics_.counter("ocim_github_calls_total", "", {{"call", call}, {"result", result}}).Increment();
}

void Client::begin_sweep() {
    std::erase_if(known_, [this](const auto& item) { return item.second.sweep != sweep_; });
    ++sweep_;
}

// --- one call

std::optional<Error> Client::told_to_wait() const {
    const auto now = clock_.now();
    if (now >= quiet_until_) return std::nullopt;
    return Error{ErrorClass::rate_limited, quiet_reason_, std::chrono::ceil<Duration>(quiet_until_ - now)};
}

void Client::obey(const net::HttpReply& reply, const Error* refused) {
    const auto wait = wait_wanted(reply, clock_.wall());
    if (!wait) return;
    quiet_until_ = clock_.now() + *wait;
    quiet_reason_ =
        refused ? refused->message : "GitHub's quota of this token is used up; calls go on when it is renewed";
}

/// GitHub's own table: 403 has three meanings, and 404 also means that the token may not see it.
Error Client::refusal(const net::HttpReply& reply, bool writes) const {
    auto error = net::expect_success(reply, clock_.wall()).error();
    error.message = "GitHub answered " + std::to_string(reply.status) + ": " + message_of(reply);
    if (const auto wait = wait_wanted(reply, clock_.wall()); wait && (reply.status == 403 || reply.status == 429)) {
        error.error_class = ErrorClass::rate_limited;
        error.retry_after = wait;
        return error;
    }
    switch (reply.status) {
        case 401: error.message += "; the token is wrong or has expired: put a new one into the Secret"; break;
        case 403:
            if (writes) error.error_class = ErrorClass::invalid;  // this very thing: others may well be allowed
            error.message += "; give the token the permission, see docs/pull-requests.md";
            break;
        case 301:
        case 307:
        case 308:
            error.error_class = ErrorClass::not_found;
            error.message = "GitHub says that it was renamed; write its new name";
            break;
        case 404: error.message = "GitHub does not have it, or does not show it to this token"; break;
        case 410:
        case 451: error.error_class = writes ? ErrorClass::invalid : ErrorClass::not_found; break;
        default: break;
    }
    return error;
}

awaitable<Result<net::HttpReply>> Client::send(const char* call, net::HttpRequest request) {
    const bool writes = request.method != "GET";
    const bool free_of_charge = request.target == "/rate_limit";
    if (auto wait = told_to_wait(); wait && !free_of_charge) co_return *std::move(wait);
    request.headers["Accept"] = "application/vnd.github+json";
    request.headers["X-GitHub-Api-Version"] = "2022-11-28";
    request.headers["User-Agent"] = "ocim";
    request.secret_headers["Authorization"] = Secret("Bearer " + settings_.token.reveal());
    request.once = writes;
    auto reply = co_await http_->send(std::move(request));
    if (!reply) {
        auto error = std::move(reply).error();
        if (!writes) error.outcome_unknown = false;
        count(call, std::string(name_of(error.error_class)));
        co_return std::move(error).within("GitHub");
    }
    if (reply->status == 304 || reply->status / 100 == 2) {
        if (!free_of_charge) obey(*reply, nullptr);
        count(call, reply->status == 304 ? "not_modified" : "success");
        co_return std::move(reply);
    }
    auto error = refusal(*reply, writes);
    if (!writes) error.outcome_unknown = false;
    if (error.error_class == ErrorClass::rate_limited) obey(*reply, &error);
    count(call, std::string(name_of(error.error_class)));
    co_return error;
}

/// The link to the next page is followed as given, but never to somebody else: the token goes with it.
Result<std::string> Client::next_page(const net::HttpReply& reply) const {
    const auto links = header(reply, "link");
    for (std::size_t begin = 0; begin < links.size();) {
        const auto open = links.find('<', begin), close = links.find('>', begin);
        if (open == std::string::npos || close == std::string::npos || close < open) break;
        const auto end = std::min(links.find(',', close), links.size());
        if (links.substr(close, end - close).find("rel=\"next\"") != std::string::npos) {
            const auto url = links.substr(open + 1, close - open - 1);
            const bool here =
                url.starts_with(settings_.base_url + "/") && url.find_first_of(" \r\n#") == std::string::npos;
            if (here) return url.substr(settings_.base_url.size());
            return Error{ErrorClass::unreachable, "what answers is not GitHub: its next page is elsewhere"};
        }
        begin = end + 1;
    }
    return std::string();
}

template <class T>
awaitable<Result<Client::Page<T>>> Client::get(const char* call, std::string target, Reader<T> read) {
    net::HttpRequest request;
    request.target = target;
    if (const auto found = known_.find(target); found != known_.end())
        request.headers["If-None-Match"] = found->second.etag;
    CO_TRY(auto reply, co_await send(call, std::move(request)));
    if (reply.status == 304) {
        const auto found = known_.find(target);
        if (found == known_.end())
            co_return Error{ErrorClass::unreachable,
                            "what answers is not GitHub: it says that something did not change"};
        found->second.sweep = sweep_;
        co_return Page<T>{std::any_cast<const std::vector<T>&>(found->second.items), found->second.next};
    }
    CO_TRY(auto next, next_page(reply));
    // a page of pull requests takes longer to read than the loop may be held
    auto work = [body = std::move(reply.body), read]() -> Result<std::vector<T>> {
        const auto parsed = api::parse_json(body);
        if (!parsed) return Error{ErrorClass::unreachable, "what answers is not GitHub: " + parsed.error().message};
        return read(parsed->value);
    };
    CO_TRY(auto items, co_await blocking_.call(std::move(work)));
    if (const auto etag = header(reply, "etag"); !etag.empty())
        known_[target] = Known{etag, next, items, sweep_};
    else
        known_.erase(target);
    co_return Page<T>{std::move(items), std::move(next)};
}

template <class T>
awaitable<Result<std::vector<T>>> Client::list(const char* call, std::string target, Reader<T> read) {
    std::vector<T> out;
    for (std::size_t page = 0; page < pages_max; ++page) {
        CO_TRY(auto fetched, co_await get<T>(call, std::move(target), read));
        std::ranges::move(fetched.items, std::back_inserter(out));
        if (fetched.next.empty()) co_return std::move(out);
        target = std::move(fetched.next);
    }
    co_return Error{ErrorClass::transient, "GitHub's list has more than " + std::to_string(pages_max) + " pages"};
}

awaitable<Result<Json>> Client::write(const char* call, std::string method, std::string target, Json body) {
    net::HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    if (!body.is_null()) request.body = api::to_text(body);
    CO_TRY(const auto reply, co_await send(call, std::move(request)));
    if (reply.body.empty()) co_return Json();
    auto parsed = api::parse_json(reply.body);
    if (parsed) co_return std::move(parsed->value);
    Error error{ErrorClass::unreachable, "what answers is not GitHub: " + parsed.error().message};
    error.outcome_unknown = true;
    co_return error;
}

// --- what can be asked

awaitable<Result<void>> Client::probe() {
    net::HttpRequest request;
    request.target = "/rate_limit";
    CO_TRY(const auto reply, co_await send("get_rate_limit", std::move(request)));
    const auto parsed = api::parse_json(reply.body);
    if (!parsed || !api::find(parsed->value, {"resources", "core"}))
        co_return Error{ErrorClass::unreachable, "what answers is not GitHub: it has no rate limit"};
    co_return Result<void>();
}

awaitable<Result<std::optional<Person>>> Client::self() {
    auto page = co_await get<Person>("get_user", "/user", read_person);
    // an App's token is nobody's
    if (!page && page.error().error_class == ErrorClass::auth &&
        page.error().message.find("not accessible by integration") != std::string::npos)
        co_return std::optional<Person>();
    if (!page) co_return std::move(page).error();
    co_return std::optional<Person>(std::move(page->items.front()));
}

awaitable<Result<std::vector<Person>>> Client::organization_members(std::string organization) {
    auto target = "/orgs/" + net::percent_encode(organization) + "/members?per_page=100";
    co_return co_await list<Person>("list_members", std::move(target), read_people);
}

awaitable<Result<std::vector<Team>>> Client::teams(std::string organization) {
    auto target = "/orgs/" + net::percent_encode(organization) + "/teams?per_page=100";
    co_return co_await list<Team>("list_teams", std::move(target), read_teams);
}

awaitable<Result<std::vector<Person>>> Client::team_members(std::string organization, std::string slug) {
    auto target =
        "/orgs/" + net::percent_encode(organization) + "/teams/" + net::percent_encode(slug) + "/members?per_page=100";
    co_return co_await list<Person>("list_team", std::move(target), read_people);
}

awaitable<Result<std::vector<PullRequest>>> Client::open_pull_requests(std::string repository) {
    // oldest first: what is opened while we read comes at the end
    auto target = path_of(repository) + "/pulls?state=open&sort=created&direction=asc&per_page=100";
    CO_TRY(auto found, co_await list<PullRequest>("list_pulls", std::move(target), read_pull_requests));
    // a list that shifts between two pages shows one twice
    std::ranges::sort(found, {}, &PullRequest::number);
    const auto doubles = std::ranges::unique(found, {}, &PullRequest::number);
    found.erase(doubles.begin(), doubles.end());
    co_return std::move(found);
}

awaitable<Result<std::optional<PullRequest>>> Client::pull_request(std::string repository, std::int64_t number) {
    auto target = path_of(repository) + "/pulls/" + std::to_string(number);
    auto page = co_await get<PullRequest>("get_pull", std::move(target), read_pull_request);
    if (!page && page.error().error_class == ErrorClass::not_found) co_return std::optional<PullRequest>();
    if (!page) co_return std::move(page).error();
    co_return std::optional<PullRequest>(std::move(page->items.front()));
}

awaitable<Result<std::vector<Comment>>> Client::comments(std::string repository, std::int64_t number) {
    auto target = path_of(repository) + "/issues/" + std::to_string(number) + "/comments?per_page=100";
    co_return co_await list<Comment>("list_comments", std::move(target), read_comments);
}

awaitable<Result<std::vector<CommitStatus>>> Client::statuses(std::string repository, std::string commit) {
    auto target = path_of(repository) + "/commits/" + net::percent_encode(commit) + "/statuses?per_page=100";
    co_return co_await list<CommitStatus>("list_statuses", std::move(target), read_statuses);
}

awaitable<Result<Comment>> Client::create_comment(std::string repository, std::int64_t number, std::string body) {
    auto target = path_of(repository) + "/issues/" + std::to_string(number) + "/comments";
    Json value(api::json::object{{"body", body}});
    CO_TRY(const auto made, co_await write("create_comment", "POST", std::move(target), std::move(value)));
    co_return read_comment(made);
}

awaitable<Result<Comment>> Client::update_comment(std::string repository, std::int64_t id, std::string body) {
    auto target = path_of(repository) + "/issues/comments/" + std::to_string(id);
    Json value(api::json::object{{"body", body}});
    CO_TRY(const auto made, co_await write("update_comment", "PATCH", std::move(target), std::move(value)));
    co_return read_comment(made);
}

awaitable<Result<void>> Client::delete_comment(std::string repository, std::int64_t id) {
    auto target = path_of(repository) + "/issues/comments/" + std::to_string(id);
    const auto gone = co_await write("delete_comment", "DELETE", std::move(target), Json());
    if (!gone && gone.error().error_class != ErrorClass::not_found) co_return gone.error();
    co_return Result<void>();
}

awaitable<Result<void>> Client::create_status(std::string repository, std::string commit, CommitStatus status) {
    auto target = path_of(repository) + "/statuses/" + net::percent_encode(commit);
    api::json::object value{{"state", status.state}, {"context", status.context}, {"description", status.description}};
    if (!status.url.empty()) value["target_url"] = status.url;
    Json body(std::move(value));
    const auto made = co_await write("create_status", "POST", std::move(target), std::move(body));
    if (!made) co_return made.error();
    co_return Result<void>();
}

}  // namespace ocim::github
