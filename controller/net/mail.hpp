#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace ocim::net {

/// An SMTP server that takes our mail.
struct MailServer {
    enum class Tls { start_tls, implicit, none };
    std::string host;
    std::uint16_t port = 587;
    Tls tls = Tls::start_tls;
    std::string ca_certificate;  ///< PEM; empty: the system's authorities
    std::string username;        ///< empty: nobody logs in
    Secret password;
    std::string hello;  ///< the domain that we say we are
};

/// One mail to one person. Both addresses have passed good_mail_address().
struct Mail {
    std::string from, to;
    std::string text;  ///< header and body, lines that end in CRLF
};

/// "name@domain" of the characters that need no quotes (RFC 5321, dot-string), so that it is the same in a command of
/// SMTP and in a header.
bool good_mail_address(const std::string& text);

/// Lets go of calls under way, from any thread: their connections are cut, and no other is made.
class MailCancel {
public:
    void give_up();
    bool given_up() const;

private:
    friend class MailSession;
    void cut(int socket);
    mutable std::mutex mutex_;
    bool given_up_ = false;
    std::set<int> sockets_;  ///< open now
};

/// A few mails one after another, over one connection where that holds. All functions block and are for one thread at a
/// time.
class MailSession {
public:
    MailSession(MailServer server, std::shared_ptr<MailCancel> cancel);
    ~MailSession();
    MailSession(const MailSession&) = delete;
    MailSession& operator=(const MailSession&) = delete;

    /// What the server said when it took the mail. Errors: invalid (it refuses this mail for good), transient (not
    /// now), auth, unreachable (also when it is no mail server, or has not the TLS that is asked for). Of unknown
    /// outcome when the mail was handed over and no answer came.
    Result<std::string> send(const Mail& mail, Duration limit);
    /// Connects, logs in and says NOOP.
    Result<void> probe(Duration limit);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim::net
