#include "support.hpp"

#include <gmock/gmock.h>

namespace ocim::schema {
namespace {

using Texts = std::vector<std::string>;

/// A schema with one rule at `spec`.
api::Json with_rule(std::string_view spec, std::string_view rule) {
    auto schema = with_spec(spec);
    schema.at("properties").at("spec").as_object()["x-kubernetes-validations"] =
        api::json::array{api::json::object{{"rule", rule}, {"message", "does not hold"}}};
    return schema;
}

constexpr std::string_view wide_spec = R"(
type: object
properties:
  text: {type: string}
  other: {type: string}
  count: {type: integer}
  ratio: {type: number}
  flag: {type: boolean}
  maybe: {type: string, nullable: true}
  time: {type: string, format: date-time}
  span: {type: string, format: duration}
  data: {type: string, format: byte}
  port: {x-kubernetes-int-or-string: true}
  namespace: {type: string}
  a-b: {type: string}
  x__y: {type: string}
  list: {type: array, items: {type: integer}}
  texts: {type: array, items: {type: string}}
  set: {type: array, x-kubernetes-list-type: set, items: {type: string}}
  labels: {type: object, additionalProperties: {type: string}}
  ports:
    type: array
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [name]
    items: {type: object, required: [name], properties: {name: {type: string}, port: {type: integer}}}
  free: {type: object, x-kubernetes-preserve-unknown-fields: true}
  child: {type: object, properties: {name: {type: string}}}
)";

constexpr std::string_view wide_value = R"(
text: hello
other: ""
count: 3
ratio: 0.5
flag: true
maybe: null
time: "2026-11-22T10:00:00Z"
span: 1h30m
data: aGk=
port: 80
namespace: ns
a-b: dash
x__y: under
list: [1, 2, 3]
texts: [a, b, c]
set: [p, q]
labels: {app: web, "a.b/c": d}
ports: [{name: http, port: 80}, {name: https, port: 443}]
free: {any: {thing: 7}}
child: {name: c}
)";

