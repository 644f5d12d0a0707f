#include "cli/identity.hpp"

#include <unistd.h>
#include <climits>

namespace ocim::cli {

std::string process_identity(Random& random) {
    char host[HOST_NAME_MAX + 1] = {};
    ::gethostname(host, sizeof host - 1);
    return std::string(host) + "_" + random.uuid();
}

}  // namespace ocim::cli
