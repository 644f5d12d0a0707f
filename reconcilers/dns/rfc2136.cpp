#include "dns/rfc2136.hpp"

#include "dns/message.hpp"
#include "dns/name_server.hpp"
#include "dns/values.hpp"
#include "runtime/bisect.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace ocim::dns {

namespace {

using Update = NameServer::Update;
using Indexes = std::vector<std::size_t>;

constexpr unsigned refusals_max = 16;  // in a row, and nothing was taken: the key may not change the zone at all

Done done(const Action& action) {
    if (action.verb == Action::Verb::delete_) return {{{action.key, std::nullopt}}};
    return {{{action.key, action.set}}};
}

/// What one action asks of the server, and on what condition.
class Piece {
public:
    Piece(const Action& action, const Transferred& zone) : action_(action), zone_(zone) {}

    Result<Update> make() {
        const auto mark = mark_name(action_.key);
        if (!mark)
            return Error{ErrorClass::invalid,
                         action_.key.name + " is too long to be marked as ours by a TXT record beside it"};
        mark_ = Key{*mark, "TXT"};
        const bool marked = zone_.raw.contains(mark_);
        const bool ours = marked && found() && found()->mark;
        expect(mark_, marked);
        if (!ours) expect(action_.key, zone_.raw.contains(action_.key));
        for (const auto& name : action_.release)
            if (name != mark_.name) expect({name, "TXT"}, true);
        if (action_.verb == Action::Verb::delete_) {
            erase(action_.key);
            erase(mark_);
        } else {
            expect_alone();
            put(mark_, {quote_text(mark_text(*action_.set.mark))}, mark_ttl_seconds);
            std::vector<std::string> contents;
            for (const auto& value : action_.set.values) contents.push_back(to_presentation(action_.key.type, value));
            put(action_.key, contents, action_.set.ttl_seconds);
        }
        for (const auto& name : action_.release)
            if (name != mark_.name) erase({name, "TXT"});
        if (wrong_) return *std::move(wrong_);
        if (out_.size() > NameServer::update_bytes_max)
            return Error{ErrorClass::invalid, action_.key.name + " is too large for one message"};
        return std::move(out_);
    }

private:
    const RecordSet* found() const {
        const auto it = zone_.snapshot.find(action_.key);
        return it == zone_.snapshot.end() ? nullptr : &it->second;
    }
    void prerequisite(Result<std::string> record) {
        take(out_.prerequisites, out_.prerequisite_count, std::move(record));
    }
    void change(Result<std::string> record) { take(out_.changes, out_.change_count, std::move(record)); }
    void take(std::string& to, unsigned& count, Result<std::string> record) {
        if (!record) {
            if (!wrong_) wrong_ = std::move(record).error();
            return;
        }
        to += *record;
        ++count;
    }
    /// It is there exactly as it was seen, or it is not there.
    void expect(const Key& key, bool there) {
        if (!there) return prerequisite(wire_empty(key, class_none));
        for (const auto& content : zone_.raw.at(key)) prerequisite(wire_record(key, class_in, 0, content));
    }
    /// Nothing but a CNAME where a CNAME goes, and none where something else goes. What we saw there and goes in the
    /// same message is no condition of the message.
    void expect_alone() {
        const auto& [name, type] = action_.key;
        const auto beside = zone_.raw.lower_bound(Key{name, ""});
        const bool empty = beside == zone_.raw.end() || beside->first.name != name;
        if (type == "CNAME" && empty) prerequisite(wire_empty({name, "ANY"}, class_none));
        if (type != "CNAME" && !zone_.raw.contains({name, "CNAME"}))
            prerequisite(wire_empty({name, "CNAME"}, class_none));
    }
    void erase(const Key& key) {
        if (zone_.raw.contains(key)) change(wire_empty(key, class_any));
    }
    /// Taken away and put anew as a whole: an added record does not change the others' time to live everywhere.
    void put(const Key& key, const std::vector<std::string>& contents, std::int32_t ttl) {
        erase(key);
        for (const auto& content : contents)
            change(wire_record(key, class_in, static_cast<std::uint32_t>(ttl), content));
    }

