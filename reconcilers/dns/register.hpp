#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::dns {

void register_kinds(runtime::Manager& manager);

}  // namespace ocim::dns
