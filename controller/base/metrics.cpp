#include "base/metrics.hpp"

#include <prometheus/family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <cassert>
#include <mutex>
#include <variant>

namespace ocim {

namespace {
template <class T>
using FamilyOf = prometheus::Family<T>*;
using AnyFamily =
    std::variant<FamilyOf<prometheus::Counter>, FamilyOf<prometheus::Gauge>, FamilyOf<prometheus::Histogram>>;
}  // namespace

struct Metrics::State {
    prometheus::Registry registry;
    std::mutex mutex;  // guards families
    std::map<std::string, AnyFamily> families;

    template <class T, class Build>
    prometheus::Family<T>& family(const std::string& name, const std::string& help, Build build) {
        const std::lock_guard lock(mutex);
        auto found = families.find(name);
        if (found == families.end())
            found = families.emplace(name, &build().Name(name).Help(help).Register(registry)).first;
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

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(state_->registry.Collect()); }

const prometheus::Histogram::BucketBoundaries& Metrics::default_buckets() {
    static const prometheus::Histogram::BucketBoundaries buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                                 1,     2.5,  5,     10,   30,  60};
    return buckets;
}

}  // namespace ocim