    const Action& action_;
    const Transferred& zone_;
    Key mark_;
    Update out_;
    std::optional<Error> wrong_;
};

/// The zone as it is once the server has done it.
void apply(const Action& action, Transferred& zone) {
    const Key mark{mark_name(action.key).value_or(""), "TXT"};
    for (const auto& name : action.release) {
        zone.raw.erase({name, "TXT"});
        zone.snapshot.erase({name, "TXT"});
    }
    if (action.verb == Action::Verb::delete_) {
        zone.snapshot.erase(action.key);
        zone.raw.erase(action.key);
        zone.raw.erase(mark);
        return;
    }
    zone.snapshot[action.key] = action.set;
    zone.raw[mark] = {quote_text(mark_text(*action.set.mark))};
    auto& raw = zone.raw[action.key];
    raw.clear();
    for (const auto& value : action.set.values) raw.push_back(to_presentation(action.key.type, value));
}

/// A CNAME that would stand beside something, with which no message can be made.
std::optional<Key> beside(const std::vector<Action>& actions, const Action& action, const Transferred& zone) {
    if (action.verb == Action::Verb::delete_) return std::nullopt;
    const auto& [name, type] = action.key;
    for (auto it = zone.raw.lower_bound(Key{name, ""}); it != zone.raw.end() && it->first.name == name; ++it) {
        const auto& other = it->first;
        if (other == action.key || (type != "CNAME" && other.type != "CNAME")) continue;
        const auto goes = [&other](const Action& one) {
            const bool released =
                other.type == "TXT" && std::ranges::find(one.release, other.name) != one.release.end();
            return released || (one.key == other && one.verb == Action::Verb::delete_);
        };
        if (std::ranges::none_of(actions, goes)) return other;
    }
    return std::nullopt;
}

class Rfc2136 final : public Zone {
public:
    Rfc2136(const runtime::Services& services, Rfc2136Settings settings) : server_(services, std::move(settings)) {}

    awaitable<Result<Snapshot>> observe() override {
        CO_TRY(auto zone, co_await server_.transfer());
        co_return std::move(zone.snapshot);
    }

    awaitable<Result<void>> probe() override { co_return co_await server_.probe(); }

    awaitable<void> act(std::vector<Action> actions, Results& results) override {
        auto looked = co_await server_.transfer();
        if (!looked) {
            auto error = std::move(looked).error();
            error.outcome_unknown = false;  // it was only a look
            for (std::size_t i = 0; i < actions.size(); ++i) results.set(i, error);
            co_return;
        }
        Pass pass{actions, *std::move(looked), {}, std::nullopt, {}, 0};
        const auto writes = sort_out(pass, results);
        std::function<awaitable<Result<void>>(Indexes)> send_batch = [this, &pass](Indexes batch) {
            return send(pass, std::move(batch));
        };
        std::function<void(const std::size_t&, const Result<void>&)> report = [&](const std::size_t& i,
                                                                                  const Result<void>& result) {
            if (result) return results.set(i, done(actions[i]));
            const auto better = pass.reasons.find(i);
            results.set(i, better == pass.reasons.end() || result.error().error_class != ErrorClass::invalid
                               ? result.error()
                               : better->second);
        };
        for (std::size_t begin = 0; begin < writes.size();) {
            const auto end = batch_end(pass, writes, begin);
            Indexes batch(writes.begin() + static_cast<std::ptrdiff_t>(begin),
                          writes.begin() + static_cast<std::ptrdiff_t>(end));
            co_await runtime::act_bisecting(std::move(batch), send_batch, report);
            begin = end;
        }
    }

private:
    struct Pass {
        const std::vector<Action>& actions;
        Transferred zone;                      ///< as it is now, so far as we know
        std::map<std::size_t, Error> reasons;  ///< why the server did not want an action by itself
        std::optional<Error> stopped;          ///< why nothing more is sent: it concerns the whole zone
        std::set<std::size_t> taken;
        unsigned refusals = 0;  ///< in a row
    };