TEST(Cel, EvaluatesExpressions) {
    const char* hold[] = {
        // literals and operators
        "1 + 2 * 3 == 7",
        "(1 + 2) * 3 == 9",
        "7 / 2 == 3",
        "-7 / 2 == -3",
        "7 % 3 == 1",
        "-7 % 3 == -1",
        "7.0 / 2.0 == 3.5",
        "0x10 == 16",
        "10u == 10u",
        "-9223372036854775808 < 0",
        "1e3 == 1000.0",
        ".5 == 0.5",
        "1 == 1.0",
        "1u < 2",
        "2 > 1.5",
        "'a' + 'b' == 'ab'",
        "[1] + [2] == [1, 2]",
        "b'a' + b'b' == b'ab'",
        "'a' < 'b'",
        "false < true",
        "!false && !!true",
        "true ? true : false",
        "false ? false : true ? true : false",
        "1 in [1, 2]",
        "!(3 in [1, 2])",
        "'k' in {'k': 1}",
        "{'a': 1}['a'] == 1",
        "{'a': {'b': 2}}.a.b == 2",
        "[1, 2][1] == 2",
        "[1, 2,][0] == 1",
        "null == null",
        "'\\n' == \"\\x0a\"",
        "r'\\n' != '\\n'",
        "'''a'b''' == 'a\\'b'",
        "'\\u00e9' == 'é'",
        "'\\101' == 'A'",
        "b'\\xff' != b'\\xfe'",
        "- - 1 == 1",
        "1 // a comment\n == 1",
        // errors are absorbed where the answer is clear
        "true || 1 / 0 == 1",
        "1 / 0 == 1 || true",
        "!(false && 1 / 0 == 1)",
        "!(1 / 0 == 1 && false)",
        "[1, 0].exists(x, 1 / x == 1)",
        "!([0, 2].all(x, 1 / x == 1))",
        // the object
        "self.text == 'hello'",
        "self.count == 3",
        "self.ratio < 1.0",
        "self.flag",
        "self.maybe == null",
        "self.labels.app == 'web'",
        "self.labels['a.b/c'] == 'd'",
        "'app' in self.labels",
        "self.ports[1].port == 443",
        "self.__namespace__ == 'ns'",
        "self.a__dash__b == 'dash'",
        "self.x__underscores__y == 'under'",
        "self.free.any.thing == 7",
        "has(self.text)",
        "has(self.child.name)",
        "!has(self.labels.nope)",
        "self.port == 80",
        "type(self.port) == int",
        "self.data == b'hi'",
        // macros
        "self.list.all(x, x > 0)",
        "self.list.exists(x, x == 2)",
        "self.list.exists_one(x, x == 2)",
        "self.list.map(x, x * 2) == [2, 4, 6]",
        "self.list.map(x, x > 1, x * 2) == [4, 6]",
        "self.list.filter(x, x > 1) == [2, 3]",
        "self.labels.all(k, k.size() > 0)",
        "self.labels.exists(k, k == 'app')",
        "self.labels.all(k, v, size(v) < 5)",
        "self.list.all(i, x, x == i + 1)",
        "self.list.existsOne(i, x, i == 1)",
        "self.list.transformList(i, x, i * x) == [0, 2, 6]",
        "self.ports.all(p, self.ports.exists_one(q, q.name == p.name))",
        "[[1, 2], [3]].all(l, l.all(x, x > 0))",
        "[].all(x, false)",
        "![].exists(x, true)",
        "[1, 2].filter(x, [1].exists(y, y == x)) == [1]",
        // texts
        "self.text.startsWith('he')",
        "self.text.endsWith('lo')",
        "self.text.contains('ell')",
        "self.text.matches('^h.*o$')",
        "matches(self.text, 'l+')",
        "!self.text.matches('^x')",
        "'AbC'.lowerAscii() == 'abc'",
        "'AbC'.upperAscii() == 'ABC'",
        "'a,b,c'.split(',') == ['a', 'b', 'c']",
        "'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'a,b'.split(',', 0) == []",
        "'abc'.split('') == ['a', 'b', 'c']",
        "''.split(',') == ['']",
        "['a', 'b'].join('-') == 'a-b'",
        "['a', 'b'].join() == 'ab'",
        "'aXbX'.replace('X', '') == 'ab'",
        "'aXbX'.replace('X', 'y', 1) == 'aybX'",
        "'ab'.replace('', '-') == '-a-b-'",
        "' \\ta b\\n'.trim() == 'a b'",
        "'tacocat'.indexOf('ac') == 1",
        "'tacocat'.indexOf('a', 2) == 5",
        "'tacocat'.indexOf('z') == -1",
        "'tacocat'.lastIndexOf('a') == 5",
        "'tacocat'.lastIndexOf('a', 4) == 1",
        "'tacocat'.substring(4) == 'cat'",
        "'tacocat'.substring(0, 4) == 'taco'",
        "'äöü'.substring(1, 2) == 'ö'",
        "'äöü'.charAt(2) == 'ü'",
        "'abc'.charAt(3) == ''",
        "'äöü'.size() == 3",
        "size('äöü') == 3",
        "'äb'.reverse() == 'bä'",
        "'abc 123'.find('[0-9]+') == '123'",
        "'abc'.find('z') == ''",
        "'a1b22'.findAll('[0-9]+') == ['1', '22']",
        "'a1b22'.findAll('[0-9]+', 1) == ['1']",
        "'%s is %d or %.2f, 100%%'.format(['x', 3, 0.5]) == 'x is 3 or 0.50, 100%'",
        "strings.quote('a\"b') == '\"a\\\\\"b\"'",
        "isIP('::1') && !isIP('x')",
        "isCIDR('10.0.0.0/8')",
        "isURL('https://example.org') && !isURL('example')",
        // lists and sets
        "size(self.list) == 3",
        "self.list.size() == 3",
        "size(self.labels) == 2",
        "self.list.isSorted()",
        "![2, 1].isSorted()",
        "self.list.sum() == 6",
        "[0.5, 0.5].sum() == 1.0",
        "[].sum() == 0",
        "self.list.min() == 1",
        "self.list.max() == 3",
        "self.texts.indexOf('b') == 1",
        "[1, 2, 1].lastIndexOf(1) == 2",
        "self.texts.indexOf('z') == -1",
        "self.set == self.set",
        "sets.contains(self.texts, ['c', 'a'])",
        "sets.equivalent([1, 2], [2, 1, 1])",
        "sets.intersects([1], [1, 2]) && !sets.intersects([1], [2])",
        // conversions
        "int('42') == 42",
        "int(3.9) == 3",
        "int(true ? '1' : '2') == 1",
        "uint(3) == 3u",
        "double('1.5') == 1.5",
        "double(2) == 2.0",
        "string(3) == '3'",
        "string(1.5) == '1.5'",
        "string(true) == 'true'",
        "string(b'hi') == 'hi'",
        "bool('true')",
        "bytes('a') == b'a'",
        "type(1) == int && type('x') == string && type([]) == list",
        "type(null) == null_type",
        "type(int) == type",
        "dyn(1) == 1",
        "string(self.span) == '1h30m0s'",
        // time
        "duration('90m') == self.span",
        "self.span > duration('1h')",
        "self.time == timestamp('2026-11-22T11:00:00+01:00')",
        "self.time + duration('1h') > self.time",
        "self.time - self.time == duration('0s')",
        "self.time.getFullYear() == 2026 && self.time.getMonth() == 10 && self.time.getDate() == 22",
        "self.time.getDayOfWeek() == 0 && self.time.getDayOfYear() == 325 && self.time.getDayOfMonth() == 21",
        "self.time.getHours() == 10 && self.time.getMinutes() == 0",
        "duration('3725.5s').getMinutes() == 62",
        "duration('3725.5s').getMilliseconds() == 500",
        "string(timestamp(0)) == '1970-01-01T00:00:00Z'",
        "int(timestamp('1970-01-01T00:01:00Z')) == 60",
        "string(duration('-1ms')) == '-1ms'",
        // optionals
        "optional.of(1).hasValue() && !optional.none().hasValue()",
        "optional.of(1).value() == 1",
        "optional.none().orValue(2) == 2",
        "self.?text.orValue('') == 'hello'",
        "self.labels[?'nope'].orValue('x') == 'x'",
        "!self.?other.optMap(x, x + '!').hasValue() || true",
        "self.?child.name.orValue('') == 'c'",
        "optional.of(1).optMap(x, x + 1).value() == 2",
        "optional.ofNonZeroValue('').or(optional.of('d')).value() == 'd'",
        "[1, 2][?5].orValue(7) == 7",
    };
    const api::Json object = api::json::object{{"spec", yaml(wide_value)}};
    for (const auto* rule : hold) {
        const auto schema = Schema::compile(with_rule(wide_spec, rule), "s");
        ASSERT_TRUE(schema) << rule << "\n" << schema.error().message;
        EXPECT_EQ(texts(schema->validate(object, nullptr)), Texts{}) << rule;
    }
}

