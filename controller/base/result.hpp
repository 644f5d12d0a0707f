#pragma once

#include <cassert>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ocim {

using Duration = std::chrono::milliseconds;
/// A point on the monotonic clock; meaningless outside this process.
using Instant = std::chrono::steady_clock::time_point;

/// What the caller should do about an error: the only property of it that decides anything.
enum class ErrorClass {
    transient,     ///< try again, later and later
    rate_limited,  ///< try again when the peer said so
    conflict,      ///< somebody else changed it: look anew, decide again
    not_found,     ///< what was addressed is gone: look anew
    auth,          ///< our credentials are refused: nothing of this backend will work
    unreachable,   ///< nobody answers: nothing of this backend will work
    invalid,       ///< only the author of the request can help
};

/// The class as a metric label or a log field.
std::string_view name_of(ErrorClass error_class);

struct Error {
    ErrorClass error_class;
    /// One sentence for a person: what was refused, why, the next step. Never a secret.
    std::string message;
    /// How long the peer asked us to wait.
    std::optional<Duration> retry_after{};
    /// The call may have had its effect, or may still have it: look before doing it again.
    bool outcome_unknown = false;

    /// The same error, seen from further out: "zone example.org: " + message.
    Error within(std::string_view place) && {
        message.insert(0, std::string(place) + ": ");
        return std::move(*this);
    }
    bool operator==(const Error&) const = default;
};

/// A T, or the E that prevented it. Dropping one is a compile error.
template <class T = void, class E = Error>
class [[nodiscard]] Result {
public:
    /// Asio default-constructs the value of a coroutine that it unwinds; nobody sees it.
    Result() : Result(E{}) {}
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }
    T& operator*() & { return assert(*this), std::get<0>(state_); }
    T&& operator*() && { return assert(*this), std::get<0>(std::move(state_)); }
    const T& operator*() const& { return assert(*this), std::get<0>(state_); }
    T* operator->() { return &**this; }
    const T* operator->() const { return &**this; }
    const E& error() const& { return assert(!*this), std::get<1>(state_); }
    E&& error() && { return assert(!*this), std::get<1>(std::move(state_)); }

private:
    std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
public:
    Result() = default;
    Result(E error) : error_(std::move(error)) {}

    explicit operator bool() const { return !error_; }
    const E& error() const& { return assert(error_), *error_; }
    E&& error() && { return assert(error_), *std::move(error_); }

private:
    std::optional<E> error_;
};

}  // namespace ocim

#define OCIM_CAT_(a, b) a##b
#define OCIM_CAT(a, b) OCIM_CAT_(a, b)
#define CO_TRY_(tmp, decl, ...)                 \
    auto tmp = __VA_ARGS__;                     \
    if (!tmp) co_return std::move(tmp).error(); \
    decl = *std::move(tmp)
/// Unwraps a Result, or leaves the coroutine with its error: CO_TRY(const auto seen, co_await zone.observe());
#define CO_TRY(decl, ...) CO_TRY_(OCIM_CAT(try_, __LINE__), decl, __VA_ARGS__)
/// The same for a Result<void>.
#define CO_CHECK(...)                                     \
    do {                                                  \
        auto check_ = __VA_ARGS__;                        \
        if (!check_) co_return std::move(check_).error(); \
    } while (false)
