#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/utf8.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <boost/json/parse.hpp>
#include <regex>
#include <set>

namespace ocim {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

TEST(Rfc3339, ReadsAndPrints) {
    const struct {
        const char* reason;
        const char* text;
        const char* again;  ///< "" when refused
    } cases[] = {
        {"whole seconds", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Z"},
        {"microseconds", "2026-11-22T10:00:00.000001Z", "2026-11-22T10:00:00.000001Z"},
        {"one digit is tenths", "2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.500000Z"},
        {"nanoseconds are cut", "2026-11-22T10:00:00.123456789Z", "2026-11-22T10:00:00.123456Z"},
        {"an offset to the east is subtracted", "2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000Z"},
        {"an offset to the west is added", "2026-12-31T23:30:00-00:45", "2027-01-01T00:15:00.000000Z"},
        {"a leap day", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"},
        {"before 1970", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
        {"the earliest", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
        {"no leap day that year", "2026-02-29T00:00:00Z", ""},
        {"month 13", "2026-13-01T00:00:00Z", ""},
        {"day 0", "2026-01-00T00:00:00Z", ""},
        {"hour 24", "2026-01-01T24:00:00Z", ""},
        {"a leap second, as in Go", "2016-12-31T23:59:60Z", ""},
        {"no zone", "2026-11-22T10:00:00", ""},
        {"a point without digits", "2026-11-22T10:00:00.Z", ""},
        {"offset without colon", "2026-11-22T10:00:00+0100", ""},
        {"offset of a day", "2026-11-22T10:00:00+24:00", ""},
        {"a space", "2026-11-22 10:00:00Z", ""},
        {"something behind", "2026-11-22T10:00:00Zz", ""},
        {"a sign", "+026-11-22T10:00:00Z", ""},
        {"nothing", "", ""},
        {"words", "yesterday", ""},
    };
    for (const auto& c : cases) {
        const auto time = parse_rfc3339(c.text);
        EXPECT_EQ(time ? rfc3339_micro(*time) : "", c.again) << c.reason;
        if (!time) EXPECT_EQ(time.error().error_class, ErrorClass::invalid) << c.reason;
        if (time) EXPECT_EQ(rfc3339(*time), std::string(c.again).substr(0, 19) + "Z") << c.reason;
    }
}

TEST(Result, WithinPutsThePlaceInFront) {
    Error error{ErrorClass::auth, "refused"};
    EXPECT_EQ(std::move(error).within("zone a").message, "zone a: refused");
}

TEST(ErrorClass, EachHasItsOwnName) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(ErrorClass::invalid); ++i) names.insert(name_of(static_cast<ErrorClass>(i)));
    EXPECT_EQ(names.size(), 7u);
}

TEST(Secret, ComparesAndReveals) {
    const Secret secret("hush");
    EXPECT_EQ(secret.reveal(), "hush");
    EXPECT_EQ(secret, Secret("hush"));
    EXPECT_TRUE(Secret().empty());
}

TEST(Random, TheSameSeedGivesTheSameNumbers) {
    auto a = make_seeded_random(1), b = make_seeded_random(1), c = make_seeded_random(2);
    const auto first = a->next();
    EXPECT_EQ(first, 2469588189546311528u) << "on every machine";
    EXPECT_EQ(first, b->next());
    EXPECT_NE(first, c->next());
}

TEST(Random, BelowReachesEveryNumberAndNoOther) {
    auto random = make_seeded_random(7);
    std::array<int, 5> seen{};
    for (int i = 0; i < 1000; ++i) ++seen.at(random->below(5));
    for (const int count : seen) EXPECT_GT(count, 100);
    EXPECT_EQ(random->below(1), 0u);
}

TEST(Random, UuidsAreOfVersion4AndDiffer) {
    auto random = make_system_random();
    const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const auto uuid = random->uuid();
        EXPECT_TRUE(std::regex_match(uuid, form)) << uuid;
        seen.insert(uuid);
    }
    EXPECT_EQ(seen.size(), 100u);
}

TEST(Random, FillReachesEveryByte) {
    auto random = make_seeded_random(3);
    std::array<std::byte, 13> any{};
    for (int i = 0; i < 20; ++i) {
        std::array<std::byte, 13> bytes{};
        random->fill(bytes);
        for (std::size_t at = 0; at < bytes.size(); ++at) any.at(at) |= bytes.at(at);
    }
    for (const auto byte : any) EXPECT_NE(byte, std::byte{0});
}

TEST(Random, TextUsesItsAlphabetOnly) {
    auto random = make_seeded_random(5);
    const auto text = random->text(200, "ab");
    EXPECT_EQ(text.size(), 200u);
    EXPECT_EQ(text.find_first_not_of("ab"), std::string::npos);
    EXPECT_NE(text.find('a'), std::string::npos);
    EXPECT_NE(text.find('b'), std::string::npos);
}

TEST(Metrics, PrintsWhatWasCounted) {
    Metrics metrics;
    metrics.counter("ocim_things_total", "Things.", {{"kind", "a"}}).Increment(2);
    metrics.counter("ocim_things_total", "Things.", {{"kind", "a"}}).Increment();
    metrics.counter("ocim_things_total", "Things.", {{"kind", "b"}});
    metrics.gauge("ocim_ready", "Ready.", {{"name", "quo\"te\n"}}).Set(1);
    metrics.histogram("ocim_seconds", "Took.").Observe(0.3);
    const auto text = metrics.text();
    for (const char* line : {"# HELP ocim_things_total Things.\n", "# TYPE ocim_things_total counter\n",
                             "ocim_things_total{kind=\"a\"} 3\n", "ocim_things_total{kind=\"b\"} 0\n",
                             "ocim_ready{name=\"quo\\\"te\\n\"} 1\n", "ocim_seconds_bucket{le=\"0.25\"} 0\n",
                             "ocim_seconds_bucket{le=\"0.5\"} 1\n", "ocim_seconds_count 1\n"})
        EXPECT_THAT(text, HasSubstr(line));
}

TEST(Metrics, ANameStaysWhenItsSeriesGo) {
    Metrics metrics;
    metrics.gauge("ocim_thing_ready", "Whether it is.", {{"name", "a"}}).Set(1);
    metrics.remove_gauge("ocim_thing_ready", {{"name", "a"}});
    EXPECT_THAT(metrics.text(), StartsWith("# HELP ocim_thing_ready Whether it is.\n# TYPE ocim_thing_ready gauge\n#"));
}

TEST(Metrics, AGaugeOfAnObjectThatIsGoneGoes) {
    Metrics metrics;
    metrics.gauge("ocim_ready", "Ready.", {{"name", "a"}}).Set(1);
    metrics.gauge("ocim_ready", "Ready.", {{"name", "b"}}).Set(1);
    metrics.remove_gauge("ocim_ready", {{"name", "a"}});
    metrics.remove_gauge("ocim_ready", {{"name", "never was"}});
    metrics.remove_gauge("ocim_never", {});
    EXPECT_THAT(metrics.text(), HasSubstr("name=\"b\""));
    EXPECT_THAT(metrics.text(), Not(HasSubstr("name=\"a\"")));
}

TEST(Utf8, WhatAStrangerSaidCanBeStored) {
    const struct {
        const char* reason;
        std::string_view said;
        std::size_t bytes_max;
        const char* stored;
    } cases[] = {
        {"as it is", "caf\u00e9\n", 100, "caf\u00e9\n"},
        {"Latin-1", "caf\xe9!", 100, "caf\ufffd!"},
        {"the first half of a character", "caf\xc3", 100, "caf\ufffd"},
        {"exactly as long as it may be", "abcdef", 6, "abcdef"},
        {"longer", "abcdefg", 6, "abc..."},
        {"a character is not cut in half", "ab\u00e9defg", 6, "ab..."},
        {"nothing", "", 3, ""},
        {"the room ends where a character begins", "abcdef\u00e9", 6, "abc..."},
        {"what stands for bytes takes room, too", "\xff\xff\xff", 8, "\ufffd..."},
    };
    for (const auto& c : cases) EXPECT_EQ(valid_utf8(c.said, c.bytes_max), c.stored) << c.reason;
}

TEST(Utf8, SequenceTable) {
    const struct {
        const char* reason;
        std::string_view text;
        std::size_t length;
    } cases[] = {
        {"nothing", "", 0},
        {"ASCII", "a", 1},
        {"zero", std::string_view("\0", 1), 1},
        {"two", "\xc3\xa9x", 2},
        {"three", "\xe6\x97\xa5", 3},
        {"four", "\xf0\x9f\x98\x80", 4},
        {"the last", "\xf4\x8f\xbf\xbf", 4},
        {"cut short", "\xe6\x97", 0},
        {"a follower alone", "\x80", 0},
        {"overlong of two", "\xc0\x80", 0},
        {"overlong of three", "\xe0\x9f\xbf", 0},
        {"overlong of four", "\xf0\x8f\xbf\xbf", 0},
        {"a surrogate", "\xed\xa0\x80", 0},
        {"too large", "\xf4\x90\x80\x80", 0},
        {"no such byte", "\xff", 0},
    };
    for (const auto& c : cases) EXPECT_EQ(utf8_sequence(c.text), c.length) << c.reason;
}

TEST(Utf8, OneLineHasNoControlCharacters) {
    EXPECT_EQ(one_line("acc\xe8s\r\nrefus\u00e9\x7f", 100), "acc\xef\xbf\xbds  refus\u00e9 ");
    EXPECT_EQ(one_line("a long\tstory", 9), "a long...");
}

class Log : public testing::Test {
protected:
    static std::string written(log::Format format, log::Level least, void (*write)()) {
        log::configure(format, least);
        testing::internal::CaptureStderr();
        write();
        auto text = testing::internal::GetCapturedStderr();
        log::configure(log::Format::text, log::Level::info);
        return text;
    }
};

TEST_F(Log, TextIsOneLineWithItsFacts) {
    const auto text = written(log::Format::text, log::Level::info, [] {
        log::info("record written", {{"name", "www"}, {"empty", ""}, {"why", "a \"b\"\nc"}, {"bytes", "\xff"}});
        log::debug("not shown");
    });
    EXPECT_THAT(text, MatchesRegex("[0-9-]+T[0-9:.]+Z info record written name=www empty=\"\" "
                                   "why=\"a \\\\\"b\\\\\"\\\\nc\" bytes=\"\xef\xbf\xbd\"\n"));
}

TEST_F(Log, JsonIsOneObjectALine) {
    const auto text = written(log::Format::json, log::Level::debug,
                              [] { log::debug("record written", {{"why", "a \"b\"\nc\xc3\xa9 \xc3("}}); });
    EXPECT_EQ(std::ranges::count(text, '\n'), 1);
    const auto line = boost::json::parse(text).as_object();
    EXPECT_EQ(line.at("level"), "debug");
    EXPECT_EQ(line.at("message"), "record written");
    EXPECT_EQ(line.at("why"), "a \"b\"\nc\xc3\xa9 \xef\xbf\xbd(");
    EXPECT_TRUE(parse_rfc3339(std::string_view(line.at("time").as_string())));
}

}  // namespace
}  // namespace ocim
