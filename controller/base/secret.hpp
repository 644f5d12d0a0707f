#pragma once

#include <string>
#include <utility>

namespace ocim {

/// Text that must not be shown: it cannot be printed, logged or concatenated, and is wiped when it goes.
/// Only the call that sends it reveals it.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string text) : text_(std::move(text)) {}
    Secret(const Secret&) = default;
    Secret(Secret&&) noexcept = default;
    Secret& operator=(const Secret&) = default;
    Secret& operator=(Secret&&) noexcept = default;
    ~Secret() { wipe(); }

    const std::string& reveal() const { return text_; }
    bool empty() const { return text_.empty(); }
    bool operator==(const Secret&) const = default;

private:
    void wipe();
    std::string text_;
};

}  // namespace ocim
