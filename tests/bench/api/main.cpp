#include "load.hpp"
#include "report.hpp"
#include "server.hpp"

#include <sys/resource.h>
#include <iostream>
#include <set>

/// How fast and how small the API server is: `ocim serve` as a process, load over HTTPS from this one. script/bench
/// api.
namespace ocim::bench {
namespace {

struct Settings {
    std::string program;
    double seconds = 3;
    std::set<std::string> only;
};

/// What one fsync costs: no durable write can be quicker.
double fsync_milliseconds() {
    const test::TempDir directory;
    const int file = ::open(directory.file("f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    std::vector<double> took;
    for (int i = 0; i < 100; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        if (::write(file, block.data(), block.size()) < 0 || ::fdatasync(file) != 0) break;
        took.push_back(milliseconds(std::chrono::steady_clock::now() - begin));
    }
    ::close(file);
    return quantile(took, 0.5);
}

std::string name_of(std::size_t number) { return "r-" + std::to_string(1'000'000 + number); }

class Bench {
public:
    explicit Bench(Settings settings) : settings_(std::move(settings)) {}

    void run() {
        report_.add("fsync of 4 KiB where the data lies, p50", fsync_milliseconds(), "ms");
        if (wanted("start")) start_empty();
        if (wanted("create")) creates();
        if (wanted("read") || wanted("watch")) on_ten_thousand();
        if (wanted("size")) sizes();
    }
    const Report& report() const { return report_; }

private:
    bool wanted(const std::string& part) const { return settings_.only.empty() || settings_.only.contains(part); }

    void start_empty();
    void creates();
    void on_ten_thousand();
    void reads(Server& server);
    void lists(Server& server);
    void watches(Server& server);
    void sizes();
    void fill(Server& server, std::size_t from, std::size_t to);
    void rate(Server& server, Load& load, const std::string& what, Load::Next next, std::optional<double> aim);

    Settings settings_;
    Report report_;
};

void Bench::start_empty() {
    double best = 1e9, idle = 0;
    for (int i = 0; i < 5; ++i) {
        Server server(settings_.program);
        server.start();  // the first one makes the certificates and installs the kinds
        server.stop();
        best = std::min(best, server.start().count() * 1000);
        std::this_thread::sleep_for(Seconds(2));  // what is free goes back after half a second
        idle = std::max(idle, server.resident_mib());
    }
    report_.at_most("start to ready, empty", best, "ms", 100, "best of 5");
    report_.at_most("memory idle", idle, "MiB", 25, "2 s after it was ready, highest of 5");
}

void Bench::rate(Server& server, Load& load, const std::string& what, Load::Next next, std::optional<double> aim) {
    const auto before = server.cpu_seconds();
    auto outcome = load.run(std::move(next), Seconds(settings_.seconds));
    if (outcome.refusals > 0) throw std::runtime_error(what + ": refused: " + outcome.first_refusal);
    const auto cpu = (server.cpu_seconds() - before) * 1e6 / static_cast<double>(outcome.answers);
    const auto note = "p50 " + rounded(quantile(outcome.milliseconds, 0.5)) + " ms, p99 " +
                      rounded(quantile(outcome.milliseconds, 0.99)) + " ms, " + rounded(cpu) +
                      " us of the server's CPU";
    if (aim)
        report_.at_least(what, outcome.rate(), "/s", *aim, note);
    else
        report_.add(what, outcome.rate(), "/s", note);
}

void Bench::creates() {
    for (const std::size_t connections : {1U, 8U, 32U, 64U, 512U}) {
        Server server(settings_.program);
        server.start();
        Load load(server.endpoint(), connections);
        std::size_t number = 0;
        const auto next = [&](std::size_t) { return create_record(name_of(number++)); };
        const bool aimed = connections == 32 || connections == 64;
        rate(server, load,
             "durable creates, " + std::to_string(connections) + (connections == 1 ? " connection" : " connections"),
             next, aimed ? std::optional(8000.0) : std::nullopt);
    }
}

void Bench::fill(Server& server, std::size_t from, std::size_t to) {
    Load load(server.endpoint(), 64);
    const auto next = [&](std::size_t) { return from < to ? create_record(name_of(from++)) : std::string(); };
    const auto filled = load.run(next, Seconds(600));
    if (filled.refusals > 0) throw std::runtime_error("filling: " + filled.first_refusal);
}

void Bench::on_ten_thousand() {
    Server server(settings_.program);
    server.start();
    fill(server, 0, 10'000);
    if (wanted("read")) {
        lists(server);  // first: reads() makes further objects
        reads(server);
    }
    if (wanted("watch")) watches(server);
}

void Bench::reads(Server& server) {
    Load load(server.endpoint(), 64);
    std::size_t number = 0;
    const auto some = [&] { return name_of((number++ * 7919) % 10'000); };
    const auto get = [&](std::size_t) { return test::http_request("GET", records + ("/" + some())); };
    rate(server, load, "gets, 64 connections", get, 20'000);
    const auto patch = [&](std::size_t) { return patch_status(some(), number); };
    rate(server, load, "status patches, 64 connections", patch, 8000);
    std::size_t made = 0;
    const auto mixed = [&](std::size_t) {
        switch (number % 20) {
            case 0: return ++number, test::http_request("GET", std::string(records) + "?limit=50");
            case 1:
            case 2: return ++number, create_record("mixed-" + std::to_string(++made));
            case 3:
            case 4:
            case 5:
            case 6: return patch_status(some(), number);
            default: return test::http_request("GET", records + ("/" + some()));
        }
    };
    rate(server, load, "mixed (13 gets, 4 status patches, 2 creates, 1 list of 50 in 20), 64 connections", mixed, {});
}

void Bench::lists(Server& server) {
    Load load(server.endpoint(), 1);
    const auto target = std::string(records) + "?labelSelector=";
    constexpr std::size_t times = 20;
    std::size_t left = 2;
    const auto next = [&](std::size_t) { return left-- > 0 ? test::http_request("GET", target) : std::string(); };
    load.run(next, Seconds(60));
    left = times;
    const auto before = server.cpu_seconds();
    auto outcome = load.run(next, Seconds(60));
    report_.at_most("list of 10,000, CPU of the server", (server.cpu_seconds() - before) * 1000 / times, "ms", 30);
    report_.add("list of 10,000, at the client", quantile(outcome.milliseconds, 0.5), "ms");
}

void Bench::watches(Server& server) {
    for (const std::size_t watchers : {100U, 1000U}) {
        // 5,000 and 10,000 events a second in all
        const std::size_t writes_per_second = watchers == 100 ? 50 : 10;
        auto seen = fan_out(server.endpoint(), watchers, 100, Seconds(1.0 / static_cast<double>(writes_per_second)),
                            [&] { return server.cpu_seconds(); });
        const auto cpu = seen.server_seconds * 1e6 / static_cast<double>(seen.after_sending.size());
        const auto what = "watch, " + std::to_string(watchers) + " watchers, " + std::to_string(writes_per_second) +
                          " writes a second, ";
        if (seen.missing > 0) throw std::runtime_error(what + std::to_string(seen.missing) + " events were missing");
        report_.add(what + "write p50", quantile(seen.writes, 0.5), "ms");
        report_.add(what + "delivery p50", quantile(seen.after_answer, 0.5), "ms",
                    "after the answer; " + rounded(cpu) + " us of the server's CPU a delivery, the writes included");
        report_.at_most(what + "delivery p99", quantile(seen.after_answer, 0.99), "ms", watchers == 100 ? 5 : 10,
                        "after the answer");
        report_.add(what + "delivery p50", quantile(seen.after_sending, 0.5), "ms", "after sending");
        report_.add(what + "delivery p99", quantile(seen.after_sending, 0.99), "ms", "after sending");
    }
}

void Bench::sizes() {
    Server server(settings_.program);
    server.start();
    fill(server, 0, 10'000);
    report_.add("memory with 10,000 objects", server.resident_mib(), "MiB");
    fill(server, 10'000, 45'000);
    report_.at_most("memory after 45,000 creates", server.resident_mib(), "MiB", 150);
    fill(server, 45'000, 100'000);
    report_.add("memory with 100,000 objects", server.resident_mib(), "MiB");
    server.stop();
    report_.at_most("start to ready with 100,000 objects", server.start().count(), "s", 2);
    report_.add("memory with 100,000 objects after a restart", server.resident_mib(), "MiB");
}

constexpr const char* usage = "Usage: api_load --program FILE [--seconds N] [start|create|read|watch|size]...\n";

Settings settings_of(int count, char** words) {
    Settings out;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto value = [&]() -> std::string { return i + 1 < count ? words[++i] : ""; };
        if (word == "--program")
            out.program = value();
        else if (word == "--seconds")
            out.seconds = std::stod(value());
        else if (word.starts_with('-'))
            throw std::runtime_error(usage);
        else
            out.only.insert(word);
    }
    if (out.program.empty()) throw std::runtime_error(usage);
    return out;
}

int run(int count, char** words) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    const auto settings = settings_of(count, words);
    Bench bench(settings);
    bench.run();
    std::cout << api::to_text(bench.report().rows()) << "\n";
    return 0;
}

}  // namespace
}  // namespace ocim::bench

int main(int count, char** words) {
    try {
        return ocim::bench::run(count, words);
    } catch (const std::exception& error) {
        std::cerr << "api_load: " << error.what() << "\n";
        return 1;
    }
}
