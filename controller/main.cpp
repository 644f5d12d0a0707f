#include "cli/cli.hpp"

#include <stdlib.h>
#include <vector>

/// For jemalloc, where the program is linked with it: one arena, because one thread does nearly all, and memory that is
/// free for half a second goes back to the system, by a thread of jemalloc's: an idle program does not ask for any.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:1,dirty_decay_ms:500,muzzy_decay_ms:0,background_thread:true";
}

int main(int count, char** arguments) {
    // libmongoc's counters, which nobody reads: they would outlive a process that is killed, in /dev/shm, and where
    // there is none be complained of. Said before there are threads.
    ::setenv("MONGOC_DISABLE_SHM", "1", 1);
    const std::vector<std::string> words(arguments + 1, arguments + count);
    return ocim::cli::run(words);
}
