#!/usr/bin/python3
"""An S3 service that holds its clients to the rules: it checks every Signature Version 4, the digest of every body, the
clock, and what a document may hold, as Amazon's API reference has it. What no client should ever send is a violation.

    s3_server.py --port PORT [--region REGION]

Orders of the test come as JSON to POST /_test, and are answered with all that is there.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import json
import re
import threading
import urllib.parse
import xml.etree.ElementTree as xml
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NS = "http://s3.amazonaws.com/doc/2006-03-01/"
METHODS = {"GET", "PUT", "POST", "DELETE", "HEAD"}


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Bucket:
    def __init__(self, owner, made):
        self.owner, self.made = owner, made
        self.tags, self.policy, self.cors, self.versioning = {}, None, None, None
        self.versions = []  # [key, id, whether it is a delete marker]

    def shown(self):
        return {"owner": self.owner, "tags": self.tags, "policy": self.policy, "cors": self.cors,
                "versioning": self.versioning, "versions": self.versions}


class World:
    def __init__(self, region):
        self.lock, self.region = threading.RLock(), region
        self.keys = {"AKIAOURS": "our/secret+key", "AKIANARROW": "narrow", "AKIATHEIRS": "their secret"}
        self.narrow = {"AKIANARROW"}  # may list, and nothing else
        self.buckets, self.calls, self.violations, self.faults = {}, [], [], []
        self.made, self.page, self.skew = 0, 1000, 0

    def now(self):
        self.made += 1
        return (datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=self.made)).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def order(self, text):
        given = json.loads(text) if text else {}
        for name in given.get("make", []):
            self.buckets[name] = Bucket(given.get("owner", "AKIAOURS"), self.now())
        for name in given.get("remove", []):
            self.buckets.pop(name)
        for name, changes in given.get("set", {}).items():
            for field, value in changes.items():
                assert hasattr(self.buckets[name], field), field
                setattr(self.buckets[name], field, value)
        self.faults += given.get("faults", [])
        if "clearFaults" in given:
            self.faults = []
        self.keys.update(given.get("keys", {}))
        for field in ("page", "skew"):
            setattr(self, field, given.get(field, getattr(self, field)))
        return {"buckets": {name: bucket.shown() for name, bucket in self.buckets.items()}, "calls": self.calls,
                "violations": self.violations, "faults": self.faults}


def sign(secret, day, region, text):
    key = ("AWS4" + secret).encode()
    for step in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def element(name, *children, text=None):
    out = xml.Element(name)
    out.text = text
    out.extend(children)
    return out


def document(root):
    root.set("xmlns", NS)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root)


def plain(node):
    """A document as (name, text, children), whatever its namespace."""
    return re.sub(r"\{.*\}", "", node.tag), (node.text or "").strip(), [plain(child) for child in node]


def parse(body, wanted):
    try:
        out = plain(xml.fromstring(body))
    except xml.ParseError as error:
        raise Refused(400, "MalformedXML", str(error)) from None
    if out[0] != wanted:
        raise Refused(400, "MalformedXML", f"{out[0]} instead of {wanted}")
    return out[2]


def collapsed(value):
    """As Amazon gives policies back: a list of one is that one."""
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict):
        return value[0]
    if isinstance(value, list):
        return [collapsed(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key == "Statement" and not isinstance(item, list) else collapsed(item)
                for key, item in value.items()}
    return value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world = None

    def log_message(self, *_):
        pass

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/_test":
            with self.world.lock:
                return self.reply(200, json.dumps(self.world.order(body)).encode(), "application/json")
        path, _, query = self.path.partition("?")
        with self.world.lock:
            self.world.calls.append(f"{self.command} {self.path}")
            fault = self.fault(path, query)
            try:
                if fault and not fault.get("lose"):
                    raise Refused(fault["status"], fault.get("code", "InternalError"))
                who = self.authenticate(path, query, body)
                status, answer = self.serve(who, urllib.parse.unquote(path), query, body)
            except Refused as refused:
                status = refused.status
                answer = document(element("Error", element("Code", text=refused.code),
                                          element("Message", text=refused.message or "No & <no>")))
                if status in (400, 411) and refused.code in ("MalformedXML", "InvalidDigest", "MissingContentMD5"):
                    self.world.violations.append(f"{self.command} {self.path}: {refused.code} {refused.message}")
        if fault and fault.get("lose"):
            self.close_connection = True
            return self.connection.shutdown(2)
        headers = fault.get("headers", {}) if fault else {}
        return self.reply(status, answer, "application/xml", headers)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one

    def reply(self, status, body, kind, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(body)
        return None

    def fault(self, path, query):
        for fault in self.world.faults:
            same = fault.get("method", self.command) == self.command and fault.get("path", path) == path
            if not same or fault.get("query", query) != query:
                continue
            if fault.get("skip", 0) > 0:
                fault["skip"] -= 1
                continue
            fault["times"] = fault.get("times", 1) - 1
            if fault["times"] <= 0:
                self.world.faults.remove(fault)
            return fault
        return None

    def authenticate(self, path, query, body):
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/s3/aws4_request, ?SignedHeaders=([\w;-]+), ?"
                             r"Signature=([0-9a-f]{64})", self.headers.get("Authorization", ""))
        if not found:
            raise Refused(403, "AccessDenied", "no signature")
        key, day, region, names, signature = found.groups()
        if key not in self.world.keys:
            raise Refused(403, "InvalidAccessKeyId")
        if region != self.world.region:
            raise Refused(400, "AuthorizationHeaderMalformed", f"the region '{region}' is wrong")
        when = self.headers.get("x-amz-date", "")
        stamp = datetime.datetime.strptime(when, "%Y%m%dT%H%M%SZ")
        now = datetime.datetime.utcnow() + datetime.timedelta(seconds=self.world.skew)
        if abs((now - stamp).total_seconds()) > 900 or not when.startswith(day):
            raise Refused(403, "RequestTimeTooSkewed")
        if hashlib.sha256(body).hexdigest() != self.headers.get("x-amz-content-sha256"):
            raise Refused(400, "XAmzContentSHA256Mismatch")
        signed = names.split(";")
        for name in self.headers:
            must = name.lower() in ("host", "content-md5") or name.lower().startswith("x-amz-")
            if must and name.lower() not in signed:
                raise Refused(403, "AccessDenied", f"{name} is not signed")
        pairs = sorted(item if "=" in item else item + "=" for item in query.split("&") if item)
        lines = "".join(f"{name}:{' '.join(self.headers[name].split())}\n" for name in signed)
        asked = "\n".join([self.command, path, "&".join(pairs), lines, names, self.headers["x-amz-content-sha256"]])
        scope = f"{day}/{region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(asked.encode()).hexdigest()])
        if signed != sorted(signed) or sign(self.world.keys[key], day, region, text) != signature:
            raise Refused(403, "SignatureDoesNotMatch")
        given = self.headers.get("Content-MD5")
        if given and base64.b64decode(given) != hashlib.md5(body).digest():
            raise Refused(400, "InvalidDigest")
        return key

    def serve(self, who, path, query, body):
        name = path[1:]
        if not name:
            return self.list_buckets(who, query)
        if "/" in name:
            raise Refused(405, "MethodNotAllowed")
        if who in self.world.narrow:
            raise Refused(403, "AccessDenied")
        words = {item.partition("=")[0] for item in query.split("&") if item}
        part = next((word for word in ("tagging", "policy", "cors", "versioning", "versions", "delete") if word in words), "")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
            raise Refused(400, "InvalidBucketName")
        if not part and self.command == "PUT":
            return self.create(who, name, body)
        bucket = self.world.buckets.get(name)
        if bucket is None:
            raise Refused(404, "NoSuchBucket")
        if bucket.owner != who:
            raise Refused(403, "AccessDenied")
        if not part and self.command == "DELETE":
            if bucket.versions:
                raise Refused(409, "BucketNotEmpty")
            del self.world.buckets[name]
            return 204, b""
        handler = getattr(self, f"{self.command.lower()}_{part}", None)
        if not handler:
            raise Refused(405, "MethodNotAllowed", f"{self.command} {self.path}")
        return handler(bucket, name, body)

    def list_buckets(self, who, query):
        given = dict(urllib.parse.parse_qsl(query))
        names = sorted(name for name, bucket in self.world.buckets.items() if bucket.owner == who)
        rest = [name for name in names if name > given.get("continuation-token", "")]
        page = rest[:self.world.page]
        out = element("ListAllMyBucketsResult", element("Buckets", *(
            element("Bucket", element("Name", text=name), element("CreationDate", text=self.world.buckets[name].made))
            for name in page)))
        if len(rest) > len(page):
            out.append(element("ContinuationToken", text=page[-1]))
        return 200, document(out)

    def create(self, who, name, body):
        wanted = parse(body, "CreateBucketConfiguration") if body else []
        if [("LocationConstraint", self.world.region, [])] != wanted and (wanted or self.world.region != "us-east-1"):
            raise Refused(400, "IllegalLocationConstraintException")
        there = self.world.buckets.get(name)
        if there:
            raise Refused(409, "BucketAlreadyOwnedByYou" if there.owner == who else "BucketAlreadyExists")
        self.world.buckets[name] = Bucket(who, self.world.now())
        return 200, b""

    def digest(self):
        if "Content-MD5" not in self.headers:
            raise Refused(400, "MissingContentMD5")

    def get_tagging(self, bucket, *_):
        if not bucket.tags:
            raise Refused(404, "NoSuchTagSet")
        return 200, document(element("Tagging", element("TagSet", *(
            element("Tag", element("Key", text=key), element("Value", text=value)) for key, value in bucket.tags.items()))))

    def put_tagging(self, bucket, _, body):
        self.digest()
        children = parse(body, "Tagging")
        tags = {}
        for tag, _, pair in children[0][2]:
            found = {name: text for name, text, _ in pair}
            if tag != "Tag" or set(found) != {"Key", "Value"} or found["Key"] in tags or found["Key"].startswith("aws:"):
                raise Refused(400, "InvalidTag")
            if len(found["Key"]) > 128 or len(found["Value"]) > 256 or not re.fullmatch(r"[\w .:/=+@-]*", found["Value"]):
                raise Refused(400, "InvalidTag")
            tags[found["Key"]] = found["Value"]
        if len(tags) > 50:
            raise Refused(400, "BadRequest")
        bucket.tags = tags
        return 204, b""

    def get_policy(self, bucket, *_):
        if bucket.policy is None:
            raise Refused(404, "NoSuchBucketPolicy")
        return 200, json.dumps(collapsed(bucket.policy)).encode()

    def put_policy(self, bucket, name, body):
        try:
            policy = json.loads(body)
            for statement in policy["Statement"]:
                assert statement["Effect"] in ("Allow", "Deny") and policy["Version"] == "2012-10-17"
                assert all(re.fullmatch(rf"arn:aws:s3:::{re.escape(name)}(/\*)?", item) for item in statement["Resource"])
                who = statement["Principal"]
                assert who == "*" or all(item.startswith("arn:aws:iam::") for item in who["AWS"])
                for action in statement["Action"]:
                    assert (action == "s3:ListBucket") == (not statement["Resource"][0].endswith("/*"))
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise Refused(400, "MalformedPolicy", repr(error)) from None
        bucket.policy = policy
        return 204, b""

    def delete_policy(self, bucket, *_):
        bucket.policy = None
        return 204, b""

    def get_cors(self, bucket, *_):
        if bucket.cors is None:
            raise Refused(404, "NoSuchCORSConfiguration")
        return 200, document(element("CORSConfiguration", element("CORSRule", *(
            element(name, text=text) for name, text in bucket.cors))))

    def put_cors(self, bucket, _, body):
        self.digest()
        rules = parse(body, "CORSConfiguration")
        if len(rules) != 1 or rules[0][0] != "CORSRule":
            raise Refused(400, "MalformedXML", "CORS rules")
        items = [[name, text] for name, text, _ in rules[0][2]]
        for name, text in items:
            if name == "AllowedMethod" and text not in METHODS:
                raise Refused(400, "InvalidRequest")
            if name not in ("AllowedMethod", "AllowedOrigin", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds"):
                raise Refused(400, "MalformedXML", name)
        bucket.cors = items
        return 200, b""

    def delete_cors(self, bucket, *_):
        bucket.cors = None
        return 204, b""

    def get_versioning(self, bucket, *_):
        status = [element("Status", text=bucket.versioning)] if bucket.versioning else []
        return 200, document(element("VersioningConfiguration", *status))

    def put_versioning(self, bucket, _, body):
        self.digest()
        (name, text, _), = parse(body, "VersioningConfiguration")
        if name != "Status" or text not in ("Enabled", "Suspended"):
            raise Refused(400, "MalformedXML", "Status")
        bucket.versioning = text
        return 200, b""

    def get_versions(self, bucket, *_):
        out = element("ListVersionsResult")
        for key, version, marker in bucket.versions[:self.world.page]:
            out.append(element("DeleteMarker" if marker else "Version", element("Key", text=key),
                               element("VersionId", text=version)))
        return 200, document(out)

    def post_delete(self, bucket, _, body):
        self.digest()
        gone = []
        for name, _, children in parse(body, "Delete"):
            if name == "Object":
                found = {word: text for word, text, _ in children}
                gone.append((found["Key"], found.get("VersionId", "null")))
        if len(gone) > 1000:
            raise Refused(400, "MalformedXML", "more than 1000")
        bucket.versions = [item for item in bucket.versions if (item[0], item[1]) not in gone]
        return 200, document(element("DeleteResult"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--region", default="eu-test-1")
    given = parser.parse_args()
    Handler.world = World(given.region)
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
