#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <map>
#include <memory>
#include <string>

namespace ocim {

/// The program's metrics. Passed by reference to whoever counts; thread-safe.
/// Label values come from closed sets; touch each at start so that it begins at zero.
class Metrics {
public:
    using Labels = std::map<std::string, std::string>;

    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// The series of that name and these labels, made at the first call. `help` counts at the first call only.
    /// A name that exists with another type is a bug of ours (assert).
    prometheus::Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
    prometheus::Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    /// `buckets` in seconds or bytes as the name says; the default suits calls to outside systems.
    prometheus::Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels = {},
                                     const prometheus::Histogram::BucketBoundaries& buckets = default_buckets());
    /// Forgets a gauge of an object that is gone; its reference must not be used again.
    void remove_gauge(const std::string& name, const Labels& labels);

    /// Prometheus' text format 0.0.4.
    std::string text() const;

    static const prometheus::Histogram::BucketBoundaries& default_buckets();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim
