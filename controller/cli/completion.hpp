#pragma once

#include <span>
#include <string>

namespace ocim::cli {

/// What may stand where the last of `words` (those after "ocim") is being typed: one a line on stdout. ":files" for
/// files. Never complains: nobody would see it where it belongs.
int complete(std::span<const std::string> words);

}  // namespace ocim::cli
