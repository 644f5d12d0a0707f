#include "loadbalancing/rendering.hpp"

#include "loadbalancing/options.hpp"
#include "sample.hpp"

#include <gtest/gtest.h>

namespace ocim::loadbalancing {
namespace {

using namespace test;
using namespace std::string_literals;

Surroundings around() { return {name_of(), mark(), {}, {}, {}}; }

std::string text(const Spec& spec, const Surroundings& surroundings = around()) {
    const auto rendered = render(spec, surroundings);
    EXPECT_TRUE(rendered) << (rendered ? "" : rendered.error().message);
    return rendered ? rendered->text.reveal() : "";
}

TEST(HaproxyText, OneWordInQuotes) {
    struct {
        std::string text;
        const char* quoted;  // null means refused
        const char* reason;
    } const rows[] = {
        {"plain", R"("plain")", "as it is"},
        {"two words", R"("two words")", "a space stays inside"},
        {R"(a"b)", R"("a\"b")", "a quote"},
        {R"(a\b)", R"("a\\b")", "a backslash"},
        {"a$HOME", R"("a\$HOME")", "an environment variable"},
        {"a#b", R"("a#b")", "no comment inside quotes"},
        {"a'b", R"("a'b")", "single quotes mean nothing inside double ones"},
        {"ünï ☃", R"("ünï ☃")", "other bytes"},
        {"", R"("")", "nothing"},
        {"a\nb", nullptr, "a newline"},
        {"a\rb", nullptr, "a carriage return"},
        {"a\0b"s, nullptr, "a NUL"},
        {"a\tb", nullptr, "a control character"},
        {"a\x7f", nullptr, "DEL"},
    };
    for (const auto& row : rows) {
        const auto word = quoted_word(row.text);
        ASSERT_EQ(bool(word), row.quoted != nullptr) << row.reason;
        if (word) EXPECT_EQ(*word, row.quoted) << row.reason;
        if (!word) EXPECT_EQ(word.error().error_class, ErrorClass::invalid) << row.reason;
    }
}

TEST(HaproxyText, AWholeFragment) {
    auto spec = fragment().spec;
    spec.domains = {"Studio.Example.org", "www.example.org.", "studio.example.org"};
    spec.servers = {{"a1", "192.0.2.5", 80}, {"a2", "2001:DB8::5", 8080, true}};
    spec.stickiness.emplace().cookie = "sessionid";
    spec.health_check.path = "/heartbeat?x=\"1\"";
    auto surroundings = around();
    surroundings.username = Secret("user");
    surroundings.password = Secret("pass\"");
    EXPECT_EQ(text(spec, surroundings), R"(# ocim i=prod o=campus/site1 u=uid-1
backend ocim-campus_site1
  mode http
  http-request set-header Authorization "Basic dXNlcjpwYXNzIg==" unless { req.hdr(Authorization) -m found }
  stick-table type string len 128 size 20k expire 12h
  stick on req.cook(sessionid)
  stick store-response res.cook(sessionid)
  timeout check 5000ms
  option httpchk
  http-check send meth GET uri "/heartbeat?x=\"1\"" ver HTTP/1.1 hdr Host studio.example.org hdr Authorization "Basic dXNlcjpwYXNzIg=="
  http-check expect status 200-399
  server a1 192.0.2.5:80 check inter 10000ms fastinter 1000ms fall 3 rise 2
  server a2 ipv6@[2001:db8::5]:8080 check inter 10000ms fastinter 1000ms fall 3 rise 2 weight 0
)");
    const auto rendered = render(spec, surroundings);
    EXPECT_EQ(servers_of(rendered->text.reveal()), (std::vector<RenderedServer>{{"a1", false}, {"a2", true}}));
    spec.health_check.interval = "500ms";
    EXPECT_NE(text(spec).find("check inter 500ms fall 3"), std::string::npos) << "quick enough by itself";
    EXPECT_EQ(rendered->domains, (std::vector<std::string>{"studio.example.org", "www.example.org"}));
}

TEST(HaproxyText, StickinessByTheBalancersOwnCookie) {
    auto spec = fragment().spec;
    spec.stickiness = Spec::Stickiness{"SRV", Spec::Stickiness::Source::load_balancer};
    const auto out = text(spec);
    EXPECT_NE(out.find("  cookie SRV insert indirect nocache httponly\n"), std::string::npos) << out;
    EXPECT_NE(out.find("rise 2 cookie a1\n"), std::string::npos) << out;
    EXPECT_EQ(out.find("stick-table"), std::string::npos);
}

TEST(HaproxyText, WithoutServersThePreliminaryPageAnswers) {
    struct {
        std::optional<std::string> server;
        bool wanted;
        const char* line;  // null: refused
        const char* reason;
    } const rows[] = {
        {"192.0.2.80", true, "  server preliminary-page 192.0.2.80:80\n", "port 80 if none is named"},
        {"192.0.2.80:8080", true, "  server preliminary-page 192.0.2.80:8080\n", "a port"},
        {"2001:db8::80", true, "  server preliminary-page ipv6@[2001:db8::80]:80\n", "IPv6"},
        {"[2001:db8::80]:8080", true, "  server preliminary-page ipv6@[2001:db8::80]:8080\n", "IPv6 with a port"},
        {std::nullopt, true, "  http-request return status 503", "the load balancer has none"},
        {"192.0.2.80", false, "  http-request return status 503", "the site wants none"},
        {"192.0.2.80:99999", true, nullptr, "no port"},
        {"192.0.2.80:x", true, nullptr, "no number"},
        {"evil.example.org\n  server x 1.2.3.4:80", true, nullptr, "more than an address"},
        {"", true, nullptr, "empty"},
    };
    for (const auto& row : rows) {
        auto spec = fragment().spec;
        spec.servers.clear();
        spec.preliminary_page = row.wanted;
        auto surroundings = around();
        surroundings.preliminary_server = row.server;
        surroundings.username = surroundings.password = Secret("secret");
        const auto rendered = render(spec, surroundings);
        ASSERT_EQ(bool(rendered), row.line != nullptr) << row.reason;
        if (!rendered) continue;
        EXPECT_NE(rendered->text.reveal().find(row.line), std::string::npos) << row.reason;
        EXPECT_EQ(rendered->text.reveal().find("Authorization"), std::string::npos) << "no credential for strangers";
        EXPECT_TRUE(servers_of(rendered->text.reveal()).empty()) << row.reason;
    }
}

TEST(HaproxyText, NothingOfASpecBreaksOut) {
    const std::string evil[] = {"a\nb", "a\"b", "a\0b"s, "a\x01", "a b", "a#b", "a{b", "a%b",
                                "a\\b", "a'b",  "a;b",   "a$b",   "ünï", "",    "a\r", "\t"};
    struct {
        const char* field;
        void (*set)(Spec&, const std::string&);
    } const fields[] = {
        {"spec.domains[0]", [](Spec& s, const std::string& t) { s.domains[0] = t; }},
        {"spec.servers[0].name", [](Spec& s, const std::string& t) { s.servers[0].name = t; }},
        {"spec.servers[0].address", [](Spec& s, const std::string& t) { s.servers[0].address = t; }},
        {"spec.healthCheck.path", [](Spec& s, const std::string& t) { s.health_check.path = t; }},
        {"spec.healthCheck.host", [](Spec& s, const std::string& t) { s.health_check.host = t; }},
        {"spec.healthCheck.expectedStatus", [](Spec& s, const std::string& t) { s.health_check.expected_status = t; }},
        {"spec.healthCheck.interval", [](Spec& s, const std::string& t) { s.health_check.interval = t; }},
        {"spec.healthCheck.timeout", [](Spec& s, const std::string& t) { s.health_check.timeout = t; }},
        {"spec.stickiness.cookie", [](Spec& s, const std::string& t) { s.stickiness.emplace().cookie = t; }},
    };
    for (const auto& field : fields) {
        for (const auto& bad : evil) {
            auto spec = fragment().spec;
            field.set(spec, bad);
            const auto causes = faults(spec);
            ASSERT_EQ(causes.size(), 1U) << field.field << ": " << testing::PrintToString(bad);
            EXPECT_EQ(causes[0].field, field.field);
            const auto rendered = render(spec, around());
            ASSERT_FALSE(rendered) << field.field << ": " << testing::PrintToString(bad);
            EXPECT_EQ(rendered.error().error_class, ErrorClass::invalid);
            EXPECT_NE(rendered.error().message.find(field.field), std::string::npos) << rendered.error().message;
        }
    }
}

TEST(HaproxyText, CredentialsAreCheckedAndNeverTold) {
    struct {
        std::string user, password;
        bool good;
        const char* reason;
    } const rows[] = {
        {"user", "pässwörd \"' \\ $ %[env(PATH)]", true, "base64 carries all of it"},
        {"user", "", true, "an empty password is one"},
        {"", "x", false, "no user"},
        {"a:b", "x", false, "a colon ends the user name"},
        {"a\nb", "x", false, "a newline"},
        {"a", "x\0y"s, false, "a NUL"},
    };
    for (const auto& row : rows) {
        auto surroundings = around();
        surroundings.username = Secret(row.user);
        surroundings.password = Secret(row.password);
        const auto rendered = render(fragment().spec, surroundings);
        EXPECT_EQ(bool(rendered), row.good) << row.reason;
        if (!rendered && row.password.size() > 1)
            EXPECT_EQ(rendered.error().message.find(row.password), std::string::npos) << row.reason;
    }
    EXPECT_EQ(redacted("at 'Basic dXNlcjpwYXNzIg==' and \"Basic abc=\""), "at 'Basic ...' and \"Basic ...\"");
    auto one = around(), two = around();
    one.username = two.username = Secret("user");
    one.password = Secret("first");
    two.password = Secret("other");
    EXPECT_EQ(hash_of(text(fragment().spec, one), {}), hash_of(text(fragment().spec, two), {}))
        << "the hash says nothing about the password";
    EXPECT_NE(hash_of("a", {"x"}), hash_of("a", {"y"}));
}

TEST(FragmentName, IsFitForAFileAndNeverTheSameTwice) {
    EXPECT_EQ(fragment_name("ocim-", "campus", "demo"), "ocim-campus_demo");
    EXPECT_NE(fragment_name("ocim-", "a", "b-c"), fragment_name("ocim-", "a-b", "c"));
    const std::string common(250, 'x');
    const auto a = fragment_name("ocim-", "campus", common + "a"), b = fragment_name("ocim-", "campus", common + "b");
    EXPECT_NE(a, b) << "what is cut off still counts";
    EXPECT_LE(a.size(), fragment_name_max);
    EXPECT_TRUE(a.starts_with("ocim-campus_xxx"));
}

TEST(FragmentMark, IsTheFirstLine) {
    EXPECT_EQ(mark_of(text(fragment().spec)), mark());
    EXPECT_EQ(mark_of("backend x\n"), std::nullopt);
    EXPECT_EQ(mark_of("# ocim nonsense\n"), std::nullopt);
    EXPECT_EQ(mark_of("# ocim i=prod o=a/b u=c"), std::nullopt) << "a line has an end";
    auto retained = mark();
    retained.retained = true;
    const auto changed = with_mark(text(fragment().spec), retained);
    EXPECT_EQ(mark_of(changed), retained);
    EXPECT_EQ(changed.substr(changed.find('\n')), text(fragment().spec).substr(text(fragment().spec).find('\n')));
}

TEST(Options, AreThoseThatReachNobodyElse) {
    const struct {
        const char* name;
        const char* value;
        const char* line;  ///< "": refused
    } rows[] = {
        {"balance", "leastconn", "balance leastconn"},
        {"balance", "hdr(host)", ""},
        {"timeout server", "5m", "timeout server 300000ms"},
        {"timeout server", "0s", ""},
        {"timeout server", "25h", ""},
        {"timeout client", "5m", ""},  // of the frontend: everybody's
        {"retries", "3", "retries 3"},
        {"retries", "3 # x", ""},
        {"retries", "11", ""},
        {"retry-on", "conn-failure 503", "retry-on conn-failure 503"},
        {"retry-on", "conn-failure  503", ""},
        {"retry-on", "all-retryable-errors", ""},
        {"compression algo", "gzip", "compression algo gzip"},
        {"compression type", "text/html text/css", "compression type text/html text/css"},
        {"compression type", "text/html\n  server x 192.0.2.1:80", ""},
        {"http-reuse", "always", "http-reuse always"},
        {"fullconn", "100", "fullconn 100"},
        {"http-request", "use-service lua.x", ""},
        {"log", "192.0.2.1:514 local0", ""},
        {"server", "x 192.0.2.1:80", ""},
        {"", "x", ""},
    };
    for (const auto& row : rows) {
        auto object = fragment();
        object.spec.options = {{row.name, row.value}};
        const auto line = option_line(row.name, row.value);
        const bool good = *row.line != '\0';
        EXPECT_EQ(line ? *line : "", row.line) << row.name << " " << row.value;
        EXPECT_EQ(faults(object.spec).size(), good ? 0U : 1U) << row.name << " " << row.value;
        const auto rendered = render(object.spec, {name_of(), mark(), {}, {}, {}});
        EXPECT_EQ(bool(rendered), good) << row.name << " " << row.value;
        if (rendered) EXPECT_NE(rendered->text.reveal().find("\n  " + std::string(row.line) + "\n"), std::string::npos);
    }
    auto object = fragment();
    object.spec.options = {{"retries", "1"}, {"retries", "2"}};
    EXPECT_EQ(faults(object.spec).size(), 1U) << "twice";
}

}  // namespace
}  // namespace ocim::loadbalancing
