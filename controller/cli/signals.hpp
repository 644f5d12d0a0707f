#pragma once

namespace ocim::cli {

/// Writing to a peer that has gone is an error where it happens, not the end of the program. A handler, not SIG_IGN:
/// programs that we start do not inherit it.
void survive_broken_pipes();

}  // namespace ocim::cli
