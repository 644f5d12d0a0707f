#pragma once

#include "base/secret.hpp"
#include "messaging/broker.hpp"
#include "net/http_client.hpp"
#include "runtime/kinds.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace ocim::messaging {

struct RabbitMQSettings {
    std::string username;
    Secret password;
    std::size_t at_a_time = 1;  ///< calls
};

/// A broker, by its management interface.
std::unique_ptr<Broker> open_rabbitmq(std::unique_ptr<net::HttpClient> http, RabbitMQSettings settings,
                                      const runtime::Services& services);

}  // namespace ocim::messaging
