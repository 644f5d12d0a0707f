#include "api/yaml.hpp"

#include "support/random_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocim::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseYaml, ScalarsAsKubernetesReadsThem) {
    const struct {
        const char* reason;
        const char* text;
        const char* json;
    } cases[] = {
        {"a word", "red", R"("red")"},
        {"yes is true in YAML 1.1", "yes", "true"},
        {"On", "On", "true"},
        {"y", "y", "true"},
        {"NO", "NO", "false"},
        {"off", "off", "false"},
        {"a mixed case is a word", "yEs", R"("yEs")"},
        {"null", "null", "null"},
        {"a tilde", "~", "null"},
        {"an integer", "42", "42"},
        {"signs", "[+1, -1, -0]", "[1,-1,0]"},
        {"a leading zero is octal", "010", "8"},
        {"unless it cannot be", "08", "8"},
        {"a mode", "0644", "420"},
        {"octal as YAML 1.2 writes it", "0o17", "15"},
        {"hexadecimal", "[0x1F, 0XfF, -0x10]", "[31,255,-16]"},
        {"binary", "0b101", "5"},
        {"underscores", "[1_000, 0x1_0]", "[1000,16]"},
        {"an underscore in front is a word", "_1", R"("_1")"},
        {"floats", "[1.5, .5, 5., -1.5e3, 1e-7]", "[1.5,0.5,5,-1500,1e-7]"},
        {"a whole float is an integer", "1e3", "1000"},
        {"beyond int64", "9223372036854775808", "9223372036854776000"},
        {"beyond uint64", "99999999999999999999", "100000000000000000000"},
        {"too large for a float is a word", "1e999", R"("1e999")"},
        {"a version", "1.2.3", R"("1.2.3")"},
        {"an address", "127.0.0.1", R"("127.0.0.1")"},
        {"a time of day is a word", "12:30", R"("12:30")"},
        {"a date is a word", "2026-01-01", R"("2026-01-01")"},
        {"a time is a word", "2026-01-01T00:00:00Z", R"("2026-01-01T00:00:00Z")"},
        {"a commit", "1234567e", R"("1234567e")"},
        {"a point", ".", R"(".")"},
        {"a quoted number is a string", R"(["1", '010', "yes", 'null', ""])", R"(["1","010","yes","null",""])"},
        {"a block is a string", "|-\n  1", R"("1")"},
        {"tagged as a string", "!!str 1", R"("1")"},
        {"tagged as a number", "!!int 0x10", "16"},
        {"an integer may be a float", "!!float 1", "1"},
        {"a tag of somebody's own", "!thing 1", R"("1")"},
        {"unicode", "é日😀", R"("é日😀")"},
        {"escapes", R"("\x41\u00e9\n\t\0")", R"("Aé\n\t\u0000")"},
    };
    for (const auto& c : cases) {
        const auto parsed = parse_yaml(c.text);
        ASSERT_TRUE(parsed) << c.reason << ": " << parsed.error().message;
        EXPECT_EQ(to_text(parsed->value), c.json) << c.reason;
    }
}