TEST(Cel, RefusesRulesOutsideTheSubsetWithTheReason) {
    struct {
        const char* rule;
        const char* why;
    } cases[] = {
        {"self.nope == 1", "character 5: undefined field 'nope'"},
        {"self.child.nope == ''", "character 11: undefined field 'nope'"},
        {"self.ports.all(p, p.nope)", "character 20: undefined field 'nope'"},
        {"nope == 1", "character 1: undeclared reference to 'nope'"},
        {"self.text.nope()", "character 10: undeclared reference to 'nope'"},
        {"nope(1)", "character 1: undeclared reference to 'nope'"},
        {"self.text == 1", "character 11: found no matching overload for '_==_' applied to '(string, int)'"},
        {"self.text + 1 == ''", "character 11: found no matching overload for '_+_' applied to '(string, int)'"},
        {"self.text < 1", "character 11: found no matching overload for '_<_' applied to '(string, int)'"},
        {"self.text && true", "character 5: expected type 'bool' but found 'string'"},
        {"self.text", "must evaluate to a bool"},
        {"self.count.all(x, true)",
         "character 5: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"},
        {"self.text.startsWith(1)",
         "character 10: found no matching overload for 'startsWith' applied to '(string, int)'"},
        {"self.text.matches('(')", "character 19: not a regular expression: missing ): ("},
        {"has(self)", "character 1: invalid argument to has() macro"},
        {"self.count[0] == 1", "character 11: found no matching overload for '_[_]' applied to '(int, int)'"},
        {"self.text.x == ''", "character 10: type 'string' does not support field selection"},
        {"Foo{a: 1} == null", "character 4: messages cannot be made here"},
        {"1 ==", "character 5: the expression ends too early"},
        {"(1 == 1", "character 8: ')' is missing"},
        {"1 = 1", "character 3: this character has no meaning here"},
        {"'abc", "character 2: a text is not closed"},
        {"'\\z' == ''", "character 2: not an escape sequence"},
        {"99999999999999999999 == 1", "character 1: not a number, or one beyond 64 bits"},
        {"9223372036854775808 == 1", "character 1: an int has 64 bits"},
        {"for == 1", "character 1: 'for' is a reserved word"},
        {"1 == 1 2", "character 8: an operator is missing"},
        {"true ? 1", "character 9: ':' is missing"},
        {"self. == 1", "character 7: a field name is missing"},
        {"@", "character 1: this character has no meaning here"},
    };
    for (const auto& c : cases) {
        const auto schema = Schema::compile(with_rule(wide_spec, c.rule), "s");
        ASSERT_FALSE(schema) << c.rule;
        EXPECT_EQ(schema.error().message, "s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: " +
                                              api::to_text(c.rule) + ": compilation failed: " + c.why)
            << c.rule;
    }
}

