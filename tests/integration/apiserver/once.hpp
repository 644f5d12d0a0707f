#pragma once

#include "load.hpp"

#include <map>
#include <stdexcept>
#include <string>

namespace ocim::test {

/// One answer to one request.
class Once final : public HttpsClients::Listener {
public:
    explicit Once(const Endpoint& endpoint) : client_(endpoint, *this) { client_.add(); }
    std::string ask(const std::string& request) {
        body_.clear();
        while (!client_.connected(0) && !client_.connect(0)) {}
        client_.send(0, request);
        while (body_.empty()) client_.run(std::chrono::milliseconds(100));
        return body_;
    }

private:
    void answered(std::size_t, const HttpsClients::Reply& reply) override { body_ = reply.body; }
    void lost(std::size_t, bool) override { throw std::runtime_error("the server hung up"); }
    HttpsClients client_;
    std::string body_;
};

/// Object by object, its value; not those that the server made for itself.
inline std::map<std::string, std::uint64_t> state_of(const std::string& list) {
    std::map<std::string, std::uint64_t> out;
    constexpr std::string_view name = R"("metadata":{"name":")";
    for (auto at = list.find(name); at != std::string::npos; at = list.find(name, at + 1)) {
        const auto object = std::string_view(list).substr(at);
        out.emplace(text_after(object, name), number_of(text_after(object, R"("data":{"value":")")));
    }
    return out;
}

}  // namespace ocim::test
