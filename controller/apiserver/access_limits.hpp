#pragma once

#include "base/limits.hpp"

/// Bounds of authentication, authorization and fair sharing.
namespace ocim::limits {

inline constexpr std::size_t rbac_parts_max = 20'000;      // single permissions compared for one role: some 10 ms
inline constexpr std::size_t verified_tokens_max = 4'096;  // tokens whose signature was checked: 1 MiB
inline constexpr std::size_t token_keys_max = 16;          // a rotation a month, and tokens that live for a year

inline constexpr std::size_t audit_unknown_per_minute = 60;  // 401s: a day of them at this rate is 50 MiB
inline constexpr std::size_t audit_unknown_text_max = 256;   // bytes of what they say of themselves
inline constexpr std::size_t audit_user_agent_max = 1'024;   // bytes of what a known user's program calls itself

inline constexpr std::size_t streams_of_user_max = 1'000;  // watches and logs of one user: a busy dashboard has 100
inline constexpr auto request_max = std::chrono::milliseconds(60s);  // to answer what is no stream, as kube-apiserver

}  // namespace ocim::limits
