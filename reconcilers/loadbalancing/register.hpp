#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::loadbalancing {

void register_kinds(runtime::Manager& manager);

}  // namespace ocim::loadbalancing
