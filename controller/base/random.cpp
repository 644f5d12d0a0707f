#include "base/random.hpp"

#include <sys/random.h>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <random>
#include <string_view>
#include <system_error>
#include <utility>

namespace ocim {

void Random::fill(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const auto number = next();
        const auto length = std::min(bytes.size(), sizeof number);
        std::memcpy(bytes.data(), &number, length);
        bytes = bytes.subspan(length);
    }
}

std::uint64_t Random::below(std::uint64_t bound) {
    assert(bound > 0);
    // numbers below 2^64 mod bound would make some answers likelier than others
    const std::uint64_t unfair = (0 - bound) % bound;
    for (;;)
        if (const auto number = next(); number >= unfair) return number % bound;
}

std::string Random::uuid() {
    std::byte bytes[16];
    fill(bytes);
    bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};  // version 4
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};  // the variant of RFC 4122
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < sizeof bytes; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        out += digits[std::to_integer<std::size_t>(bytes[i] >> 4)];
        out += digits[std::to_integer<std::size_t>(bytes[i] & std::byte{0x0f})];
    }
    return out;
}

std::string Random::text(std::size_t length, std::string_view alphabet) {
    std::string out;
    while (out.size() < length) out += alphabet[below(alphabet.size())];
    return out;
}

namespace {

/// Drawn ahead: asking the kernel for each number took longer than all else that is done for a name.
struct Drawn {
    std::array<std::uint64_t, 32> numbers{};
    std::size_t left = 0;

    std::uint64_t take() {
        if (left == 0) draw();
        return std::exchange(numbers[--left], 0);  // what was given is kept nowhere
    }

private:
    /// Up to 256 bytes come whole or not at all; only a signal before the pool is ready interrupts.
    void draw() {
        while (getrandom(numbers.data(), sizeof numbers, 0) != static_cast<ssize_t>(sizeof numbers))
            if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
        left = numbers.size();
    }
};

class SystemRandom final : public Random {
public:
    std::uint64_t next() override {
        static thread_local Drawn drawn;  // any thread may ask
        return drawn.take();
    }
};

class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t next() override { return engine_(); }

private:
    std::mt19937_64 engine_;  // the standard fixes its numbers, those of its distributions it does not
};

}  // namespace

std::unique_ptr<Random> make_system_random() { return std::make_unique<SystemRandom>(); }
std::unique_ptr<Random> make_seeded_random(std::uint64_t seed) { return std::make_unique<SeededRandom>(seed); }

}  // namespace ocim
