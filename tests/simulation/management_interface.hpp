#pragma once

#include "messaging/broker.hpp"
#include "net/http_client.hpp"

namespace ocim::simulation {

/// RabbitMQ's management interface over what a broker holds: what it answers, and what a request does there.
net::HttpReply answer_as_rabbitmq(messaging::Snapshot& things, const net::HttpRequest& request);

}  // namespace ocim::simulation
