#include "net/mail.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <curl/curl.h>
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <mutex>
#include <string_view>

namespace ocim::net {
namespace {

constexpr long wake_ms = 100;  // between two looks at whether somebody gave up
constexpr std::size_t reply_bytes_max = 4096;
constexpr std::size_t shown_bytes_max = 300;

/// libcurl, loaded when mail is first sent: it and the twenty libraries behind it are 3.5 MiB that most servers never
/// need. Its functions, without their prefix.
class Curl {
public:
    /// Null when it is not installed.
    static const Curl* get() {
        static const Curl curl;  // the library's own start is not safe on several threads
        return curl.whole_ ? &curl : nullptr;
    }

    decltype(&::curl_easy_cleanup) easy_cleanup{};
    decltype(&::curl_easy_getinfo) easy_getinfo{};
    decltype(&::curl_easy_init) easy_init{};
    decltype(&::curl_easy_reset) easy_reset{};
    decltype(&::curl_easy_setopt) easy_setopt{};
    decltype(&::curl_easy_strerror) easy_strerror{};
    decltype(&::curl_free) release{};
    decltype(&::curl_multi_add_handle) multi_add_handle{};
    decltype(&::curl_multi_cleanup) multi_cleanup{};
    decltype(&::curl_multi_info_read) multi_info_read{};
    decltype(&::curl_multi_init) multi_init{};
    decltype(&::curl_multi_perform) multi_perform{};
    decltype(&::curl_multi_poll) multi_poll{};
    decltype(&::curl_multi_remove_handle) multi_remove_handle{};
    decltype(&::curl_slist_append) slist_append{};
    decltype(&::curl_slist_free_all) slist_free_all{};
    decltype(&::curl_url) url{};
    decltype(&::curl_url_cleanup) url_cleanup{};
    decltype(&::curl_url_get) url_get{};
    decltype(&::curl_url_set) url_set{};

private:
    Curl() : library_(::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL)) {
        decltype(&::curl_global_init) global_init{};
        find("curl_global_init", global_init);
        find("curl_easy_cleanup", easy_cleanup);
        find("curl_easy_getinfo", easy_getinfo);
        find("curl_easy_init", easy_init);
        find("curl_easy_reset", easy_reset);
        find("curl_easy_setopt", easy_setopt);
        find("curl_easy_strerror", easy_strerror);
        find("curl_free", release);
        find("curl_multi_add_handle", multi_add_handle);
        find("curl_multi_cleanup", multi_cleanup);
        find("curl_multi_info_read", multi_info_read);
        find("curl_multi_init", multi_init);
        find("curl_multi_perform", multi_perform);
        find("curl_multi_poll", multi_poll);
        find("curl_multi_remove_handle", multi_remove_handle);
        find("curl_slist_append", slist_append);
        find("curl_slist_free_all", slist_free_all);
        find("curl_url", url);
        find("curl_url_cleanup", url_cleanup);
        find("curl_url_get", url_get);
        find("curl_url_set", url_set);
        whole_ = whole_ && global_init(CURL_GLOBAL_ALL) == CURLE_OK;
    }
    template <class Function>
    void find(const char* name, Function& out) {
        if (library_) out = reinterpret_cast<Function>(::dlsym(library_, name));
        whole_ = whole_ && out;
    }