TEST(ParseYaml, Documents) {
    const struct {
        const char* reason;
        const char* text;
        const char* json;
    } cases[] = {
        {"nothing", "", "null"},
        {"a comment", "# nothing\n", "null"},
        {"a map", "b: 1\na:\n  - x\n  - z: 2\n", R"({"b":1,"a":["x",{"z":2}]})"},
        {"lists need no indent", "a:\n- 1\n- 2\n", R"({"a":[1,2]})"},
        {"flow", "{a: [1, {b: c}], 'd': \"e\"}", R"({"a":[1,{"b":"c"}],"d":"e"})"},
        {"JSON", R"({"a":{"b":[1,true,null,"x"]}})", R"({"a":{"b":[1,true,null,"x"]}})"},
        {"no value is null", "a:\nb: ~\n", R"({"a":null,"b":null})"},
        {"keys become texts", "1: a\ntrue: b\n1.5: c\n010: d\n'2': e\n",
         R"({"1":"a","true":"b","1.5":"c","8":"d","2":"e"})"},
        {"a literal block", "a: |\n  x\n    y\n\n  z\n", R"({"a":"x\n  y\n\nz\n"})"},
        {"a folded block", "a: >-\n  x\n  y\n", R"({"a":"x y"})"},
        {"a document mark", "---\na: 1\n...\n", R"({"a":1})"},
        {"an empty one beside it does not count", "---\n---\na: 1\n---\n", R"({"a":1})"},
        {"a directive", "%YAML 1.1\n---\na: 1\n", R"({"a":1})"},
        {"windows line ends", "a: 1\r\nb: 2\r\n", R"({"a":1,"b":2})"},
        {"a byte order mark",
         "\xef\xbb\xbf"
         "a: 1\n",
         R"({"a":1})"},
        {"an alias repeats", "a: &x {b: [1]}\nc: *x\n", R"({"a":{"b":[1]},"c":{"b":[1]}})"},
        {"an anchor may be set anew", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n", R"({"a":1,"b":1,"c":2,"d":2})"},
        {"an alias as a key", "a: &x k\n*x : v\n", R"({"a":"k","k":"v"})"},
        {"merge", "base: &b {x: 1, z: 2}\na:\n  <<: *b\n  z: 3\n", R"({"base":{"x":1,"z":2},"a":{"z":3,"x":1}})"},
        {"own keys win wherever they stand", "a:\n  z: 3\n  <<: {z: 1, x: 2}\n", R"({"a":{"z":3,"x":2}})"},
        {"of several the first wins", "a:\n  <<: [{x: 1}, {x: 2, z: 3}]\n", R"({"a":{"x":1,"z":3}})"},
        {"a quoted << is a key", "'<<': 1\n", R"({"<<":1})"},
        {"<< as a value is a word", "a: <<\n", R"({"a":"<<"})"},
    };
    for (const auto& c : cases) {
        const auto parsed = parse_yaml(c.text);
        ASSERT_TRUE(parsed) << c.reason << ": " << parsed.error().message;
        EXPECT_EQ(to_text(parsed->value), c.json) << c.reason;
    }
}

TEST(ParseYaml, Refuses) {
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 10; ++i) {
        const auto before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int n = 0; n < 10; ++n) bomb += before + ",";
        bomb += "]\n";
    }
    std::string long_bomb = "a: &a " + std::string(1'000'000, 'x') + "\nb: [";
    for (int i = 0; i < 100; ++i) long_bomb += "*a,";
    long_bomb += "]\n";
    std::string deep_by_aliases = "a0: &a0 " + std::string(60, '[') + std::string(60, ']') + "\n";
    deep_by_aliases += "b: " + std::string(60, '[') + "*a0" + std::string(60, ']') + "\n";
    const struct {
        const char* reason;
        std::string text;
        const char* says;
    } cases[] = {
        {"an open bracket", "a: [1", "invalid YAML at line"},
        {"a bad indent", "a:\n  b: 1\n c: 2\n", "line 3"},
        {"a tab for an indent", "a:\n\tb: 1\n", "invalid YAML at line 2"},
        {"an unknown alias", "a: *x\n", "line 1, column 4"},
        {"a cycle", "&a [*a]\n", "an alias stands within what it repeats"},
        {"a cycle through a map", "a: &x {b: *x}\n", "an alias stands within what it repeats"},
        {"an alias bomb", bomb, "more than 200000 values"},
        {"an alias bomb of one long text", long_bomb, "more than 16777216 bytes"},
        {"too deep", std::string(101, '[') + std::string(101, ']'), "nested deeper than 100 levels"},
        {"far too deep", std::string(10'000, '['), "invalid YAML"},
        {"far too deep in blocks",
         [] {
             std::string out;
             for (int i = 0; i < 10'000; ++i) out += "- ";
             return out;
         }(),
         "nested deeper than 100 levels"},
        {"too deep by aliases", deep_by_aliases, "nested deeper than 100 levels"},
        {"a list for a key", "? [a]\n: 1\n", "a key must be a plain value, not a list or a map"},
        {"a map for a key", "{{a: b}: c}\n", "a key must be a plain value"},
        {"a null key", "~: 1\n", "a key must be a plain value, not null"},
        {"an infinity", "a: .inf\n", "line 1, column 4: .inf is no finite number"},
        {"not a number", "a: -.Inf\n", "is no finite number"},
        {"NaN", ".nan", "is no finite number"},
        {"tagged as what it is not", "!!int abc", "is no !!int"},
        {"binary", "!!binary aGk=", "is no !!binary"},
        {"merging a text", "a:\n  <<: x\n", "<< takes a map"},
        {"merging a list of texts", "a:\n  <<: [x]\n", "<< takes a map"},
        {"bad UTF-8", "a: \xff\n", "line 1, column 4: not UTF-8"},
        {"a zero byte", std::string("a: b\n\0c: d\n", 11), "line 2, column 1: control characters"},
        {"what the parser takes for the end",
         "a: b\n\x04"
         "c: d\n",
         "control characters"},
        {"an escape character", "a: \x1b[0m\n", "control characters"},
        {"a comma where a value begins", ",x", "line 1, column 1: no value can begin here"},
        {"a comma after a document", "a: 1\n---\n, x", "no value can begin here"},
        {"two documents", "a: 1\n---\nb: 2\n", "one document is wanted, not 2"},
    };
    for (const auto& c : cases) {
        const auto parsed = parse_yaml(c.text);
        ASSERT_FALSE(parsed) << c.reason << ": " << to_text(parsed->value);
        EXPECT_EQ(parsed.error().error_class, ErrorClass::invalid) << c.reason;
        EXPECT_THAT(parsed.error().message, HasSubstr(c.says)) << c.reason;
    }
}

TEST(ParseYaml, EscapesOfCharactersBeyondAsciiAreUtf8) {
    EXPECT_EQ(parse_yaml(R"("A\N\_é\x85")")->value, Json("A\u0085\u00a0é\u0085"));
}

TEST(ParseYaml, EmptyDocumentsAreNotMistakenForNone) {
    for (const auto* text : {"", "\n", "---\n", "---\n---\n", "---\n...\n---\n...\n", "# nothing\n---\n# nothing\n"}) {
        const auto parsed = parse_yaml_stream(text);
        ASSERT_TRUE(parsed) << text << parsed.error().message;
        EXPECT_TRUE(parsed->empty()) << text;
    }
}

TEST(ParseYaml, NamesKeysThatCameTwiceAndTheLastWins) {
    const auto parsed =
        parse_yaml("a: 1\nspec:\n  color: red\n  ports:\n  - x: 1\n  - z: 1\n    z: 2\n  color: blue\na: 2\n");
    ASSERT_TRUE(parsed);
    EXPECT_THAT(parsed->duplicates, ElementsAre("spec.ports[1].z", "spec.color", "a"));
    EXPECT_EQ(to_text(parsed->value), R"({"a":2,"spec":{"color":"blue","ports":[{"x":1},{"z":2}]}})");
    EXPECT_TRUE(parse_yaml("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n")->duplicates.empty()) << "merging is not twice";
}

TEST(ParseYaml, AStreamHasManyDocuments) {
    const auto stream = parse_yaml_stream("a: 1\n---\n# nothing\n---\nb: 2\nb: 3\n---\nc\n");
    ASSERT_TRUE(stream);
    ASSERT_EQ(stream->size(), 3u);
    EXPECT_EQ(to_text((*stream)[0].value), R"({"a":1})");
    EXPECT_EQ(to_text((*stream)[1].value), R"({"b":3})");
    EXPECT_THAT((*stream)[1].duplicates, ElementsAre("b"));
    EXPECT_EQ(to_text((*stream)[2].value), R"("c")");
    EXPECT_FALSE(parse_yaml_stream("a: &x 1\n---\nb: *x\n")) << "an anchor ends with its document";
}

TEST(ToYaml, LooksAsPeopleWriteIt) {
    const auto value = parse_json(R"({"apiVersion":"v1","metadata":{"name":"a","labels":{},"m":1,"on":true,"none":null},
        "list":["x",1,{"a":"b","c":["d"]},["e","f"],[]],"port":"8080","yes":"no","text":"two\nlines\n",
        "script":"#!/bin/sh\n  echo\n\nexit","url":"http://example.org:80/x","odd":"a: b","lead":" x","empty":"",
        "date":"2026-01-01","big":1e21,"quote":"say \"hi\"","é":"é"})")
                           ->value;
    EXPECT_EQ(to_yaml(value), R"(apiVersion: v1
metadata:
  name: a
  labels: {}
  m: 1
  "on": true
  none: null
list:
- x
- 1
- a: b
  c:
  - d
- - e
  - f
- []
port: "8080"
"yes": "no"
text: |
  two
  lines
script: |-
  #!/bin/sh
    echo

  exit
url: http://example.org:80/x
odd: "a: b"
lead: " x"
empty: ""
date: "2026-01-01"
big: 1.0e+21
quote: "say \"hi\""
"é": "é"
)");
}

TEST(ToYaml, EveryStringComesBack) {
    const std::string texts[] = {"",
                                 " ",
                                 "\n",
                                 "\n\n",
                                 "a\n",
                                 "a\n\n",
                                 "\na",
                                 " a\nb",
                                 "a\n b\n",
                                 "a\n \nb",
                                 "a \nb",
                                 "a\tb\nc",
                                 "\ta\nb",
                                 "a\r\nb",
                                 "a\rb",
                                 "yes",
                                 "No",
                                 "null",
                                 "~",
                                 "1",
                                 "0x1",
                                 "1e3",
                                 ".5",
                                 "1_0",
                                 "<<",
                                 "=",
                                 "-",
                                 "- a",
                                 "? a",
                                 ": a",
                                 "a:",
                                 "a: b",
                                 "a #b",
                                 "#a",
                                 "&a",
                                 "*a",
                                 "!a",
                                 "|",
                                 ">",
                                 "%a",
                                 "@a",
                                 "`a",
                                 "'",
                                 "\"",
                                 "\\",
                                 "{}",
                                 "[]",
                                 ",",
                                 "---",
                                 "...",
                                 "--- a",
                                 "a\n---\nb",
                                 "a\n...\nb",
                                 "# a\n# b",
                                 "é",
                                 "日\n本",
                                 "😀",
                                 "\x7f",
                                 "\xc2\x85",
                                 "\xc2\xa0",
                                 "\xe2\x80\xa8",
                                 "\xef\xbb\xbf",
                                 "\xef\xbf\xbe",
                                 std::string("\0", 1),
                                 "\x04",
                                 "a\x1b[0m",
                                 std::string(5000, 'k'),
                                 "2026-01-01",
                                 "12:30",
                                 "0o7",
                                 "Infinity",
                                 ".inf",
                                 "NaN",
                                 "a b  c ",
                                 "http://x:1/y",
                                 "a@b.c",
                                 "true\n"};
    for (const auto& text : texts) {
        const Json values[] = {Json(text), json::array{text, json::array{text}},
                               json::object{{text, text}, {"k", json::object{{text, json::array{text}}}}}};
        for (const auto& value : values) {
            const auto yaml = to_yaml(value);
            const auto parsed = parse_yaml(yaml);
            ASSERT_TRUE(parsed) << parsed.error().message << "\n" << yaml;
            EXPECT_EQ(parsed->value, value) << yaml;
        }
    }
}

TEST(ToYaml, EveryValueComesBack) {
    auto random = make_seeded_random(31);
    for (int i = 0; i < 1500; ++i) {
        const auto value = test::random_json(*random);
        const auto yaml = to_yaml(value);
        const auto parsed = parse_yaml(yaml);
        ASSERT_TRUE(parsed) << parsed.error().message << "\n" << yaml;
        ASSERT_EQ(parsed->value, value) << yaml;
        ASSERT_TRUE(parsed->duplicates.empty()) << yaml;
    }
}

TEST(ParseYaml, ReadsJsonAsTheJsonReaderDoes) {
    auto random = make_seeded_random(37);
    for (int i = 0; i < 1000; ++i) {
        const auto value = test::random_json(*random);
        const auto text = to_text(value);
        const auto parsed = parse_yaml(text);
        ASSERT_TRUE(parsed) << parsed.error().message << "\n" << text;
        ASSERT_EQ(parsed->value, value) << text;
    }
}

}  // namespace
}  // namespace ocim::api
