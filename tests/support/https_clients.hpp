#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// Many HTTPS clients in one thread, for load and for tests of concurrency. They understand what our own server says,
/// no more.
namespace ocim::test {

/// Where an `ocim serve` listens, and an administrator's files.
struct Endpoint {
    std::uint16_t port = 0;
    std::string ca_file, certificate_file, key_file;

    /// As the data directory of a server that is ready says.
    static Endpoint in(const std::string& data_directory);
};

/// A whole request, to be sent as it is.
std::string http_request(std::string_view method, std::string_view target, std::string_view body = "",
                         std::string_view content_type = "application/json");

class HttpsClients {
public:
    using Time = std::chrono::steady_clock::time_point;
    struct Reply {
        unsigned status = 0;
        std::string_view body;
        Time sent, received;
    };
    /// What the clients hear. May send further requests at once.
    class Listener {
    public:
        virtual ~Listener() = default;
        virtual void answered(std::size_t client, const Reply& reply) = 0;
        /// One line of a stream.
        virtual void line(std::size_t, std::string_view, Time) {}
        /// The stream ended in order; the connection lives.
        virtual void stream_ended(std::size_t) {}
        /// The connection is gone; `in_flight`: with a request that has no answer yet.
        virtual void lost(std::size_t client, bool in_flight) = 0;
    };

    /// Both must outlive it. Throws when the certificates cannot be read.
    HttpsClients(Endpoint endpoint, Listener& listener);
    ~HttpsClients();
    HttpsClients(const HttpsClients&) = delete;
    HttpsClients& operator=(const HttpsClients&) = delete;

    std::size_t size() const;
    /// A new client, not connected.
    std::size_t add();
    /// Waits for the handshake. False when nobody answers.
    bool connect(std::size_t client);
    void disconnect(std::size_t client);
    bool connected(std::size_t client) const;
    /// One request at a time; connected only.
    void send(std::size_t client, std::string request);
    /// Waits for something to happen, at most `most`, and tells the listener all that did.
    void run(std::chrono::milliseconds most);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim::test
