#include "github/watch.hpp"

#include "crd/clouds.hpp"
#include "crd/instanceclasses.hpp"
#include "github/sandbox.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <set>

namespace ocim::github {
namespace {

using runtime::Children;
using runtime::Composition;
using runtime::Inputs;
using runtime::Verdict;
using Object = crd::PullRequestWatch;
using FeedObject = crd::PullRequestFeed;

const api::Condition* ready_of(const FeedObject& feed) {
    for (const auto& item : feed.status.conditions)
        if (item.type == "Ready") return &item;
    return nullptr;
}

template <class T>
bool contains(const std::vector<T>& items, const T& one) {
    return std::ranges::find(items, one) != items.end();
}

/// A cloud that the class may choose and that is not for strangers' code.
std::optional<std::string> unsafe_cloud(const crd::InstanceClass& of_class, const Inputs& inputs) {
    const auto& selector = of_class.spec.placement.cloud;
    for (const auto& cloud : inputs.all<crd::Cloud>()) {
        const auto& labels = cloud.metadata.labels;
        const bool chosen = !selector || std::ranges::all_of(selector->match_labels, [&](const auto& wanted) {
            const auto found = labels.find(wanted.first);
            return found != labels.end() && found->second == wanted.second;
        });
        if (chosen && cloud.spec.local && !cloud.spec.local->allow_untrusted) return cloud.metadata.name;
    }
    return std::nullopt;
}

class Composer {
public:
    Composer(const Object& object, const Children& children, const Inputs& inputs)
        : object_(object), children_(children), inputs_(inputs) {
        feed_ = children_.get<FeedObject>(object_.metadata.name);
        for (const auto& item : children_.items())
            if (api::find_text(item, {"kind"}) == crd::Instance::kind.name)
                sandboxes_[std::string(api::find_text(item, {"metadata", "name"}))] = &item;
        if (const auto retain = runtime::parse_duration(object_.spec.retain_after_close)) retain_ = *retain;
    }

    Composition<Object> compose() {
        out_.status = object_.status;
        out_.keeps = {{api::secret_kind, object_.metadata.namespace_, object_.spec.credentials_ref.name}};
        if (object_.metadata.deleting()) return deletion();
        class_ = inputs_.get<crd::InstanceClass>("", object_.spec.instance_template.class_name);
        if (const auto why = not_now()) return hold(*why);
        out_.status.pull_requests.clear();
        for (const auto& pull : feed_->status.pull_requests)
            if (contains(object_.spec.forks, pull.repository)) decide(pull);
        keep_unknown();
        push_feed(reports_);
        conclude();
        return std::move(out_);
    }

private:
    // --- as a whole

    /// Instances first; the feed can then say on GitHub that they are gone.
    Composition<Object> deletion() {
        const auto left = sandboxes_.size();
        if (left > 0 && feed_) push_feed(feed_->spec.reports);
        out_.verdict = {Verdict::State::progressing, "Deleting",
                        left > 0 ? std::to_string(left) + " sandboxes are being deleted" : "the feed is being deleted"};
        return std::move(out_);
    }

    /// What is not known now. Nothing is made, changed or taken away then.
    std::optional<Verdict> not_now() const {
        if (!class_)
            return Verdict{Verdict::State::progressing, "DependencyNotReady",
                           "spec.instanceTemplate.className: InstanceClass " +
                               object_.spec.instance_template.class_name +
                               " does not exist or cannot be read; make it, or correct it"};
        if (const auto cloud = unsafe_cloud(*class_, inputs_))
            return Verdict{Verdict::State::stalled, "UntrustedCodeRefused",
                           "Cloud " + *cloud +
                               ", which the class may choose, runs on this host, and pull requests are strangers' "
                               "code: choose others by spec.placement.cloud of the class, or set "
                               "spec.local.allowUntrusted there"};
        if (!feed_) return Verdict{Verdict::State::progressing, "Starting", "GitHub will be asked"};
        const auto* ready = ready_of(*feed_);
        if (ready && ready->status != "True" && ready->reason.starts_with("Backend"))
            return Verdict{Verdict::State::progressing, "GitHubUnknown",
                           ready->message + "; sandboxes stay as they are until it is known again"};
        if (feed_->status.forks.empty())
            return Verdict{Verdict::State::progressing, "Starting",
                           ready && !ready->message.empty() ? ready->message : "GitHub is being asked"};
        return std::nullopt;
    }

    Composition<Object> hold(const Verdict& why) {
        for (const auto& [name, instance] : sandboxes_) out_.children.push_back(unchanged(*instance));
        push_feed(feed_ ? feed_->spec.reports : std::vector<TellReport>());
        out_.complete = false;
        out_.verdict = why;
        return std::move(out_);
    }

