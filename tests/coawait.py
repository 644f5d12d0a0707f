#!/usr/bin/python3
"""Holds the shapes of co_await that every compiler of ours translates correctly.

GCC 12 frees temporaries twice and takes wrong branches in other shapes, so only these are written:
`co_await f(args);`, `x = co_await f(args);`, `co_return co_await f(args);`, and CO_TRY / CO_CHECK around them, with
arguments that are names, literals, moves or constructor calls with parentheses. `colint: ok` on the line excuses it.
"""
import pathlib
import re
import sys

RULES = [
    (r"\?[^:;]*co_await|co_await[^;]*\?", "co_await beside ?:"),
    (r"\bthrow\b[^;]*co_await", "co_await in throw"),
    (r"co_await[^;]*\[[^\]]*[\w&=][^\]]*\]\s*(\([^)]*\)\s*(mutable\s*)?(->\s*[\w:<>]+\s*)?)?\{", "a capturing lambda in the statement"),
    (r"co_await[^;]*[({,]\s*(?:[\w:]+\s*)?\{", "a braced temporary in the statement"),
    (r"(vector|map|set|array)\s*(<[^;]*>)?\s*\{[^;}]*co_await", "co_await inside braces"),
]


def statements(text):
    """(line number, statement) for each statement that has a co_await; comments and strings are blanked."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]) if "colint: ok" not in m[0] else m[0],
                  text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', lambda m: '"' + " " * (len(m[0]) - 2) + '"', text)
    for found in re.finditer(r"co_await", text):
        start = max(text.rfind(c, 0, found.start()) for c in ";")
        block = max(text.rfind("{\n", 0, found.start()), text.rfind("}\n", 0, found.start()))
        end = text.find(";", found.end())
        stop = text.find("\n", end)
        yield text.count("\n", 0, found.start()) + 1, text[max(start, block) + 1:end + 1], text[end:stop]


def in_condition(statement):
    """Whether a co_await stands between the parentheses of an if, while, switch or for."""
    for keyword in re.finditer(r"\b(if|while|switch|for)\s*(constexpr\s*)?\(", statement):
        depth, end = 1, keyword.end()
        while depth and end < len(statement):
            depth += {"(": 1, ")": -1}.get(statement[end], 0)
            end += 1
        if "co_await" in statement[keyword.end():end]:
            return True
    return False


def findings(path):
    for line, statement, rest in statements(path.read_text(encoding="utf-8")):
        if "colint: ok" in statement + rest:
            continue
        if in_condition(statement):
            yield f"{path}:{line}: co_await in a condition: {' '.join(statement.split())[:100]}"
            continue
        for pattern, why in RULES:
            if re.search(pattern, statement, flags=re.S):
                yield f"{path}:{line}: {why}: {' '.join(statement.split())[:100]}"
                break


def self_test():
    """Each bad shape is found, each good one is not."""
    bad = ["if (co_await f()) return;", "auto x = c ? co_await f() : g();", "co_await f({a, b});",
           "co_await f([c] { return c; });", "throw E(co_await g());", "while (!co_await f()) {"]
    good = ["co_await f(a, std::move(b));", "const auto x = co_await f(Key(a));", "co_return co_await f();", "if (g()) co_await f();",
            "while (g()) { co_await f(); }",
            "CO_TRY(const auto x, co_await f(a));"]
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.cpp"
        for text, wanted in [(t, True) for t in bad] + [(t, False) for t in good]:
            path.write_text("void f() {\n" + text + "\n;}\n", encoding="utf-8")
            assert bool(list(findings(path))) == wanted, text


if __name__ == "__main__":
    self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    files = [p for folder in ("controller", "reconcilers", "tests") for p in sorted((root / folder).rglob("*.[hc]pp"))]
    found = [line for path in files for line in findings(path)]
    print("\n".join(found) or "co_await shapes hold")
    sys.exit(bool(found))
