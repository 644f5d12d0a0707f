#include "schema/column.hpp"

#include "support.hpp"

namespace ocim::schema {
namespace {

using namespace std::chrono_literals;

TEST(JsonPath, FindsValues) {
    const auto object = yaml(R"(
metadata: {name: nn, labels: {a.b: dotted, "x y": spaced}, creationTimestamp: "2026-11-22T10:00:00Z"}
spec: {items: [{name: a, nr: 1}, {name: b, nr: 2}, {name: c, nr: 3}], replicas: 3, "null": null}
status:
  conditions: [{type: Ready, status: "True"}, {type: Stalled, status: "False"}]
)");
    struct {
        const char* path;
        const char* found;  // as a YAML list
    } cases[] = {
        {".metadata.name", "[nn]"},
        {"metadata.name", ""},
        {"$.metadata.name", "[nn]"},
        {".spec.replicas", "[3]"},
        {".spec.absent.more", "[]"},
        {".metadata.labels.a\\.b", "[dotted]"},
        {".metadata.labels['a\\.b']", "[dotted]"},
        {".metadata.labels['a.b']", "[dotted]"},
        {".metadata.labels[\"x y\"]", "[spaced]"},
        {".metadata['name','labels']", "[nn, {a.b: dotted, x y: spaced}]"},
        {".spec.items[*].name", "[a, b, c]"},
        {".spec.items[0].name", "[a]"},
        {".spec.items[-1].name", "[c]"},
        {".spec.items[0,2].name", "[a, c]"},
        {".spec.items[1:].name", "[b, c]"},
        {".spec.items[:-1].name", "[a, b]"},
        {".spec.items[::2].name", "[a, c]"},
        {".spec.items[9].name", "[]"},
        {".spec.items[?(@.nr>1)].name", "[b, c]"},
        {".spec.items[?(@.nr<=1)].name", "[a]"},
        {".spec.items[?(@.name!='a')].nr", "[2, 3]"},
        {".spec.items[?(@.zz)].n", "[]"},
        {".status.conditions[?(@.type==\"Ready\")].status", "['True']"},
        {".status.conditions[?(@.type == 'Ready')].status", "['True']"},
        {".status..type", "[Ready, Stalled]"},
        {".spec.items[*]['name']", "[a, b, c]"},
        {"{.metadata.name}/{.spec.replicas}", "[nn, 3]"},
    };
    for (const auto& c : cases) {
        const auto path = JsonPath::parse(c.path);
        if (*c.found == '\0') {
            EXPECT_FALSE(path) << c.path;
            continue;
        }
        ASSERT_TRUE(path) << path.error().message;
        api::json::array found;
        for (const auto* value : path->find(object)) found.push_back(*value);
        EXPECT_EQ(found, yaml(c.found)) << c.path;
    }
}

TEST(JsonPath, RefusesWithThePlace) {
    struct {
        std::string path;
        const char* refusal;
    } cases[] = {
        {"", "a JSONPath may not be empty"},
        {".a[", "JSONPath \".a[\", at character 4: a name in quotes, a number, '*' or '?(' is missing"},
        {".a['b", "JSONPath \".a['b\", at character 6: a quote is not closed"},
        {".a[0", "JSONPath \".a[0\", at character 5: ']' is missing"},
        {".a[::0]", "JSONPath \".a[::0]\", at character 7: the step of a slice must be positive"},
        {".a[?(@.b==)]", "JSONPath \".a[?(@.b==)]\", at character 11: a path from @ or a literal is missing"},
        {".a b", "JSONPath \".a b\", at character 3: '.' or '[' is missing"},
        {"{.a", "JSONPath \"{.a\": '}' is missing"},
        {std::string(5000, 'x'), "a JSONPath of more than 4096 characters is refused"},
    };
    for (const auto& c : cases) {
        const auto path = JsonPath::parse(c.path);
        ASSERT_FALSE(path) << c.path;
        EXPECT_EQ(path.error().message, c.refusal);
    }
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += ".a";
    EXPECT_FALSE(JsonPath::parse(deep));
    std::string filters = ".a";
    for (int i = 0; i < 10; ++i) filters += "[?(@";
    EXPECT_FALSE(JsonPath::parse(filters));
}

TEST(JsonPath, BoundsWhatARecursivePathCollects) {
    api::Json object = 1;
    for (int i = 0; i < 14; ++i) object = api::json::object{{"a", object}, {"b", object}};
    const auto path = JsonPath::parse("$..a..a..b");
    ASSERT_TRUE(path);
    EXPECT_LE(path->find(object).size(), limits::json_path_results_max);
}

TEST(Column, MakesCells) {
    const auto object = yaml(R"(
metadata: {name: n, creationTimestamp: "2026-11-22T10:00:00Z"}
spec: {replicas: 3, ratio: 0.5, enabled: true, list: [a, b], text: x, nothing: null}
ref: {kind: VirtualMachine, name: web}
)");
    struct {
        const char *type, *format, *path;
        api::Json cell;
    } cases[] = {
        {"string", "", ".spec.text", "x"},
        {"string", "", ".spec.replicas", "3"},
        {"string", "", ".spec.list", R"(["a","b"])"},
        {"string", "", ".spec.list[*]", "a"},
        {"string", "", ".spec.absent", nullptr},
        {"string", "", ".spec.nothing", nullptr},
        {"integer", "int32", ".spec.replicas", 3},
        {"integer", "", ".spec.ratio", 0},
        {"integer", "", ".spec.text", nullptr},
        {"number", "", ".spec.ratio", 0.5},
        {"boolean", "", ".spec.enabled", true},
        {"boolean", "", ".spec.text", nullptr},
        {"date", "", ".metadata.creationTimestamp", "3m"},
        {"date", "", ".spec.text", "<invalid>"},
        {"date", "", "{.spec.absent}{.spec.nothing}{.metadata.creationTimestamp}", "3m"},
        {"integer", "count", ".spec.list", 2},
        {"integer", "count", ".spec.absent", 0},
        {"integer", "count", "{.spec.list}{.ref}", 4},
        {"string", "list", ".spec.list[*]", "a, b"},
        {"string", "reference", "{.ref.kind}/{.ref.name}", "virtualmachine/web"},
        {"string", "", "{.ref.kind}/{.ref.name}", "VirtualMachine/web"},
        {"string", "", "{.no.kind}/{.no.name}", nullptr},
    };
    const auto now = parse_rfc3339("2026-11-22T10:03:00Z");
    ASSERT_TRUE(now);
    for (const auto& c : cases) {
        auto path = JsonPath::parse(c.path);
        ASSERT_TRUE(path) << c.path;
        const Column column{.name = "C",
                            .type = c.type,
                            .format = c.format,
                            .description = "",
                            .priority = 0,
                            .path = *std::move(path)};
        EXPECT_EQ(column.cell(object, *now), c.cell) << c.type << " " << c.path;
    }
}

TEST(Age, IsPrintedAsKubectlDoes) {
    const std::pair<std::chrono::seconds, const char*> cases[] = {
        {-10s, "<invalid>"},  {-1s, "0s"},       {0s, "0s"},          {59s, "59s"},         {119s, "119s"},
        {120s, "2m"},         {150s, "2m30s"},   {599s, "9m59s"},     {600s, "10m"},        {179min, "179m"},
        {180min, "3h"},       {200min, "3h20m"}, {8h, "8h"},          {47h + 59min, "47h"}, {48h, "2d"},
        {50h, "2d2h"},        {24h * 8, "8d"},   {24h * 729, "729d"}, {24h * 730, "2y"},    {24h * 800, "2y70d"},
        {24h * 365 * 9, "9y"}};
    const WallTime then{};
    for (const auto& [passed, text] : cases) EXPECT_EQ(age(then, then + passed), text) << passed.count();
}

}  // namespace
}  // namespace ocim::schema