    void* library_;
    bool whole_ = true;
};

/// How far one call came: what a refusal concerns.
enum class Stage { connecting, logging_in, mail, handed_over };

/// What the callbacks of one call know.
struct Call {
    const std::string* text = nullptr;
    std::size_t at = 0;
    Stage stage = Stage::connecting;
    std::string last;  ///< the server's last line
};

std::size_t read_mail(char* to, std::size_t size, std::size_t count, void* state) {
    auto& call = *static_cast<Call*>(state);
    const auto bytes = std::min(size * count, call.text->size() - call.at);
    std::memcpy(to, call.text->data() + call.at, bytes);
    call.at += bytes;
    if (call.at == call.text->size()) call.stage = Stage::handed_over;
    return bytes;
}

std::size_t take_reply(char* from, std::size_t size, std::size_t count, void* state) {
    static_cast<Call*>(state)->last.assign(from, std::min(size * count, reply_bytes_max));
    return size * count;
}

/// Of what is sent only the verb is looked at: the rest may be a password.
int follow(CURL*, curl_infotype type, char* data, std::size_t size, void* state) {
    if (type != CURLINFO_HEADER_OUT) return 0;
    auto& call = *static_cast<Call*>(state);
    const std::string_view line(data, size);
    if (line.starts_with("AUTH")) call.stage = Stage::logging_in;
    if (line.starts_with("MAIL ")) call.stage = Stage::mail;
    return 0;
}

bool is_atom(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
}

bool is_host(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/// No part of it is empty.
bool dotted(std::string_view text) {
    return !text.empty() && text.front() != '.' && text.back() != '.' && text.find("..") == std::string_view::npos;
}

/// The one place where what libcurl says becomes a class of ours.
Error classified(const Curl& curl, CURLcode code, long reply, const Call& call, const MailServer& server) {
    const auto place = server.host + ":" + std::to_string(server.port);
    const auto said = one_line(call.last, shown_bytes_max);
    const auto with_reply = [&](ErrorClass error_class, const std::string& what) {
        return Error{error_class, place + ": " + what + (said.empty() ? "" : ": " + said)};
    };
    const bool refused = code == CURLE_SEND_ERROR || code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_LOGIN_DENIED ||
                         code == CURLE_REMOTE_ACCESS_DENIED;
    // 530, 534, 535, 538 (RFC 4954): who we are is the matter, whatever was asked
    const bool about_us = reply == 530 || reply == 534 || reply == 535 || reply == 538;
    if (refused && (about_us || (code == CURLE_LOGIN_DENIED && reply / 100 != 4)))
        return Error{ErrorClass::auth, place + ": the relay refuses our credentials (" + std::to_string(reply) + ")"};
    if (refused && reply / 100 == 4 && call.stage != Stage::connecting)
        return with_reply(ErrorClass::transient, "not now");
    if (refused && reply / 100 == 5 && (call.stage == Stage::mail || call.stage == Stage::handed_over))
        return with_reply(ErrorClass::invalid, "refused");
    if (code == CURLE_USE_SSL_FAILED)
        return Error{ErrorClass::unreachable, place + ": the relay does not speak TLS, which spec.smtp.tls asks for"};
    Error error = refused && reply != 0
                      ? with_reply(ErrorClass::unreachable, "no mail is taken here")
                      : Error{ErrorClass::unreachable, place + ": " + std::string(curl.easy_strerror(code))};
    error.outcome_unknown = call.stage == Stage::handed_over;
    return error;
}

/// "smtp://host:port/hello", put together by the library that reads it.
std::string address(const Curl& curl, const MailServer& server) {
    const std::unique_ptr<CURLU, decltype(curl.url_cleanup)> url(curl.url(), curl.url_cleanup);
    const bool ip6 = server.host.find(':') != std::string::npos;
    const auto host = ip6 ? "[" + server.host + "]" : server.host;
    bool good = curl.url_set(url.get(), CURLUPART_SCHEME, server.tls == MailServer::Tls::implicit ? "smtps" : "smtp",
                             0) == CURLUE_OK;
    good = good && curl.url_set(url.get(), CURLUPART_HOST, host.c_str(), 0) == CURLUE_OK;
    good = good && curl.url_set(url.get(), CURLUPART_PORT, std::to_string(server.port).c_str(), 0) == CURLUE_OK;
    good = good && curl.url_set(url.get(), CURLUPART_PATH, ("/" + server.hello).c_str(), 0) == CURLUE_OK;
    char* text = nullptr;
    if (!good || curl.url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) return "";
    std::string out(text);
    curl.release(text);
    return out;
}

Error no_library() {
    return {ErrorClass::transient,
            "mail needs libcurl.so.4, which is not installed here: install the package libcurl4"};
}

}  // namespace

bool good_mail_address(const std::string& text) {
    const auto at = text.rfind('@');
    if (at == std::string::npos || text.size() > 254 || at > 64) return false;
    const auto name = std::string_view(text).substr(0, at), domain = std::string_view(text).substr(at + 1);
    return dotted(name) && dotted(domain) && std::ranges::all_of(name, is_atom) && std::ranges::all_of(domain, is_host);
}

struct MailSession::State {
    State(MailServer of, std::shared_ptr<MailCancel> by) : server(std::move(of)), cancel(std::move(by)) {
        if (!curl) return;
        url = address(*curl, server);
        multi = curl->multi_init();
        easy = curl->easy_init();
    }
    ~State() {
        if (!curl) return;
        if (failed) cut();
        curl->easy_cleanup(easy);
        curl->multi_cleanup(multi);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void prepare(Call& call, Duration limit) {
        curl->easy_reset(easy);
        const auto set = [this](CURLoption option, auto value) { curl->easy_setopt(easy, option, value); };
        set(CURLOPT_URL, url.c_str());
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        set(CURLOPT_PROXY, "");  // none, whatever the environment says
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CONNECTTIMEOUT_MS,
            static_cast<long>(std::chrono::duration_cast<Duration>(limits::connect_max).count()));
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
        set(CURLOPT_USE_SSL, static_cast<long>(server.tls == MailServer::Tls::none ? CURLUSESSL_NONE : CURLUSESSL_ALL));
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        if (!server.ca_certificate.empty()) {
            curl_blob blob{const_cast<char*>(server.ca_certificate.data()),  // the library copies it
                           server.ca_certificate.size(), CURL_BLOB_COPY};
            set(CURLOPT_CAINFO_BLOB, &blob);
            set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
        }
        if (!server.username.empty()) {
            set(CURLOPT_USERNAME, server.username.c_str());
            set(CURLOPT_PASSWORD, server.password.reveal().c_str());
        }
        set(CURLOPT_OPENSOCKETFUNCTION, &State::open_socket);
        set(CURLOPT_OPENSOCKETDATA, this);
        set(CURLOPT_CLOSESOCKETFUNCTION, &State::close_socket);
        set(CURLOPT_CLOSESOCKETDATA, this);
        set(CURLOPT_HEADERFUNCTION, take_reply);
        set(CURLOPT_HEADERDATA, &call);
        set(CURLOPT_WRITEFUNCTION, take_reply);
        set(CURLOPT_WRITEDATA, &call);
        set(CURLOPT_VERBOSE, 1L);  // for `follow` only, which prints nothing
        set(CURLOPT_DEBUGFUNCTION, follow);
        set(CURLOPT_DEBUGDATA, &call);
    }

