#pragma once

#include "support/raw_socket.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

/// AMQP 0-9-1 as far as logging in goes: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 2.2 and 4.2.
namespace ocim::test {

/// Logs in as a program does, opens the vhost and hangs up. "" when it was let in, else how far it came.
class AmqpLogin {
public:
    explicit AmqpLogin(std::uint16_t port) : socket_(RawSocket::connect(port)) {}

    std::string run(const std::string& user, const std::string& password, const std::string& vhost) {
        socket_.send({"AMQP\0\0\x09\x01", 8});
        if (read_method() != start) return "the server does not greet";
        const std::string nul(1, '\0');
        send_method(start_ok,
                    number(0, 4) + short_text("PLAIN") + long_text(nul + user + nul + password) + short_text("en_US"));
        if (read_method() != tune) return "refused" + said_;
        send_method(tune_ok, arguments_);  // as the server proposes
        send_method(open, short_text(vhost) + short_text("") + number(0, 1));
        if (read_method() != open_ok) return "no access to the vhost" + said_;
        send_method(close, number(200, 2) + short_text("") + number(0, 2) + number(0, 2));
        return read_method() == close_ok ? "" : "the server does not say goodbye";
    }

private:
    // methods of the class connection
    static constexpr unsigned start = 10, start_ok = 11, tune = 30, tune_ok = 31, open = 40, open_ok = 41, close = 50,
                              close_ok = 51, none = 0;

    static std::string number(std::uint64_t value, int bytes) {
        std::string out;
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
        return out;
    }
    static std::string short_text(const std::string& text) { return number(text.size(), 1) + text; }
    static std::string long_text(const std::string& text) { return number(text.size(), 4) + text; }
    static std::uint64_t value_of(std::string_view bytes) {
        std::uint64_t out = 0;
        for (const char c : bytes) out = out << 8 | static_cast<unsigned char>(c);
        return out;
    }

    void send_method(unsigned method, const std::string& arguments) {
        const auto payload = number(10, 2) + number(method, 2) + arguments;
        socket_.send(number(1, 1) + number(0, 2) + number(payload.size(), 4) + payload + "\xce");
    }
    /// Its number, and its arguments aside. `none`: the server hung up.
    unsigned read_method() {
        constexpr std::size_t head = 7;
        while (received_.size() < head || received_.size() < head + value_of(received_.substr(3, 4)) + 1) {
            const auto more = socket_.read_some(std::chrono::seconds(120));
            if (more.empty()) return none;
            received_ += more;
        }
        const auto size = value_of(received_.substr(3, 4));
        const auto payload = received_.substr(head, size);
        received_.erase(0, head + size + 1);
        arguments_ = payload.substr(4);
        const auto method = static_cast<unsigned>(value_of(payload.substr(2, 2)));
        said_ = method == close ? ": " + arguments_.substr(3, value_of(arguments_.substr(2, 1))) : "";
        return method;
    }

    RawSocket socket_;
    std::string received_, arguments_, said_;
};

}  // namespace ocim::test
