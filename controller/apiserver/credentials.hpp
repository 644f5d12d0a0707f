#pragma once

#include "net/http_server.hpp"
#include "registry/registry.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

/// What people write down about who comes in: tokens, and certificates that were taken back.
namespace ocim::apiserver {

/// Without blanks at its ends.
std::string trimmed(std::string_view text);

/// Tokens that an administrator wrote down, in kube-apiserver's form of --token-auth-file: lines of
/// token,user,uid,"group1,group2" in CSV, the groups being optional.
class StaticTokens {
public:
    /// Error: invalid, with the line, never with its content.
    static Result<StaticTokens> parse(std::string_view csv);
    const registry::Caller* find(const std::string& token) const;

private:
    std::map<std::string, registry::Caller> by_hash_;
};

/// Users whose client certificates were taken back, and when: what they had been given until then is no good, what they
/// are given later is.
class Revoked {
public:
    /// A JSON object of names and times in RFC 3339. Error: invalid.
    static Result<Revoked> parse(std::string_view text);
    std::string to_text() const;
    void add(const std::string& user, WallTime now);
    /// When that user's were taken back; nothing when they never were.
    std::optional<WallTime> of(const std::string& user) const;
    bool covers(const net::PeerCertificate& certificate) const;

private:
    std::map<std::string, WallTime> times_;
};

}  // namespace ocim::apiserver