    /// The whole call. Waits in the library, which bounds it.
    Result<std::string> perform(const Call& call) {
        if (!easy || !multi || url.empty()) return Error{ErrorClass::transient, "no memory for a connection"};
        curl->multi_add_handle(multi, easy);
        int running = 1;
        while (running > 0 && !cancel->given_up()) {
            if (curl->multi_perform(multi, &running) != CURLM_OK) break;
            if (running > 0) curl->multi_poll(multi, nullptr, 0, wake_ms, nullptr);
        }
        CURLcode code = CURLE_ABORTED_BY_CALLBACK;
        int left = 0;
        while (const auto* message = curl->multi_info_read(multi, &left))
            if (message->msg == CURLMSG_DONE) code = message->data.result;
        long reply = 0;
        curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply);
        // the library says QUIT and waits two minutes for the answer of whoever has just not answered
        failed = code != CURLE_OK;
        if (failed) cut();
        curl->multi_remove_handle(multi, easy);
        if (code == CURLE_OK) return one_line(call.last, shown_bytes_max);
        return classified(*curl, code, reply, call, server);
    }

    static curl_socket_t open_socket(void* state, curlsocktype, curl_sockaddr* where) {
        auto& self = *static_cast<State*>(state);
        const std::lock_guard lock(self.cancel->mutex_);
        if (self.cancel->given_up_) return CURL_SOCKET_BAD;
        const int made = ::socket(where->family, where->socktype | SOCK_CLOEXEC, where->protocol);
        if (made < 0) return CURL_SOCKET_BAD;
        self.cancel->sockets_.insert(made);
        self.sockets.insert(made);
        return made;
    }
    static int close_socket(void* state, curl_socket_t socket) {
        auto& self = *static_cast<State*>(state);
        const std::lock_guard lock(self.cancel->mutex_);  // nobody cuts a number that is given to another meanwhile
        self.cancel->sockets_.erase(socket);
        self.sockets.erase(socket);
        return ::close(socket);
    }
    void cut() {
        for (const int socket : sockets) cancel->cut(socket);
    }

    const Curl* curl = Curl::get();
    MailServer server;
    std::shared_ptr<MailCancel> cancel;  // shared with who may give up
    std::string url;
    std::set<int> sockets;  // of this session
    bool failed = false;
    CURLM* multi = nullptr;
    CURL* easy = nullptr;
};

void MailCancel::give_up() {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
}

bool MailCancel::given_up() const {
    const std::lock_guard lock(mutex_);
    return given_up_;
}

void MailCancel::cut(int socket) {
    const std::lock_guard lock(mutex_);
    if (sockets_.contains(socket)) ::shutdown(socket, SHUT_RDWR);
}

MailSession::MailSession(MailServer server, std::shared_ptr<MailCancel> cancel)
    : state_(std::make_unique<State>(std::move(server), std::move(cancel))) {}
MailSession::~MailSession() = default;

Result<std::string> MailSession::send(const Mail& mail, Duration limit) {
    for (const auto* text : {&mail.from, &mail.to})
        if (!good_mail_address(*text))
            return Error{ErrorClass::invalid, "\"" + one_line(*text, shown_bytes_max) + "\" is no mail address"};
    auto& s = *state_;
    if (!s.curl) return no_library();
    Call call;
    call.text = &mail.text;
    s.prepare(call, limit);
    auto* to = s.curl->slist_append(nullptr, ("<" + mail.to + ">").c_str());
    s.curl->easy_setopt(s.easy, CURLOPT_MAIL_FROM, ("<" + mail.from + ">").c_str());
    s.curl->easy_setopt(s.easy, CURLOPT_MAIL_RCPT, to);
    s.curl->easy_setopt(s.easy, CURLOPT_READFUNCTION, read_mail);
    s.curl->easy_setopt(s.easy, CURLOPT_READDATA, &call);
    s.curl->easy_setopt(s.easy, CURLOPT_UPLOAD, 1L);
    s.curl->easy_setopt(s.easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(mail.text.size()));
    auto sent = s.perform(call);
    s.curl->slist_free_all(to);
    return sent;
}

Result<void> MailSession::probe(Duration limit) {
    auto& s = *state_;
    if (!s.curl) return no_library();
    Call call;
    s.prepare(call, limit);
    s.curl->easy_setopt(s.easy, CURLOPT_CUSTOMREQUEST, "NOOP");
    s.curl->easy_setopt(s.easy, CURLOPT_NOBODY, 1L);
    auto answered = s.perform(call);
    if (!answered) return std::move(answered).error();
    return {};
}

}  // namespace ocim::net
