#include "base/metrics.hpp"

#include "base/process_metrics.hpp"

#include <prometheus/family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <cassert>
#include <mutex>
#include <set>
#include <variant>

namespace ocim {

namespace {
template <class T>
using FamilyOf = prometheus::Family<T>*;
using AnyFamily =
    std::variant<FamilyOf<prometheus::Counter>, FamilyOf<prometheus::Gauge>, FamilyOf<prometheus::Histogram>>;
}  // namespace

namespace {
prometheus::MetricType type_of(const AnyFamily& family) {
    if (std::holds_alternative<FamilyOf<prometheus::Counter>>(family)) return prometheus::MetricType::Counter;
    if (std::holds_alternative<FamilyOf<prometheus::Gauge>>(family)) return prometheus::MetricType::Gauge;
    return prometheus::MetricType::Histogram;
}
}  // namespace

struct Metrics::State {
    prometheus::Registry registry;
    std::mutex mutex;  // guards families
    std::map<std::string, AnyFamily> families;
    std::map<std::string, std::string> helps;  // by name

    template <class T, class Build>
    prometheus::Family<T>& family(const std::string& name, const std::string& help, Build build) {
        const std::lock_guard lock(mutex);
        auto found = families.find(name);
        if (found == families.end()) {
            found = families.emplace(name, &build().Name(name).Help(help).Register(registry)).first;
            helps.emplace(name, help);
        }
        assert(std::holds_alternative<FamilyOf<T>>(found->second) && "a metric has one type");
        return *std::get<FamilyOf<T>>(found->second);
    }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

prometheus::Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
    return state_->family<prometheus::Counter>(name, help, prometheus::BuildCounter).Add(labels);
}

prometheus::Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
    return state_->family<prometheus::Gauge>(name, help, prometheus::BuildGauge).Add(labels);
}

prometheus::Histogram& Metrics::histogram(const std::string& name, const std::string& help, const Labels& labels,
                                          const prometheus::Histogram::BucketBoundaries& buckets) {
    return state_->family<prometheus::Histogram>(name, help, prometheus::BuildHistogram).Add(labels, buckets);
}

void Metrics::remove_gauge(const std::string& name, const Labels& labels) {
    prometheus::Family<prometheus::Gauge>* family = nullptr;
    {
        const std::lock_guard lock(state_->mutex);
        const auto found = state_->families.find(name);
        if (found == state_->families.end()) return;
        assert(std::holds_alternative<FamilyOf<prometheus::Gauge>>(found->second) && "a metric has one type");
        family = std::get<FamilyOf<prometheus::Gauge>>(found->second);
    }
    if (family->Has(labels)) family->Remove(&family->Add(labels));
}

std::string Metrics::text() const {
    auto shown = state_->registry.Collect();
    // the library leaves out a name that has no series now; who reads us is to know that it exists
    std::set<std::string> full;
    for (const auto& family : shown) full.insert(family.name);
    const std::lock_guard lock(state_->mutex);
    for (const auto& [name, family] : state_->families)
        if (!full.contains(name)) shown.push_back({name, state_->helps.at(name), type_of(family), {}});
    for (auto& family : process_metrics()) shown.push_back(std::move(family));
    return prometheus::TextSerializer().Serialize(shown);
}

const prometheus::Histogram::BucketBoundaries& Metrics::default_buckets() {
    static const prometheus::Histogram::BucketBoundaries buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                                 1,     2.5,  5,     10,   30,  60};
    return buckets;
}

}  // namespace ocim
