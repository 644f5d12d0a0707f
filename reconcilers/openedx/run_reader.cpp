#include "openedx/run_reader.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::openedx {
namespace {

/// One reader of the look script's words.
class LookReader {
public:
    explicit LookReader(std::string_view text) : rest_(text) {}

    Result<RunSnapshot> read() {
        RunSnapshot out;
        Run* run = nullptr;
        std::string word, value;
        bool alive = false, started = false;
        const auto close = [&] {
            if (run) run->state = state_of(*run, alive, started);
        };
        while (line(word, value)) {
            if (word == "run") {
                close();
                run = &out[value];
                alive = started = false;
            } else if (!run) {
                return Error{ErrorClass::transient, "the machine's list of runs begins with \"" + word + "\""};
            } else if (word == "tail") {
                auto tail = bytes(value);
                if (!tail) return std::move(tail).error();
                run->tail = valid_utf8(*tail);
            } else {
                note(*run, word, value);
                alive = alive || word == "alive";
                started = started || word == "started";
            }
        }
        close();
        return out;
    }

private:
    static Run::State state_of(const Run& run, bool alive, bool started) {
        if (run.exit_code) return Run::State::finished;
        if (alive) return Run::State::running;
        return started ? Run::State::lost : Run::State::prepared;
    }
    static void note(Run& run, const std::string& word, const std::string& value) {
        if (word == "mark") run.mark = runtime::Mark::parse(value);
        if (word == "commit") run.commit = value;
        if (word == "started") run.started_at = value;
        if (word == "finished") run.finished_at = value;
        if (word == "step") run.step = value;
        if (word == "gaveup") run.gave_up = value;
        if (word == "task") run.current_task = value;
        if (word == "failed") run.failed_task = value;
        if (word == "bytes") run.log_bytes = number(value);
        if (word == "asks") run.drawn.emplace();
        if (word == "lines") run.line_bytes = number(value);
        if (word == "verified") run.verified_at = value;
        if (word == "waited") {
            run.waited_seconds = number(value);
            run.unanswered.emplace();
        }
        if (run.unanswered) note_check(*run.unanswered, word, value);
        if (word == "exit") run.exit_code = static_cast<std::int32_t>(number(value));
    }
    static void note_check(RunCheck& check, const std::string& word, const std::string& value) {
        if (word == "check.port") check.port = static_cast<std::int32_t>(number(value));
        if (word == "check.path") check.path = value;
        if (word == "check.host") check.host = value;
        if (word == "check.expected") check.expected_status = value;
        if (word == "check.authorization") check.authorization = Secret(value);
    }
    static std::int64_t number(const std::string& text) {
        std::int64_t out = 0;
        std::from_chars(text.data(), text.data() + text.size(), out);
        return out;
    }
    bool line(std::string& word, std::string& value) {
        while (rest_.starts_with('\n')) rest_.remove_prefix(1);
        if (rest_.empty()) return false;
        const auto end = std::min(rest_.find('\n'), rest_.size());
        const auto text = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        const auto space = std::min(text.find(' '), text.size());
        word = text.substr(0, space);
        value = space < text.size() ? valid_utf8(text.substr(space + 1)) : "";
        return true;
    }
    Result<std::string> bytes(const std::string& length) {
        const auto count = static_cast<std::size_t>(number(length));
        if (count > rest_.size()) return Error{ErrorClass::transient, "the machine's list of runs was cut short"};
        std::string out(rest_.substr(0, count));
        rest_.remove_prefix(count);
        return out;
    }

    std::string_view rest_;
};

}  // namespace

Result<RunSnapshot> read_runs(std::string_view text) { return LookReader(text).read(); }

}  // namespace ocim::openedx