TEST(Cel, BoundsItsOwnNesting) {
    const auto compiles = [](const std::string& rule) {
        return static_cast<bool>(Schema::compile(with_rule("{type: object}", rule), "s"));
    };
    const auto repeat = [](std::string_view text, int times) {
        std::string out;
        for (int i = 0; i < times; ++i) out += text;
        return out;
    };
    EXPECT_TRUE(compiles(repeat("(", 30) + "true" + repeat(")", 30)));
    for (const auto* open : {"(", "[", "!", "-", "{1:", "size(", "true ? true : ", "[1].all(x, "})
        EXPECT_FALSE(compiles(repeat(open, 5000) + "true")) << open;
    EXPECT_FALSE(compiles("self" + repeat(".a", 5000) + " == 1"));
    EXPECT_FALSE(compiles("1" + repeat(" + 1", 5000) + " == 1"));
    EXPECT_TRUE(compiles("true" + repeat(" && true", 3000))) << "a long chain is not deep";
    EXPECT_FALSE(compiles(repeat("true || ", 5000) + "true")) << "but it has a length";
}

TEST(Cel, SaysWhatWentWrong) {
    struct {
        const char* reason;
        const char* rules;  // of spec
        Texts wrong;
    } cases[] = {
        {"the rule itself is the message",
         "[{rule: 'self.count < 3'}]",
         {"spec: Invalid value: failed rule: self.count < 3 (FieldValueInvalid)"}},
        {"a message",
         "[{rule: 'self.count < 3', message: too many}]",
         {"spec: Invalid value: too many (FieldValueInvalid)"}},
        {"a computed message",
         "[{rule: 'self.count < 3', messageExpression: \"'got ' + string(self.count)\"}]",
         {"spec: Invalid value: got 3 (FieldValueInvalid)"}},
        {"a computed message that fails falls back",
         "[{rule: 'self.count < 3', message: plain, messageExpression: \"string(1 / 0)\"}]",
         {"spec: Invalid value: plain (FieldValueInvalid)"}},
        {"reason and place",
         "[{rule: 'self.count < 3', message: never, reason: FieldValueForbidden, fieldPath: .count}]",
         {"spec.count: Forbidden: never (FieldValueForbidden)"}},
        {"required",
         "[{rule: 'self.count < 3', message: never, reason: FieldValueRequired, fieldPath: \".labels['a.b']\"}]",
         {"spec.labels[a.b]: Required value: never (FieldValueRequired)"}},
        {"duplicate",
         "[{rule: 'self.count < 3', message: never, reason: FieldValueDuplicate}]",
         {"spec: Duplicate value (FieldValueDuplicate)"}},
        {"a key that is absent",
         "[{rule: \"self.labels.nope == 'x'\"}]",
         {"spec: Invalid value: \"object\": no such key: nope evaluating rule: self.labels.nope == 'x' "
          "(FieldValueInvalid)"}},
        {"beyond the end",
         "[{rule: 'self.list[9] == 1', message: m}]",
         {"spec: Invalid value: \"object\": index out of bounds: 9 evaluating rule: m (FieldValueInvalid)"}},
        {"division by zero",
         "[{rule: '1 / (self.count - 3) == 1'}]",
         {"spec: Invalid value: \"object\": division by zero evaluating rule: 1 / (self.count - 3) == 1 "
          "(FieldValueInvalid)"}},
        {"overflow",
         "[{rule: '9223372036854775807 + self.count > 0'}]",
         {"spec: Invalid value: \"object\": integer overflow evaluating rule: 9223372036854775807 + self.count > 0 "
          "(FieldValueInvalid)"}},
        {"types that only the value shows",
         "[{rule: \"self.port.startsWith('8')\"}]",
         {"spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, "
          "function or macro signature for rule: self.port.startsWith('8') (FieldValueInvalid)"}},
    };
    const api::Json object = api::json::object{{"spec", yaml(wide_value)}};
    for (const auto& c : cases) {
        auto schema = with_spec(wide_spec);
        schema.at("properties").at("spec").as_object()["x-kubernetes-validations"] = yaml(c.rules);
        EXPECT_EQ(texts(compiled(schema).validate(object, nullptr)), c.wrong) << c.reason;
    }
}

