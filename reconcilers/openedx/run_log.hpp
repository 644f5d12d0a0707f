#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace ocim::openedx {

/// The log of one run as it is kept here: pieces in one folder, each a file named by where in the log it begins, the
/// oldest of which go when there are too many; a note of how much of the machine's log they hold, and of which part
/// came when. All functions block.
class RunLog {
public:
    explicit RunLog(std::string folder) : folder_(std::move(folder)) {}

    struct Position {
        std::int64_t fetched = 0;  ///< bytes of the machine's log
        std::int64_t end = 0;      ///< bytes of ours, which differs by what was masked; those that went count
        std::int64_t timed = 0;    ///< the second of 1970 and later that was noted last
    };
    Position position() const;

    /// Adds a piece of the machine's log that began at `fetched` and has `raw_bytes` there; what a crash left behind
    /// the note is cut off first. Does nothing when another piece from there was quicker. `now`: when it came. Error:
    /// transient.
    Result<void> append(std::int64_t fetched, std::int64_t raw_bytes, std::string_view text, WallTime now) const;

    struct Piece {
        std::string text;       ///< empty at the end
        std::int64_t next = 0;  ///< where to go on
    };
    /// From `offset` on; from the oldest that is kept when that is gone.
    Piece read(std::int64_t offset, std::size_t bytes_max) const;
    /// Where the last `count` lines begin.
    std::int64_t begin_of_last_lines(std::int64_t count) const;
    /// Where what came at `time` or later begins; the beginning when it was not noted what came when.
    std::int64_t begin_since(WallTime time) const;
    void remove() const;

private:
    void note_time(std::int64_t begin, std::int64_t second) const;

    std::string folder_;
};

/// The folder of one run's log: "<data directory>/logs/<namespace>/<run>/<uid>". Empty when a part could lead
/// elsewhere: a machine may have written it.
std::string log_folder(const std::string& data_directory, const std::string& namespace_name, const std::string& uid);
/// The uids of the runs that have a log here.
std::set<std::string> logged_runs(const std::string& data_directory);
/// Removes the log of a run, whatever namespace and name it had.
void remove_log(const std::string& data_directory, const std::string& uid);

}  // namespace ocim::openedx
