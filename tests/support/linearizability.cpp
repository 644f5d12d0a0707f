#include "support/linearizability.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>

namespace ocim::test {

namespace {

using Kind = Operation::Kind;
using Answer = Operation::Answer;

constexpr std::size_t states_max = 200'000;  // then a history counts as undecided
constexpr auto never = std::numeric_limits<std::int64_t>::max();

bool writes(const Operation& op) {
    return op.kind == Kind::create || op.kind == Kind::update || op.kind == Kind::patch;
}

/// An object: the value of the write that made it what it is; 0: it is not there. No two writes have one value, so it
/// says the revision too.
using State = std::uint64_t;

/// The operations on one key, in the order of their calls. The search of Wing and Gong, with Lowe's memory of what was
/// tried; revisions say in which order the writes were.
class Search {
public:
    explicit Search(std::vector<Operation> ops) : ops_(std::move(ops)) {
        // a read without an answer says nothing
        std::erase_if(ops_, [](const Operation& op) { return op.kind == Kind::get && op.answer == Answer::unknown; });
        std::ranges::sort(ops_, {}, &Operation::call);
        done_.assign(ops_.size(), '0');
        for (auto& op : ops_) {
            if (op.answer == Answer::unknown)
                op.end = never;
            else
                ++left_;
            if (op.answer == Answer::ok && op.revision != 0) revision_of_[op.value] = op.revision;
        }
        for (std::size_t i = 0; i < ops_.size(); ++i)
            if (writes(ops_[i]) && effective(ops_[i]) && revision_of_.contains(ops_[i].value)) in_order_.push_back(i);
        std::ranges::sort(in_order_, {}, [this](std::size_t i) { return revision_of_[ops_[i].value]; });
    }

    std::string violation() {
        if (auto wrong = two_revisions(); !wrong.empty()) return wrong;
        if (explain(0, 0, 0)) return {};
        std::string out = states_ >= states_max ? "undecided, too many orders" : "no order explains it";
        return out + ": " + ops_.front().key + ", after " + std::to_string(deepest_) + " operations, state " +
               std::to_string(stuck_) + ":" + stuck_at_;
    }

private:
    /// One value that was seen at two revisions.
    std::string two_revisions() const {
        for (const auto& op : ops_)
            if (op.answer == Answer::ok && op.revision != 0 && revision_of_.at(op.value) != op.revision)
                return "one write at two revisions: " + describe(op);
        return {};
    }

    /// The state after `op`, or nothing when its answer does not fit.
    std::optional<State> after(const Operation& op, State state) const {
        const bool there = state != 0;
        const bool matches = op.expected == 0 || (there && revision_of(state) == op.expected);
        switch (op.answer) {
            case Answer::absent: return there ? std::nullopt : std::optional(state);
            case Answer::exists: return there ? std::optional(state) : std::nullopt;
            case Answer::conflict: return there && !matches ? std::optional(state) : std::nullopt;
            case Answer::ok:
            case Answer::unknown: break;
        }
        switch (op.kind) {
            case Kind::get: return state == op.value ? std::optional(state) : std::nullopt;
            case Kind::create: return there ? std::nullopt : std::optional(op.value);
            case Kind::update:
            case Kind::patch: return there && matches ? std::optional(op.value) : std::nullopt;
            case Kind::remove: return there && matches ? std::optional(State{0}) : std::nullopt;
        }
        return std::nullopt;
    }
    /// 0 when nobody ever saw it, and so nobody can have asked for it.
    std::uint64_t revision_of(State state) const {
        const auto found = revision_of_.find(state);
        return found == revision_of_.end() ? 0 : found->second;
    }

    /// `first`: all operations before that one are done; `write`: so are the writes of known revision before that one.
    bool explain(State state, std::size_t first, std::size_t write) {
        const auto seen = see(state, first);
        if (left_ == 0) return true;
        while (done_[first] == '1') ++first;
        const auto next = candidates(first);
        remember(next, state);
        for (const auto i : next) {
            const auto then = after(ops_[i], state);
            if (!then || !effective(ops_[i])) continue;
            const bool ordered = writes(ops_[i]) && revision_of_.contains(ops_[i].value);
            if (ordered && in_order_[write] != i) continue;
            mark(i);
            if (states_ < states_max && is_new(*then) && explain(*then, first, write + (ordered ? 1 : 0))) return true;
            unmark(i);
        }
        for (const auto i : seen) unmark(i);
        return false;
    }

    /// What changes nothing and fits may as well have happened now.
    std::vector<std::size_t> see(State state, std::size_t first) {
        std::vector<std::size_t> out;
        for (bool more = true; more && left_ > 0;) {
            more = false;
            while (done_[first] == '1') ++first;
            for (const auto i : candidates(first)) {
                if (effective(ops_[i]) || !after(ops_[i], state)) continue;
                mark(i);
                out.push_back(i);
                more = true;
            }
        }
        return out;
    }

