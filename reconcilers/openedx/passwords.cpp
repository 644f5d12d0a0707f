#include "openedx/passwords.hpp"

#include "crd/databasetenants.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "openedx/mongodb_layout.hpp"
#include "openedx/readiness.hpp"
#include "openedx/site.hpp"
#include "runtime/base64.hpp"
#include "runtime/rotation.hpp"

#include <boost/algorithm/string/join.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace ocim::openedx {
namespace {

using Names = std::set<std::string>;
using Form = runtime::Generate::Form;
using Rollout = crd::Instance::Spec::Rollout;

constexpr auto condition = "PasswordsReplaced";

/// One value of the Secret that is replaced.
struct Value {
    std::string key;
    runtime::Generate form;
    std::string first{}, other{};  ///< accounts that take turns, where one lets in one password only
};

class Replacing {
public:
    Replacing(const crd::Instance& instance, const runtime::Children& children, const runtime::Inputs& inputs,
              const Stage& stage)
        : instance_(instance),
          children_(children),
          inputs_(inputs),
          stage_(stage),
          names_(instance.metadata.name),
          secret_(children.find(api::secret_kind, names_.secrets)) {}

    Replacement look() {
        read_wish();
        if (!secret_ || !instance_.status.placement || !instance_.status.names) return std::move(out_);
        const auto secrets = read_secrets(*secret_, instance_.status);
        if (!secrets) return std::move(out_);
        drawn_at_ = secrets->drawn_at;
        find_values(*secrets);
        if (values_.empty()) {
            if (asked_) say("True", "NothingToReplace", "this site's databases are on its own machine");
            return std::move(out_);
        }
        if (any(runtime::next_key))
            let_in(*secrets);
        else if (any(runtime::previous_key))
            hand_over();
        else
            begin(*secrets);
        return std::move(out_);
    }

private:
    void read_wish() {
        const auto text = runtime::asked_in(instance_.metadata.annotations);
        if (text.empty()) return;
        asked_ = runtime::asked_time(text);
        if (!asked_)
            say("False", "InvalidTime",
                "the annotation " + std::string(runtime::rotate_at_annotation) +
                    " holds no time; write it like 2026-11-23T20:00:00Z");
    }

    void find_values(const SiteSecrets& secrets) {
        const auto& placement = *instance_.status.placement;
        const auto& names = *instance_.status.names;
        if (!placement.mysql) return;
        Value mysql{secret_keys::mysql_key, {Form::alphanumeric, 32}};
        if (placement.mongodb) {
            const auto turns = mongodb_turns(names, secrets);
            Value brought{secret_keys::mongodb_password, {Form::alphanumeric, 64}};
            auto& value = secrets.mongodb_password.empty() ? mysql : brought;
            std::tie(value.first, value.other) = turns;
            if (!secrets.mongodb_password.empty()) values_.push_back(std::move(brought));
        }
        values_.push_back(std::move(mysql));
        if (!placement.rabbitmq) return;
        for (const auto& [key, user] :
             {std::pair{secret_keys::provider_password, names.rabbitmq_provider.value_or("")},
              std::pair{secret_keys::consumer_password, names.rabbitmq_consumer.value_or("")}})
            values_.push_back({key, {Form::alphanumeric, 64}, user, user + "-2"});  // as RabbitMQVhosts name the other
    }

    // --- the steps

    void begin(const SiteSecrets& secrets) {
        const auto since = parse_rfc3339(
            drawn_at_.empty() ? std::string(api::find_text(*secret_, {"metadata", "creationTimestamp"})) : drawn_at_);
        // what is of unknown age is not old
        if (!asked_ || !since || *asked_ <= *since) return tell_the_end(secrets);
        if (inputs_.now < *asked_) {
            out_.due_at = asked_;
            return say("False", "Scheduled", "passwords are replaced at " + rfc3339(*asked_));
        }
        if (const auto awaited = lacking(secrets, false, true))
            return say("False", "WaitingForBackends", "before new passwords are drawn: " + *awaited);
        auto& edit = step({});
        set(edit, next_due(), rfc3339(*asked_));
        for (const auto& value : values_) {
            edit.draw[runtime::next_key(value.key)] = value.form;
            if (!value.first.empty() && text(runtime::username_key(value.key)).empty())
                set(edit, runtime::username_key(value.key), value.first);
        }
        say("False", "Drawing", "new passwords are drawn");
    }

