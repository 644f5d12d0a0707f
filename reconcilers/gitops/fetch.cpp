#include "gitops/fetch.hpp"

#include "gitops/limits.hpp"
#include "gitops/transport.hpp"
#include "gitops/workspace.hpp"

namespace ocim::gitops {

namespace {

using Fetch = Result<std::shared_ptr<const Checkout>, Problem>;

Problem problem_of(const Error& error) {
    switch (error.error_class) {
        case ErrorClass::auth: return {"AuthenticationFailed", error.message};
        case ErrorClass::not_found: return {"NotFound", error.message};
        case ErrorClass::invalid: return {"InvalidRepository", error.message};
        case ErrorClass::rate_limited: return {"RateLimited", error.message};
        case ErrorClass::transient:
        case ErrorClass::conflict:
        case ErrorClass::unreachable: return {"FetchFailed", error.message, true};
    }
    return {"FetchFailed", error.message, true};
}

class OneRepository final : public Fetcher {
public:
    OneRepository(RepositorySettings settings, std::unique_ptr<Transport> transport, const runtime::Services& services,
                  Workshop* workshop)
        : settings_(std::move(settings)),
          transport_(std::move(transport)),
          clock_(services.clock),
          blocking_(workshop ? workshop->threads() : services.blocking),
          workshop_(workshop),
          workspace_(folder_of_fetches(services.data_directory)),
          metrics_(services.metrics),
          duration_(metrics_.histogram("ocim_git_fetch_seconds",
                                       "How long one question to a Git repository took, with "
                                       "what was transferred, taken apart and judged.")) {
        for (const auto* result : {"success", "unchanged", "AuthenticationFailed", "NotFound", "InvalidRepository",
                                   "RateLimited", "FetchFailed", "SignatureRefused"})
            counter(result);
    }

    awaitable<Fetch> fetch() override {
        const auto before = last_;
        const auto began = clock_.now();
        auto working = get();
        const auto limit = Duration(limits::fetch_max);
        auto got = co_await with_deadline(clock_, limit, "fetching " + settings_.repository, std::move(working));
        duration_.Observe(std::chrono::duration<double>(clock_.now() - began).count());
        if (!got) {
            auto problem = problem_of(got.error());
            counter(problem.reason).Increment();
            co_return problem;
        }
        if (!refusal_.empty()) {
            counter("SignatureRefused").Increment();
            co_return Problem{"SignatureRefused", refusal_};
        }
        counter(*got == before ? "unchanged" : "success").Increment();
        co_return last_;
    }

private:
    awaitable<Result<std::shared_ptr<const Checkout>>> get() {
        CO_TRY(const auto told, co_await transport_->refs());
        std::string_view rest;
        const auto refs = read_refs(told, rest);
        if (!refs) co_return refs.error();
        const auto target = target_of(*refs, settings_.wanted);
        if (!target) co_return target.error();
        if (!last_ || last_->commit != target->commit || want_ != target->want) {
            CO_TRY(last_, co_await transfer(*refs, *target));
            want_ = target->want;
            judged_ = false;
        }
        if (last_->words != target->words) {
            auto renamed = std::make_shared<Checkout>(*last_);
            renamed->words = target->words;
            last_ = std::move(renamed);
        }
        // what was refused once may be good by now: a key has a time from which it counts
        if (!judged_ || !refusal_.empty()) CO_CHECK(co_await judge());
        co_return last_;
    }

    awaitable<Result<std::shared_ptr<const Checkout>>> transfer(const Refs& refs, const Target& target) {
        std::unique_ptr<Workshop::Place> place;
        if (workshop_) place = co_await workshop_->enter();
        auto request = request_for(refs, target);
        CO_TRY(const auto answer, co_await transport_->ask(std::move(request)));
        auto pack = read_pack(answer, refs);
        if (!pack) co_return std::move(pack).error();
        auto taking = [pack = *std::move(pack), target, path = settings_.path, workspace = workspace_]() {
            return read_tree(pack, target, path, workspace);
        };
        CO_TRY(auto tree, co_await blocking_.call(std::move(taking)));
        auto out = std::make_shared<Checkout>();
        out->commit = target.commit;
        out->words = target.words;
        out->tree = std::move(tree);
        co_return std::shared_ptr<const Checkout>(std::move(out));
    }

    /// Whether the last that was fetched is signed as it has to be.
    awaitable<Result<void>> judge() {
        judged_ = false;
        refusal_.clear();
        const auto& asked = settings_.verification;
        const bool by_tag = asked && asked->of == Verification::Of::tag;
        if (by_tag && last_->tree.tag_name != settings_.wanted.tag) {
            refusal_ = "Nothing of " + last_->words +
                       " is applied: it is not an annotated tag of that name and commit, and only such a one is "
                       "signed; make it with git tag -s";
        } else if (asked) {
            auto what = by_tag ? last_->tree.tag : last_->tree.commit;
            auto signers = asked->signers;
            CO_TRY(auto judgement,
                   co_await judge_signature(std::move(what), std::move(signers), blocking_, workspace_));
            if (!judgement.refusal.empty())
                refusal_ = "Nothing of " + last_->words + " is applied: " + judgement.refusal;
            auto signed_ = std::make_shared<Checkout>(*last_);
            signed_->signer = std::move(judgement.signer);
            last_ = std::move(signed_);
        }
        judged_ = true;
        co_return Result<void>();
    }
    prometheus::Counter& counter(const std::string& result) {
        return metrics_.counter("ocim_git_fetches_total", "Questions to Git repositories by what came of them",
                                {{"result", result}});
    }

    RepositorySettings settings_;
    std::unique_ptr<Transport> transport_;
    Clock& clock_;
    BlockingPool& blocking_;
    Workshop* workshop_;
    std::string workspace_;
    Metrics& metrics_;
    prometheus::Histogram& duration_;
    std::shared_ptr<const Checkout> last_;  // shared with whoever still works with it
    std::string want_;                      // what the server was asked for to have it
    bool judged_ = false;                   // its signature, if one is asked for
    std::string refusal_;                   // why nothing of it is to be applied; "" when nothing is against it
};

}  // namespace

Result<std::unique_ptr<Fetcher>, Problem> make_fetcher(RepositorySettings settings, const runtime::Services& services,
                                                       Workshop* workshop) {
    auto transport = open_transport(settings, services);
    if (!transport) return problem_of(transport.error());
    return std::unique_ptr<Fetcher>(
        std::make_unique<OneRepository>(std::move(settings), *std::move(transport), services, workshop));
}

}  // namespace ocim::gitops
