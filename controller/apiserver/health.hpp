#pragma once

#include "apiserver/route.hpp"
#include "net/http_server.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ocim::apiserver {

/// What /livez, /readyz and /healthz say.
class Health {
public:
    /// Nothing when all is well, else why not.
    using Check = std::function<std::optional<std::string>()>;

    /// A check of readiness; being alive is answering at all. Names are lower case with dashes.
    void add(std::string name, Check check) { checks_.emplace_back(std::move(name), std::move(check)); }

    /// Nothing when the path is none of these.
    std::optional<net::ServerReply> answer(const Route& route, const Query& query) const;

private:
    std::vector<std::pair<std::string, Check>> checks_;
};

}  // namespace ocim::apiserver
