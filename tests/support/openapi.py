"""Checks requests and answers against an OpenAPI 3.0 description. Strict: what is not described is refused."""
import json
import re


class OpenApi:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.document = json.load(file)
        self.routes = []
        for template, operations in self.document["paths"].items():
            names = re.findall(r"\{([^}]+)\}", template)
            pattern = re.compile("^" + re.sub(r"\\\{[^}]+\\\}", "([^/]+)", re.escape(template)) + "$")
            self.routes.append((len(names), pattern, names, operations))
        self.routes.sort(key=lambda route: route[0])  # a fixed word goes before a parameter

    def resolve(self, value):
        while isinstance(value, dict) and "$ref" in value:
            found = self.document
            for part in value["$ref"][2:].split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            value = found
        return value

    def example(self, name):
        """A fresh copy of one of the examples that the description holds."""
        return json.loads(json.dumps(self.document["components"]["examples"][name]["value"]))

    def operation(self, method, path):
        for _, pattern, names, operations in self.routes:
            found = pattern.match(path)
            if found and method.lower() in operations:
                return operations[method.lower()], dict(zip(names, found.groups()))
        return None, {}

    def check_request(self, method, path, query, body):
        """What is wrong with a request, as a list of sentences. `query`: pairs; `body`: bytes."""
        operation, values = self.operation(method, path)
        if operation is None:
            return [f"{method} {path} is not described"]
        wrong = []
        known = {}
        for parameter in map(self.resolve, operation.get("parameters", [])):
            if parameter["in"] == "query":
                known[parameter["name"]] = parameter
            if parameter["in"] == "path":
                self.check_text(parameter["schema"], values[parameter["name"]], "path " + parameter["name"], wrong)
        for name, value in query:
            if name not in known:
                wrong.append(f"query {name} is not described")
            else:
                self.check_text(known[name]["schema"], value, "query " + name, wrong)
        for name, parameter in known.items():
            if parameter.get("required") and name not in dict(query):
                wrong.append(f"query {name} is required")
        described = self.resolve(operation.get("requestBody"))
        if not described:
            return wrong + (["a body is sent and none is described"] if body else [])
        if not body:
            return wrong + (["a body is required"] if described.get("required") else [])
        try:
            value = json.loads(body)
        except ValueError as error:
            return wrong + [f"the body is not JSON: {error}"]
        self.check(described["content"]["application/json"]["schema"], value, "body", wrong, closed=True)
        return wrong

    def check_answer(self, method, path, status, body):
        """What is wrong with our own answer. `body`: a JSON value, or None for none."""
        operation, _ = self.operation(method, path)
        described = self.resolve(operation["responses"].get(str(status)))
        if described is None:
            return [f"status {status} of {method} {path} is not described"]
        content = described.get("content", {}).get("application/json")
        if content is None:
            return [] if body is None else [f"status {status} of {method} {path} has no body"]
        wrong = []
        self.check(content["schema"], body, "answer", wrong)
        return wrong

    def check_text(self, schema, text, where, wrong):
        """A value that travels as text: of a path or a query."""
        schema = self.resolve(schema)
        value = text
        if schema.get("type") == "integer":
            if not re.fullmatch(r"-?[0-9]+", text):
                wrong.append(f"{where}: {text!r} is no integer")
                return
            value = int(text)
        self.check(schema, value, where, wrong)

    def check(self, schema, value, where, wrong, closed=False):
        schema = self.resolve(schema)
        if value is None:
            if not schema.get("nullable") and not self.allows_null(schema):
                wrong.append(f"{where}: must not be null")
            return
        if "enum" in schema and value not in schema["enum"]:
            wrong.append(f"{where}: {value!r} is none of {schema['enum']}")
        for part in schema.get("allOf", []):
            self.check(part, value, where, wrong)
        for word in ("oneOf", "anyOf"):
            if word not in schema:
                continue
            attempts = []
            for part in schema[word]:
                attempt = []
                self.check(part, value, where, attempt, closed)
                attempts.append(attempt)
            if all(attempts):
                wrong.extend(min(attempts, key=len))
        self.check_type(schema, value, where, wrong)
        if isinstance(value, dict):
            self.check_object(schema, value, where, wrong, closed)
        if isinstance(value, list):
            for index, item in enumerate(value):
                self.check(schema.get("items", {}), item, f"{where}[{index}]", wrong, closed)
        if isinstance(value, str):
            self.check_string(schema, value, where, wrong)
        if isinstance(value, int) and not isinstance(value, bool):
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                wrong.append(f"{where}: {value} is out of bounds")

    def allows_null(self, schema):
        if "type" not in schema and "allOf" not in schema and "oneOf" not in schema and "anyOf" not in schema:
            return True
        return any(self.resolve(part).get("nullable") or self.resolve(part).get("type") == "null"
                   for word in ("oneOf", "anyOf", "allOf") for part in schema.get(word, []))

    @staticmethod
    def check_type(schema, value, where, wrong):
        types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        wanted = types.get(schema.get("type"))
        if wanted is None:
            return
        if not isinstance(value, wanted) or (isinstance(value, bool) and schema["type"] != "boolean"):
            wrong.append(f"{where}: {json.dumps(value)[:80]} is no {schema['type']}")

    def check_object(self, schema, value, where, wrong, closed):
        known = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                wrong.append(f"{where}: {name} is missing")
        extra = schema.get("additionalProperties")
        for name, item in value.items():
            if name in known:
                self.check(known[name], item, f"{where}.{name}", wrong, closed)
            elif isinstance(extra, dict):
                self.check(extra, item, f"{where}.{name}", wrong, closed)
            elif extra is False or (closed and known):
                wrong.append(f"{where}: {name} is not described")

    @staticmethod
    def check_string(schema, value, where, wrong):
        if len(value) < schema.get("minLength", 0) or len(value) > schema.get("maxLength", len(value)):
            wrong.append(f"{where}: has {len(value)} characters")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            wrong.append(f"{where}: {value!r} does not match {schema['pattern']}")
        if schema.get("format") == "date-time" and not re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)$", value):
            wrong.append(f"{where}: {value!r} is no date-time")
        if schema.get("format") == "uri" and not re.match(r"^[a-z][a-z0-9+.-]*:", value):
            wrong.append(f"{where}: {value!r} is no URI")