    void push_feed(std::vector<TellReport> reports) {
        FeedObject feed;
        feed.metadata.name = object_.metadata.name;
        feed.metadata.namespace_ = object_.metadata.namespace_;
        feed.spec.watch_name = object_.metadata.name;
        feed.spec.reports = std::move(reports);
        out_.children.push_back(runtime::Child{api::encode_object(feed), std::nullopt, false, {}, false});
    }

    void conclude() {
        std::int32_t count = 0;
        for (const auto& child : out_.children)
            if (api::find_text(child.object, {"kind"}) == crd::Instance::kind.name) ++count;
        out_.status.sandboxes = count;
        std::string troubles;
        for (const auto& fork : feed_->status.forks)
            if (fork.error && contains(object_.spec.forks, fork.name))
                troubles += fork.name + ": " + *fork.error + "; ";
        const auto* ready = ready_of(*feed_);
        if (!troubles.empty())
            out_.verdict = {
                Verdict::State::progressing, "RepositoryUnknown",
                troubles + "its sandboxes stay as they are; correct spec.forks, or the token's permissions"};
        else if (ready && ready->status != "True" && ready->reason != "Progressing" && ready->reason != "Followed")
            out_.verdict = {Verdict::State::progressing, "NotReported", ready->message};
        else
            out_.verdict = {Verdict::State::ready, "Watching", std::to_string(count) + " sandboxes"};
    }

    /// What GitHub's answer does not speak of stays: unknown is not closed.
    void keep_unknown() {
        std::set<std::string> named;
        for (const auto& entry : out_.status.pull_requests) named.insert(entry.instance.value_or(""));
        for (const auto& before : object_.status.pull_requests) {
            const auto name = instance_name(before.repository, before.number);
            if (named.contains(name) || before.state == "Retired") continue;
            if (!contains(object_.spec.forks, before.repository) || !sandboxes_.contains(name)) continue;
            out_.status.pull_requests.push_back(before);
            named.insert(name);
            out_.children.push_back(unchanged(*sandboxes_.at(name)));
            if (feed_)
                for (const auto& report : feed_->spec.reports)
                    if (report.repository == before.repository && report.number == before.number)
                        reports_.push_back(report);
        }
        for (const auto& [name, instance] : sandboxes_) {
            const std::string repository(api::find_text(*instance, {"metadata", "annotations", repository_annotation}));
            if (!named.contains(name) && contains(object_.spec.forks, repository))
                out_.children.push_back(unchanged(*instance));
        }
    }

    // --- one pull request

    const Entry* before(const Pull& pull) const {
        for (const auto& entry : object_.status.pull_requests)
            if (entry.repository == pull.repository && entry.number == pull.number) return &entry;
        return nullptr;
    }

    bool was_ready(const Pull& pull, const std::optional<std::string>& commit) const {
        const auto* earlier = before(pull);
        return earlier && earlier->state == "Ready" && earlier->commit == commit;
    }

    void decide(const Pull& pull) {
        Entry entry;
        entry.repository = pull.repository;
        entry.number = pull.number;
        entry.title = pull.title;
        entry.author = pull.author;
        entry.url = pull.url;
        const auto name = instance_name(pull.repository, pull.number);
        entry.instance = name;
        left_out_.clear();
        const auto found = sandboxes_.find(name);
        const auto* existing = found == sandboxes_.end() ? nullptr : found->second;
        const bool known = pull.open.value_or(false) ? open(pull, existing, entry) : closed(pull, existing, entry);
        if (!known) return;
        // of a commit that is left alone on purpose nothing is said
        const bool ignored = existing && entry.state != "Frozen" && entry.commit != pull.commit;
        reports_.push_back(tell(object_.spec, entry, ignored ? "" : pull.commit.value_or(""), left_out_));
        out_.status.pull_requests.push_back(std::move(entry));
    }

    /// Why the pull request, as it is now, cannot be deployed; nothing when it can.
    std::optional<std::string> obstacle(const Pull& pull, Settings& settings) {
        if (!pull.member.value_or(false)) return "its author is no member of the team";
        if (pull.text_error) return pull.text_error;
        if (!pull.clone_url) return "the repository that its branch is in is gone";
        Allowed allowed;
        if (const auto& said = class_->spec.pull_requests) {
            allowed.variables = said->variables;
            allowed.configuration_repositories = said->configuration_repositories;
        }
        auto read = read_settings(pull.settings.value_or(""), allowed);
        if (!read) return read.error().message;
        settings = *std::move(read);
        left_out_ = settings.left_out;
        return std::nullopt;
    }

