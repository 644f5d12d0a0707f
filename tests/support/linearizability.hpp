#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// Whether what clients were told about objects can be explained by one order of all operations, each taking effect
/// at one moment between its call and its end.
namespace ocim::test {

/// One operation of one client on one object.
struct Operation {
    enum class Kind { create, get, update, patch, remove };
    enum class Answer {
        ok,
        absent,    ///< 404
        exists,    ///< 409 to a create
        conflict,  ///< 409: the resourceVersion is another one
        unknown,   ///< no answer: it may have happened, may still happen, or never
    };
    Kind kind = Kind::get;
    Answer answer = Answer::unknown;
    std::string key;
    std::uint64_t value = 0;     ///< written, no other write has the same; of a get: read
    std::uint64_t expected = 0;  ///< resourceVersion that the write asks for; 0: any
    std::uint64_t revision = 0;  ///< resourceVersion of the answer, when ok
    std::int64_t call = 0, end = 0;
};

/// Empty when the history is linearizable; else what cannot be explained. Leave out operations that were refused
/// for other reasons: they must have had no effect.
std::string violation_of(const std::vector<Operation>& history);

std::string describe(const Operation& operation);

}  // namespace ocim::test