    void tell_the_end(const SiteSecrets& secrets) {
        if (drawn_at_.empty() || out_.finding) return;
        if (const auto awaited = lacking(secrets, false, false))
            return say("False", "EndingFormer", "the former passwords are to be refused: " + *awaited);
        say("True", "Replaced", "those drawn at " + drawn_at_ + " are in use, and no others are let in");
    }

    /// The new ones are drawn and nobody has them yet.
    void let_in(const SiteSecrets& secrets) {
        if (!asked_) {  // taken back while that is still possible
            drop_next(step({}));
            return say("False", "TakenBack", "nobody asks for new passwords any more");
        }
        if (const auto awaited = lacking(secrets, true, true))
            return say("False", "LettingIn",
                       "new passwords are drawn, and nothing uses them before they are let in: " + *awaited);
        auto& edit = step({false, "PasswordsReplaced",
                           "New passwords for databases and broker are in use from the next AppServer on; the former "
                           "ones are let in until no AppServer has them."});
        for (const auto& value : values_) {
            const auto next = text(runtime::next_key(value.key));
            if (next.empty()) continue;
            set(edit, runtime::previous_key(value.key), text(value.key));
            set(edit, value.key, next);
            const auto username = runtime::username_key(value.key);
            if (!value.first.empty()) set(edit, username, text(username) == value.other ? value.first : value.other);
        }
        set(edit, rotated_at(), runtime::rotated_time(inputs_.now, text(next_due())));
        drop_next(edit);
        say("False", "Replacing", "the new passwords are let in and become the site's");
    }

    /// The new ones are the site's, and the former ones are let in until the last AppServer that has them is gone.
    void hand_over() {
        const auto left = users_of_former();
        if (!left.empty()) return tell_who_is_left(boost::algorithm::join(left, ", "));
        if (!offered())
            return say("False", "RollingOut", "the configuration for new AppServers gets the new passwords");
        drop(step({false, "FormerPasswordsEnded", "No AppServer has the former passwords any more: they are refused."}),
             runtime::previous_key);
        say("False", "EndingFormer", "no AppServer has the former passwords any more; they are to be refused");
    }
    void tell_who_is_left(const std::string& left) {
        const auto until = "the former passwords are let in until these AppServers, which have them, are gone: " + left;
        if (instance_.spec.archived) return say("False", "FormerInUse", until);
        if (instance_.spec.rollout.strategy == Rollout::Strategy::manual)
            return say(
                "False", "SwitchAwaited",
                "make an AppServer, which gets the new passwords, let it serve, and delete the others; " + until);
        if (stage_.reason == "CandidateWaits") return say("False", "SwitchAwaited", stage_.message + "; " + until);
        if (stage_.done)
            return say("False", "FormerInUse",
                       until +
                           "; they stay for spec.rollout.keepFallbackFor or retainFailedFor, or until somebody "
                           "deletes them");
        say("False", "RollingOut", (stage_.message.empty() ? "" : stage_.message + "; ") + until);
    }

    // --- what is seen

    /// AppServers that do not say that they have the new ones, be it that they have said nothing yet.
    std::vector<std::string> users_of_former() const {
        std::vector<std::string> out;
        for (const auto* item : inputs_.all(crd::AppServer::kind))
            if (api::find_text(*item, {"spec", "instanceName"}) == instance_.metadata.name &&
                api::find_text(*item, {"status", "passwordsDrawnAt"}) != drawn_at_)
                out.emplace_back(api::find_text(*item, {"metadata", "name"}));
        std::ranges::sort(out);
        return out;
    }
    /// A new AppServer can get no others.
    bool offered() const {
        const auto* made = children_.find(api::secret_kind, names_.configuration);
        if (!made) return true;
        const auto text = runtime::from_base64(api::find_text(*made, {"data", "settings.json"})).value_or("");
        const auto settings = api::parse_json(text);
        return settings && api::find_text(settings->value, {"passwordsDrawnAt"}) == drawn_at_;
    }

