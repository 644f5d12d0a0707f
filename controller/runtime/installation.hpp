#pragma once

#include "client/client.hpp"

#include <string>

namespace ocim {
class Random;
}

/// Who we are in the marks on everything that we make.
namespace ocim::runtime {

/// 1 to 32 of a-z, 0-9 and "-", the first and the last no "-". Error: invalid.
Result<void> check_installation_id(const std::string& id);

/// The id that this installation has: what the ConfigMap ocim-system/ocim-installation says, which is made when there
/// is none, of `wanted` or, if that is empty, drawn. An id never changes, because everything that was made carries it.
/// Errors: invalid when it is another one than `wanted`, or cannot be read; those of the client.
awaitable<Result<std::string>> learn_installation(client::Client& client, Random& random, std::string wanted);

}  // namespace ocim::runtime