    static bool effective(const Operation& op) {
        return op.kind != Kind::get && (op.answer == Answer::ok || op.answer == Answer::unknown);
    }
    void mark(std::size_t i) {
        done_[i] = '1';
        if (ops_[i].answer != Answer::unknown) --left_;
    }
    void unmark(std::size_t i) {
        done_[i] = '0';
        if (ops_[i].answer != Answer::unknown) ++left_;
    }

    /// What may come next: called before the first end of those that must still come. Those that were answered first,
    /// in the order of their ends.
    std::vector<std::size_t> candidates(std::size_t first) const {
        auto first_end = never;
        std::vector<std::size_t> out;
        for (auto i = first; i < ops_.size() && ops_[i].call <= first_end; ++i) {
            if (done_[i] == '1') continue;
            out.push_back(i);
            first_end = std::min(first_end, ops_[i].end);
        }
        std::erase_if(out, [&](std::size_t i) { return ops_[i].call > first_end; });
        std::ranges::sort(out, {}, [&](std::size_t i) { return ops_[i].end; });
        return out;
    }

    /// Whether this was not tried. Those without an answer may come whenever it suits, so to have used fewer of them is
    /// as good as anything.
    bool is_new(State state) {
        std::string told, others;
        for (std::size_t i = 0; i < ops_.size(); ++i) (ops_[i].answer == Answer::unknown ? others : told) += done_[i];
        auto& before = tried_[told + ' ' + std::to_string(state)];
        for (const auto& fewer : before)
            if (std::ranges::equal(fewer, others, [](char a, char b) { return a <= b; })) return false;
        before.push_back(std::move(others));
        ++states_;
        return true;
    }

    void remember(const std::vector<std::size_t>& next, State state) {
        const auto depth = static_cast<std::size_t>(std::ranges::count(done_, '1'));
        if (depth < deepest_ && !stuck_at_.empty()) return;
        deepest_ = depth;
        stuck_ = state;
        stuck_at_.clear();
        for (const auto i : next) stuck_at_ += "\n  " + describe(ops_[i]);
    }

    std::vector<Operation> ops_;
    std::string done_;                                    ///< '1' for each that is in the order so far
    std::size_t left_ = 0;                                ///< of those that were answered
    std::map<std::uint64_t, std::uint64_t> revision_of_;  ///< of each value of which somebody heard
    std::vector<std::size_t> in_order_;                   ///< the writes of those, by revision
    /// By state and the answered operations done: what was tried of the others.
    std::unordered_map<std::string, std::vector<std::string>> tried_;
    std::size_t states_ = 0;

    std::size_t deepest_ = 0;
    State stuck_ = 0;
    std::string stuck_at_;
};

/// Revisions grow with time, over all keys.
std::string backwards(const std::vector<Operation>& history) {
    std::vector<const Operation*> by_call, by_end;
    for (const auto& op : history)
        if (writes(op) && op.answer == Answer::ok) by_call.push_back(&op);
    by_end = by_call;
    std::ranges::sort(by_call, {}, &Operation::call);
    std::ranges::sort(by_end, {}, &Operation::end);
    const Operation* newest = nullptr;
    auto ended = by_end.begin();
    for (const auto* op : by_call) {
        for (; ended != by_end.end() && (*ended)->end < op->call; ++ended)
            if (!newest || (*ended)->revision > newest->revision) newest = *ended;
        if (newest && op->revision <= newest->revision)
            return "revisions went backwards:\n  " + describe(*newest) + "\n  " + describe(*op);
    }
    return {};
}

}  // namespace

std::string violation_of(const std::vector<Operation>& history) {
    if (auto wrong = backwards(history); !wrong.empty()) return wrong;
    std::map<std::string, std::vector<Operation>> by_key;
    for (const auto& op : history) by_key[op.key].push_back(op);
    for (auto& [key, ops] : by_key) {
        Search search(std::move(ops));
        if (auto wrong = search.violation(); !wrong.empty()) return wrong;
    }
    return {};
}

std::string describe(const Operation& op) {
    constexpr const char* kinds[] = {"create", "get", "update", "patch", "delete"};
    constexpr const char* answers[] = {"ok", "absent", "exists", "conflict", "unknown"};
    auto out = std::string(kinds[static_cast<int>(op.kind)]) + " " + op.key;
    if (op.value != 0) out += " value " + std::to_string(op.value);
    if (op.expected != 0) out += " if at " + std::to_string(op.expected);
    out += std::string(": ") + answers[static_cast<int>(op.answer)];
    if (op.revision != 0) out += " at " + std::to_string(op.revision);
    return out + " [" + std::to_string(op.call) + ", " + std::to_string(op.end) + "]";
}

}  // namespace ocim::test