TEST(Cel, ShowsScalarsButNotStructures) {
    const auto schema = compiled(
        with_spec("{type: object, properties: {name: {type: string, x-kubernetes-validations: [{rule: 'self == "
                  "self.lowerAscii()', message: must be lower case}]}}}"));
    EXPECT_EQ(texts(schema.validate(yaml("{spec: {name: UPPER}}"), nullptr)),
              Texts{"spec.name: Invalid value: \"UPPER\": must be lower case (FieldValueInvalid)"});
}

TEST(Cel, ComparesWithTheOldValueOnUpdatesOnly) {
    const auto schema = compiled(with_spec(R"(
type: object
properties:
  zone: {type: string, x-kubernetes-validations: [{rule: self == oldSelf, message: zone is immutable}]}
  size: {type: integer, x-kubernetes-validations: [{rule: '!oldSelf.hasValue() || self >= oldSelf.value()', optionalOldSelf: true, message: never smaller}]}
  disks:
    type: array
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [name]
    items:
      type: object
      required: [name]
      x-kubernetes-validations: [{rule: self.gb >= oldSelf.gb, message: a disk cannot shrink}]
      properties: {name: {type: string}, gb: {type: integer}}
)"));
    const auto after = yaml("{spec: {zone: b, size: 1, disks: [{name: b, gb: 1}, {name: a, gb: 1}]}}");
    EXPECT_EQ(texts(schema.validate(after, nullptr)), Texts{}) << "a creation has nothing to compare with";
    const auto unset = yaml("{spec: {}}");
    EXPECT_EQ(texts(schema.validate(after, &unset)), Texts{}) << "setting a field is no transition";
    const auto before = yaml("{spec: {zone: a, size: 2, disks: [{name: a, gb: 2}, {name: b, gb: 1}]}}");
    EXPECT_EQ(texts(schema.validate(after, &before)),
              (Texts{"spec.zone: Invalid value: \"b\": zone is immutable (FieldValueInvalid)",
                     "spec.size: Invalid value: 1: never smaller (FieldValueInvalid)",
                     "spec.disks[1]: Invalid value: a disk cannot shrink (FieldValueInvalid)"}));
    EXPECT_EQ(texts(schema.validate(unset, &before)), Texts{}) << "unsetting a field is none either";
}

TEST(Cel, RefusesOldSelfWhereItemsHaveNoIdentity) {
    struct {
        const char* spec;
        const char* refusal;
    } cases[] = {
        {"{type: array, items: {type: string, x-kubernetes-validations: [{rule: self == oldSelf}]}}",
         "s.properties[spec].items.x-kubernetes-validations[0].rule: Invalid value: \"self == oldSelf\": oldSelf "
         "cannot "
         "be used on the uncorrelatable portion of the schema within s.properties[spec]"},
        {"{type: object, x-kubernetes-map-type: atomic, properties: {a: {type: string, x-kubernetes-validations: "
         "[{rule: "
         "self == oldSelf}]}}}",
         "s.properties[spec].properties[a].x-kubernetes-validations[0].rule: Invalid value: \"self == oldSelf\": "
         "oldSelf "
         "cannot be used on the uncorrelatable portion of the schema within s.properties[spec]"},
    };
    for (const auto& c : cases) {
        const auto schema = Schema::compile(with_spec(c.spec), "s");
        ASSERT_FALSE(schema);
        EXPECT_EQ(schema.error().message, c.refusal);
    }
}

TEST(Cel, RefusesRulesThatAreNotWellMade) {
    struct {
        const char* rule;
        const char* refusal;
    } cases[] = {
        {"{}", ".rule: Required value: rule is not specified"},
        {"{rule: ' '}", ".rule: Required value: rule is not specified"},
        {"{rule: 'true', message: ''}", ".message: Invalid value: \"\": message must be non-empty if specified"},
        {"{rule: 'true', message: \"a\\nb\"}",
         ".message: Invalid value: \"a\\nb\": message must not contain line breaks"},
        {"{rule: \"true\\n&& true\"}",
         ".message: Required value: message must be specified if rule contains line breaks"},
        {"{rule: 'true', reason: Because}",
         ".reason: Unsupported value: \"Because\": supported values: \"FieldValueRequired\", "
         "\"FieldValueForbidden\", "
         "\"FieldValueInvalid\", \"FieldValueDuplicate\""},
        {"{rule: 'true', fieldPath: .nope}",
         ".fieldPath: Invalid value: \".nope\": fieldPath must be a valid path: does not refer to a valid field"},
        {"{rule: 'true', fieldPath: text}",
         ".fieldPath: Invalid value: \"text\": fieldPath must be a valid path: expected [ or . but got: text"},
        {"{rule: 'true', messageExpression: '1'}",
         ".messageExpression: Invalid value: \"1\": compilation failed: must evaluate to a string"},
        {"{rule: 'true', optionalOldSelf: true}",
         ".optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"},
        {"{rule: 'true', bogus: 1}", ".bogus: Forbidden: this keyword is not understood"},
        {"{rule: 1}", ".rule: Invalid value: 1: must be a text"},
    };
    for (const auto& c : cases) {
        auto schema = with_spec(wide_spec);
        schema.at("properties").at("spec").as_object()["x-kubernetes-validations"] = api::json::array{yaml(c.rule)};
        const auto result = Schema::compile(schema, "s");
        ASSERT_FALSE(result) << c.rule;
        EXPECT_EQ(result.error().message, "s.properties[spec].x-kubernetes-validations[0]" + std::string(c.refusal));
    }
}

TEST(Cel, SaysThatRulesWereNotCheckedAfterABlockingFault) {
    const auto schema = compiled(
        with_spec("{type: object, required: [a], properties: {a: {type: string, minLength: 2}, b: {type: integer}}, "
                  "x-kubernetes-validations: [{rule: 'self.b > 5', message: b is small}]}"));
    EXPECT_EQ(
        texts(schema.validate(yaml("{spec: {b: 1}}"), nullptr)),
        (Texts{"spec.a: Required value (FieldValueRequired)",
               "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
               "correct the existing errors to complete validation (FieldValueInvalid)"}));
    EXPECT_EQ(texts(schema.validate(yaml("{spec: {a: x, b: 1}}"), nullptr)),
              (Texts{"spec.a: Invalid value: \"x\": spec.a in body should be at least 2 chars long (FieldValueInvalid)",
                     "spec: Invalid value: b is small (FieldValueInvalid)"}))
        << "a bound does not block";
}

TEST(Cel, StopsWhenAnObjectCostsTooMuch) {
    const auto schema = compiled(with_rule("{type: object, properties: {v: {type: array, items: {type: integer}}}}",
                                           "self.v.all(x, self.v.all(y, self.v.all(z, x + y + z >= 0)))"));
    const api::Json object = api::json::object{{"spec", {{"v", api::json::array(300, 1)}}}};
    EXPECT_EQ(texts(schema.validate(object, nullptr)),
              Texts{"spec: Invalid value: \"object\": validation failed due to running out of cost budget, no further "
                    "validation rules will be run (FieldValueInvalid)"});
    const auto doubling =
        compiled(with_rule("{type: object, properties: {t: {type: string}}}",
                           "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1].all(a, (self.t + self.t + self.t + "
                           "self.t).replace('', self.t) != '')"));
    const api::Json large = api::json::object{{"spec", {{"t", std::string(100'000, 'x')}}}};
    EXPECT_EQ(doubling.validate(large, nullptr).size(), 1u);
}

TEST(Cel, UnitesSetsAndMapLists) {
    const char* rules[] = {
        "self.set + oldSelf.set == ['p', 'q', 'r']",
        "(self.ports + oldSelf.ports).map(p, p.port) == [1, 443, 22]",
        "self.set != oldSelf.set",
    };
    const api::Json object = api::json::object{{"spec", yaml(wide_value)}};
    const auto before = yaml("{spec: {set: [r, q], ports: [{name: http, port: 1}, {name: ssh, port: 22}]}}");
    for (const auto* rule : rules)
        EXPECT_EQ(texts(compiled(with_rule(wide_spec, rule)).validate(object, &before)), Texts{}) << rule;
    const auto turned = yaml("{spec: {set: [q, p]}}");
    EXPECT_EQ(texts(compiled(with_rule(wide_spec, "self.set == oldSelf.set")).validate(object, &turned)), Texts{})
        << "a set has no order";
}

TEST(Cel, SeesTheNameOfTheObjectAndNothingElseOfItsMetadata) {
    auto schema = with_spec("{type: object}");
    const auto rule = [&](std::string_view text) {
        schema.as_object()["x-kubernetes-validations"] = api::json::array{api::json::object{{"rule", text}}};
        return Schema::compile(schema, "s");
    };
    const auto object = yaml("{apiVersion: a/v1, kind: K, metadata: {name: long-name}, spec: {}}");
    const auto good = rule("self.metadata.name.size() < 20 && self.kind == 'K' && self.apiVersion == 'a/v1'");
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_EQ(texts(good->validate(object, nullptr)), Texts{});
    EXPECT_FALSE(rule("self.metadata.labels.size() < 20"));
}

}  // namespace
}  // namespace ocim::schema