    bool open(const Pull& pull, const api::Json* existing, Entry& entry) {
        Settings settings;
        const auto why_not = obstacle(pull, settings);
        if (!existing) return make(pull, why_not, settings, entry);
        const auto instance = api::decode_object<crd::Instance>(*existing);
        if (!instance) {
            out_.children.push_back(unchanged(*existing));
            entry.state = "Failed";
            entry.message = "its Instance cannot be read";
            return true;
        }
        if (instance->metadata.deleting()) {
            entry.state = "Retiring";
            out_.children.push_back(unchanged(*existing));
            return true;
        }
        if (instance->spec.platform) entry.commit = instance->spec.platform->commit;
        if (instance->status.urls) entry.site = instance->status.urls->lms;
        const bool changes_wanted = object_.spec.on_new_commit == Object::Spec::OnNewCommit::redeploy;
        if (why_not || !changes_wanted) {
            out_.children.push_back(unchanged(*existing));
            entry.state = why_not ? "Frozen" : progress(*instance, was_ready(pull, entry.commit));
            if (why_not) entry.message = "nothing new is deployed: " + *why_not;
            return true;
        }
        out_.children.push_back(sandbox(object_, pull, settings, class_->spec.base_domain, *instance));
        const bool deployed = entry.commit == pull.commit;
        entry.state = deployed ? progress(*instance, was_ready(pull, entry.commit)) : "Deploying";
        entry.commit = pull.commit;
        return true;
    }

    bool make(const Pull& pull, const std::optional<std::string>& why_not, const Settings& settings, Entry& entry) {
        if (!pull.member.value_or(false) && !before(pull)) return false;
        entry.instance.reset();
        if (why_not) {
            entry.state = "Refused";
            entry.message = *why_not;
            return true;
        }
        if (sandboxes_.size() + made_ >= static_cast<std::size_t>(std::max(object_.spec.max_sandboxes, 0))) {
            entry.state = "Waiting";
            entry.message = "there may be " + std::to_string(object_.spec.max_sandboxes) + " sandboxes at once";
            return true;
        }
        ++made_;
        entry.instance = instance_name(pull.repository, pull.number);
        entry.commit = pull.commit;
        entry.state = "Deploying";
        out_.children.push_back(sandbox(object_, pull, settings, class_->spec.base_domain, std::nullopt));
        return true;
    }

    bool closed(const Pull& pull, const api::Json* existing, Entry& entry) {
        const auto* earlier = before(pull);
        if (!existing && !earlier) return false;
        if (earlier) {
            if (!entry.title) entry.title = earlier->title;
            if (!entry.author) entry.author = earlier->author;
            if (!entry.url) entry.url = earlier->url;
            entry.commit = earlier->commit;
            entry.site = earlier->site;
        }
        auto when = inputs_.now;
        for (const auto& said : {pull.closed_at, earlier ? earlier->closed_at : std::nullopt}) {
            const auto parsed = parse_rfc3339(said.value_or(""));
            if (!parsed) continue;
            when = *parsed;
            break;
        }
        entry.closed_at = rfc3339(when);
        const auto end = when + retain_;
        if (!existing) {
            entry.state = "Retired";
            entry.instance.reset();
            entry.site.reset();
        } else if (inputs_.now < end || !pull.expired.value_or(false)) {
            out_.children.push_back(unchanged(*existing));
            entry.state = "Closed";
            entry.message = "removed after " + rfc3339(end);
        } else {
            entry.state = "Retiring";  // not named: it goes
        }
        return true;
    }

    const Object& object_;
    const Children& children_;
    const Inputs& inputs_;
    Composition<Object> out_;
    std::optional<FeedObject> feed_;
    std::optional<crd::InstanceClass> class_;
    std::map<std::string, const api::Json*> sandboxes_;  // by name
    Duration retain_{0};
    std::vector<TellReport> reports_;
    std::vector<std::string> left_out_;  // of the pull request that is looked at
    std::size_t made_ = 0;
};

}  // namespace

std::vector<api::Kind> Watches::child_kinds() { return {FeedObject::kind, crd::Instance::kind}; }

std::vector<runtime::Reference> Watches::needs(const Object& object) {
    return {{crd::InstanceClass::kind, "", object.spec.instance_template.class_name, true},
            {crd::Cloud::kind, "", "", true}};
}

Composition<crd::PullRequestWatch> Watches::compose(const Object& object, const Children& children,
                                                    const Inputs& inputs) {
    return Composer(object, children, inputs).compose();
}

}  // namespace ocim::github