    /// What is to be sent, deletions first: a CNAME that goes makes room for what comes at its name.
    static Indexes sort_out(const Pass& pass, Results& results) {
        Indexes writes, deletions;
        for (std::size_t i = 0; i < pass.actions.size(); ++i) {
            const auto& action = pass.actions[i];
            const auto found = pass.zone.snapshot.find(action.key);
            const auto wanted = still_wanted(action, found == pass.zone.snapshot.end() ? nullptr : &found->second);
            if (!wanted)
                results.set(i, wanted.error());
            else if (!*wanted)
                results.set(i, done(action));
            else if (const auto other = beside(pass.actions, action, pass.zone))
                results.set(i, Error{ErrorClass::conflict, action.key.type + " " + action.key.name +
                                                               " cannot stand beside the " + other->type + " there"});
            else
                (action.verb == Action::Verb::delete_ ? deletions : writes).push_back(i);
        }
        writes.insert(writes.begin(), deletions.begin(), deletions.end());
        return writes;
    }

    /// As many as fit into one message; never one key twice.
    static std::size_t batch_end(const Pass& pass, const Indexes& writes, std::size_t begin) {
        std::set<Key> keys;
        std::size_t bytes = 0, end = begin;
        for (; end < writes.size(); ++end) {
            const auto& action = pass.actions[writes[end]];
            const auto piece = Piece(action, pass.zone).make();
            bytes += piece ? piece->size() : 0;
            const bool fits = bytes <= NameServer::update_bytes_max && keys.insert(action.key).second;
            if (!fits && end > begin) break;
        }
        return end;
    }

    awaitable<Result<void>> send(Pass& pass, Indexes batch) {
        if (pass.stopped) co_return *pass.stopped;
        Update update;
        for (const auto i : batch) {
            auto piece = Piece(pass.actions[i], pass.zone).make();
            if (!piece) co_return std::move(piece).error();
            update.add(*piece);
        }
        auto answer = co_await server_.update(std::move(update));
        if (!answer) co_return stop(pass, std::move(answer).error());
        if (*answer == 0) {
            pass.refusals = 0;
            for (const auto i : batch) {
                apply(pass.actions[i], pass.zone);
                pass.taken.insert(i);
            }
            co_return Result<void>{};
        }
        pass.refusals = *answer == rcode_refused ? pass.refusals + 1 : 0;
        const bool alone = batch.size() == 1;
        if (pass.taken.empty() &&
            (pass.refusals >= refusals_max ||
             (alone && pass.actions.size() > 1 && pass.refusals > 1 && pass.refusals >= pass.actions.size())))
            co_return stop(pass, {ErrorClass::auth,
                                  "the server refuses every change (REFUSED): allow the key to update the zone"});
        if (alone) pass.reasons.insert_or_assign(batch[0], reason(pass.actions[batch[0]], *answer));
        co_return Error{ErrorClass::invalid, "the server refuses the batch (rcode " + std::to_string(*answer) + ")"};
    }

    static Error stop(Pass& pass, Error error) {
        pass.stopped = error;
        pass.stopped->outcome_unknown = false;  // what is not sent cannot have happened
        return error;
    }

    static Error reason(const Action& action, unsigned rcode) {
        const auto what = action.key.type + " " + action.key.name;
        if (is_prerequisite_failure(rcode))
            return {ErrorClass::conflict, what + " was changed by another since we looked"};
        if (rcode == rcode_not_in_zone) return {ErrorClass::invalid, what + " is not in the zone (NOTZONE)"};
        if (rcode == rcode_format_error) return {ErrorClass::invalid, "the server cannot read " + what + " (FORMERR)"};
        // a policy that a person may widen, or a server that has too much to do: asked again
        return {
            ErrorClass::rate_limited,
            "the server refuses to change " + what +
                " (REFUSED): its policy does not let the key do it, or one of its checks (BIND wants an address for "
                "the host of an MX in the same zone); its log says which"};
    }

    NameServer server_;
};

}  // namespace

std::unique_ptr<Zone> open_rfc2136(const runtime::Services& services, Rfc2136Settings settings) {
    return std::make_unique<Rfc2136>(services, std::move(settings));
}

}  // namespace ocim::dns
