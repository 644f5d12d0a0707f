#!/usr/bin/python3
"""Turns the CRDs of this folder into C++: one header of plain structs a kind, and one source with the CRDs' bytes.

    generate.py header CRD.yaml OUT.hpp
    generate.py embed NAMESPACE::FUNCTION OUT.cpp HEADER.hpp CRD.yaml...

It understands a closed subset of OpenAPI v3 and refuses everything else, so a schema that the types cannot
express fails the build instead of losing data.
"""
import json
import re
import sys

import yaml

SCALARS = {
    ("string", None): "std::string", ("string", "date-time"): "std::string", ("string", "byte"): "std::string",
    ("string", "uri"): "std::string",
    ("integer", "int32"): "std::int32_t", ("integer", "int64"): "std::int64_t", ("boolean", None): "bool",
}
CHECKED_BY_SERVER = {
    "description", "default", "example", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems",
    "maxItems", "minProperties", "maxProperties", "required", "uniqueItems", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-validations",
}
SHARED = {
    frozenset({"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"}): "api::Condition",
    frozenset({"name", "key"}): "api::SecretKeyRef",
    frozenset({"name"}): "api::LocalRef",
}
KEYWORDS = {
    "default", "delete", "new", "register", "class", "public", "private", "switch", "operator", "namespace", "static",
    "protected", "template", "auto", "int", "long", "export", "union", "enum", "struct", "this", "true", "false",
}


def refuse(path, why):
    sys.exit(f"{path}: {why}")


def snake(name, path):
    """remoteCIDR -> remote_cidr, authURL -> auth_url, ttlSeconds -> ttl_seconds."""
    if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name):
        refuse(path, f"field name {name!r} is not lowerCamelCase")
    out = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    out = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", out).lower()
    return out + "_" if out in KEYWORDS else out


def pascal(name):
    return name[0].upper() + name[1:]


def ident(value):
    out = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", value)
    out = re.sub(r"[^a-z0-9]+", "_", out.lower()).strip("_") or "empty"
    if out[0].isdigit():
        return "_" + out
    return out + "_" if out in KEYWORDS else out


class Struct:
    """One C++ struct with its enums and fields.

    The types of its fields stand before it, in the namespace `parts`, and are reached by an alias inside of it: a
    nested class with default member initializers is not default-constructible until the outermost class is
    complete, which std::optional asks too early and never again.
    """

    def __init__(self, name, schema, path, whole=""):
        self.name, self.whole = name, whole + name
        self.before, self.nested, self.fields, self.names, self.wires = [], [], [], [], []
        required = set(schema.get("required", []))
        for key, sub in schema.get("properties", {}).items():
            here = f"{path}.{key}"
            cpp, init = self.type_of(key, sub, here)
            plain = cpp.startswith(("std::vector", "std::map")) or cpp == "api::Json"
            optional = key not in required and "default" not in sub and not plain
            if "default" in sub and not plain and not isinstance(sub["default"], dict):
                init = " = " + self.literal(cpp, sub["default"])
            if doc := sub.get("description"):
                self.fields += [f"/// {line}" for line in " ".join(doc.split()).splitlines()]
            self.fields.append(f"{f'std::optional<{cpp}>' if optional else cpp} {snake(key, here)}"
                               f"{'' if optional else init};")
            if snake(key, here) in self.names:
                refuse(here, f"has the same C++ name as another field: {snake(key, here)}")
            self.names.append(snake(key, here))
            self.wires.append(key)

    def type_of(self, key, s, path):
        unknown = set(s) - CHECKED_BY_SERVER - {
            "type", "format", "enum", "items", "properties", "additionalProperties",
            "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"}
        if unknown:
            refuse(path, f"{sorted(unknown)} is outside the subset this generator understands")
        if s.get("x-kubernetes-preserve-unknown-fields") or s.get("x-kubernetes-int-or-string"):
            return "api::Json", ""
        if "type" not in s:
            refuse(path, "has no type")
        if shared := SHARED.get(frozenset(s.get("properties", {}))):
            return shared, ""
        if "enum" in s:
            self.nested.append(enum(pascal(key), s["enum"], path))
            return pascal(key), "{}"
        if s["type"] == "array":
            inner, _ = self.type_of(key[:-1] if key.endswith("s") and len(key) > 2 else key + "Item", s["items"],
                                    path + "[]")
            return f"std::vector<{inner}>", ""
        if s["type"] == "object" and "additionalProperties" in s:
            inner, _ = self.type_of(key + "Value", s["additionalProperties"], path + ".*")
            return f"std::map<std::string, {inner}>", ""
        if s["type"] == "object":
            name = pascal(key) + "Spec" if pascal(key) == self.name else pascal(key)
            part = Struct(name, s, path, self.whole)
            self.before += part.texts()
            self.nested.append(f"using {name} = {part.whole};")
            return name, ""
        cpp = SCALARS.get((s["type"], s.get("format")))
        if not cpp:
            refuse(path, f"no C++ type for {s['type']}/{s.get('format')}")
        return cpp, "" if cpp == "std::string" else "{}"

    @staticmethod
    def literal(cpp, value):
        return f"{cpp}::{ident(value)}" if cpp[0].isupper() else json.dumps(value)

    def texts(self):
        """The definitions in their order, the struct itself last."""
        wires = ", ".join(f"std::string_view({json.dumps(w)})" for w in self.wires)
        array = f"std::array{{{wires}}}" if wires else "std::array<std::string_view, 0>{}"
        body = "\n".join(self.nested + self.fields + [
            "", f"bool operator==(const {self.whole}&) const = default;",
            f"static constexpr auto wire_names = {array};",
            f"BOOST_DESCRIBE_CLASS({self.whole}, (), ({', '.join(self.names)}), (), ())"])
        return [*self.before, f"struct {self.whole} {{\n{indent(body)}\n}};"]