    /// Who does not let in what the Secret says yet, and nothing else: with the next passwords (`both`) or without.
    /// What is seen from before cannot pass for that: each rotation begins and ends without a second password.
    std::optional<std::string> lacking(const SiteSecrets& secrets, bool both, bool must_be_ready) const {
        const auto& placement = *instance_.status.placement;
        const auto not_yet = [&](const api::Kind& kind, const std::string& name, bool holds) {
            const auto* found = children_.find(kind, name);
            const auto state = found ? readiness(*found) : Readiness{};
            if (found && holds && (must_be_ready ? state.ready : state.current)) return std::optional<std::string>();
            return std::optional(std::string(kind.name) + " " + name +
                                 (state.ready ? " has not done it yet" : ": " + state.message));
        };
        auto out = not_yet(crd::DatabaseTenant::kind, names_.mysql, mysql_lets_in(both));
        if (!out && placement.mongodb)
            out = not_yet(crd::DatabaseTenant::kind, names_.mongodb, mongodb_lets_in(secrets));
        if (!out && placement.rabbitmq) out = not_yet(crd::RabbitMQVhost::kind, names_.broker, broker_lets_in(both));
        return out;
    }
    bool mysql_lets_in(bool both) const {
        const auto tenant = children_.get<crd::DatabaseTenant>(names_.mysql);
        if (!tenant) return false;
        Names wanted;
        if (both)
            for (const auto& user : tenant->spec.users)
                wanted.insert(user.name + "@" + user.host + ": " + names_.mysql + "/" + runtime::next_key(user.name));
        const auto& seen = tenant->status.second_passwords;
        return Names(seen.begin(), seen.end()) == wanted;
    }
    bool mongodb_lets_in(const SiteSecrets& secrets) const {
        const auto tenant = children_.get<crd::DatabaseTenant>(names_.mongodb);
        if (!tenant) return false;
        Names declared, wanted;
        for (const auto& user : tenant->spec.users) declared.insert(user.name);
        for (const auto& account : mongodb_accounts(*instance_.status.names, secrets)) wanted.insert(account.user);
        return declared == wanted;
    }
    bool broker_lets_in(bool both) const {
        const auto vhost = children_.get<crd::RabbitMQVhost>(names_.broker);
        if (!vhost) return false;
        Names wanted;
        for (const auto& value : values_) {
            if (value.key != secret_keys::provider_password && value.key != secret_keys::consumer_password) continue;
            const auto in_use = text(runtime::username_key(value.key));
            if (both || in_use != value.other) wanted.insert(value.first);
            if (both || in_use == value.other) wanted.insert(value.other);
        }
        const auto& seen = vhost->status.users;
        return Names(seen.begin(), seen.end()) == wanted;
    }

    // --- the Secret

    std::string next_due() const { return runtime::next_due_key(secret_keys::mysql_key); }
    std::string rotated_at() const { return runtime::rotated_key(secret_keys::mysql_key); }
    std::string text(const std::string& key) const {
        return runtime::from_base64(api::find_text(*secret_, {"data", key})).value_or("");
    }
    bool any(std::string (*name)(const std::string&)) const {
        return std::ranges::any_of(values_, [&](const Value& value) { return !text(name(value.key)).empty(); });
    }
    runtime::Edit& step(runtime::Note note) {
        auto& edit = out_.step.emplace();
        edit.kind = api::secret_kind;
        edit.namespace_ = instance_.metadata.namespace_;
        edit.name = names_.secrets;
        edit.resource_version = api::find_text(*secret_, {"metadata", "resourceVersion"});
        edit.note = std::move(note);
        return edit;
    }
    static void set(runtime::Edit& edit, const std::string& key, const std::string& value) {
        api::make_object(edit.patch, {"data"})[key] = runtime::base64(value);
    }
    void drop(runtime::Edit& edit, std::string (*name)(const std::string&)) const {
        for (const auto& value : values_) api::make_object(edit.patch, {"data"})[name(value.key)] = nullptr;
    }
    void drop_next(runtime::Edit& edit) const {
        drop(edit, runtime::next_key);
        api::make_object(edit.patch, {"data"})[next_due()] = nullptr;
    }
    void say(const char* status, const char* reason, std::string message) {
        out_.finding = {condition, status, reason, std::move(message)};
    }

    const crd::Instance& instance_;
    const runtime::Children& children_;
    const runtime::Inputs& inputs_;
    const Stage& stage_;
    const ObjectNames names_;
    const api::Json* secret_;
    std::optional<WallTime> asked_;
    std::string drawn_at_;
    std::vector<Value> values_;
    Replacement out_;
};

}  // namespace

Replacement replacement_of(const crd::Instance& instance, const runtime::Children& children,
                           const runtime::Inputs& inputs, const Stage& stage) {
    return Replacing(instance, children, inputs, stage).look();
}

}  // namespace ocim::openedx