def enum(name, values, path):
    if len({ident(v) for v in values}) != len(values):
        refuse(path, f"two of {values} have the same C++ name")
    pairs = ", ".join(f"std::pair{{{name}::{ident(v)}, std::string_view({json.dumps(v)})}}" for v in values)
    return (f"enum class {name} {{ {', '.join(ident(v) for v in values)} }};\n"
            f"friend constexpr auto enum_names({name}) {{ return std::array{{{pairs}}}; }}")


def indent(text):
    return "\n".join("    " + line if line else "" for line in text.split("\n"))


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def header(path, out):
    crd = load(path)["spec"]
    version = next(v for v in crd["versions"] if v["storage"])
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    kind = crd["names"]["kind"]
    status = schema.get("status", {}).get("properties", {})
    for field in ("conditions", "observedGeneration"):
        if field not in status:
            refuse(path, f"status.{field} is missing: every kind of ours reports it")
    structs = [Struct(pascal(p), schema[p], p, kind) for p in ("spec", "status")]
    parts = "\n\n".join(text for struct in structs for text in struct.texts())
    aliases = "\n".join(f"using {struct.name} = parts::{struct.whole};" for struct in structs)
    namespaced = "true" if crd["scope"] == "Namespaced" else "false"
    body = "\n\n".join(
        [f'static constexpr api::Kind kind{{"{crd["group"]}", "{version["name"]}", "{kind}", '
         f'"{crd["names"]["plural"]}", {namespaced}}};', aliases,
         "api::Metadata metadata;\nSpec spec;\nStatus status;\n"
         f"bool operator==(const {kind}&) const = default;"])
    name = path.rsplit("/", 1)[-1]
    write(out, f"// Generated from crd-schemas/{name}. Edit that file instead.\n#pragma once\n\n"
               '#include "api/object.hpp"\n\nnamespace ocim::crd {\nnamespace parts {\n\n'
               f"{parts}\n\n}}  // namespace parts\n\nstruct {kind} {{\n{indent(body)}\n}};\n\n"
               "}  // namespace ocim::crd\n")


def embed(function, out, include, *paths):
    """A source with `std::span<const std::string_view> function()`: the CRDs as JSON, in the order of file names."""
    namespace, name = function.rsplit("::", 1)
    texts = []
    for path in sorted(paths, key=lambda p: p.rsplit("/", 1)[-1]):
        text = json.dumps(load(path), separators=(",", ":"), ensure_ascii=False)
        pieces = [text[i:i + 4000] for i in range(0, len(text), 4000)]
        texts.append("    // " + path.rsplit("/", 1)[-1] + "\n    "
                     + "\n    ".join(f'R"crd({piece})crd"' for piece in pieces) + ",")
    body = indent("\n".join(texts))
    write(out, f"""// Generated from the CRDs named below. Edit these files instead.
#include "{include}"

// The standard promises 65,536 characters a literal; clang and gcc have no such bound.
#pragma GCC diagnostic ignored "-Woverlength-strings"

namespace {namespace} {{

std::span<const std::string_view> {name}() {{
    static constexpr std::string_view all[] = {{
{body}
    }};
    return all;
}}

}}  // namespace {namespace}
""")


def write(out, text):
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    {"header": header, "embed": embed}[sys.argv[1]](*sys.argv[2:])
