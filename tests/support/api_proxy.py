"""A door in front of an API server of Kubernetes, with TLS of its own, that does to its clients what networks and
servers do: loses calls before and after their effect, says "too many requests", stands still, breaks watches anywhere,
forgets its history, tells of changes twice, and answers lists from a cache that is behind.

    with ApiProxy(kubeconfig, folder, seed) as proxy:
        proxy.faults = Faults(lost=0.1)
        proxy.kubeconfig   # for the client

Chances are drawn from the seed, so the same calls meet the same fate. `proxy.told` counts what was done to whom, and
`proxy.answers` counts the calls that the server answered, by (method, target, status). With a `token` its client is who that says,
else the administrator. Of lists and watches `proxy.told["early"]` counts those that came again before they were told to.
"""
import asyncio
import base64
import collections
import dataclasses
import json
import pathlib
import random
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import yaml

LINE_MAX = 64 * 1024 * 1024
RETRY_AFTER = 1  # s


@dataclasses.dataclass
class Faults:
    """Each is a chance for one call, or for one event of a watch."""
    refused: float = 0      # the connection closes before the server hears of the call
    lost: float = 0         # the server answers, the client never hears it
    busy: float = 0         # 429, come again after RETRY_AFTER
    failing: float = 0      # 500
    broken: float = 0       # an event of a watch: the stream is cut in front of it
    expired: float = 0      # an event of a watch, or the opening of one: 410
    twice: float = 0        # an event of a watch: told again
    stale: float = 0        # a list: as it was when it was asked for before
    stands_still: bool = False  # nothing gets through, in either direction, until it is False again
    spares: str = ""        # calls with this in their target are left alone


class Gone(Exception):
    """The connection ends here."""


class ApiProxy:
    def __init__(self, kubeconfig, folder=None, seed=1, token=None):
        self.token = token
        self.answers = collections.Counter()
        self.in_place_of = collections.Counter()  # those of the answers whose caller was somebody else, with whom before it
        self.own_folder = tempfile.TemporaryDirectory() if folder is None else None
        self.folder = pathlib.Path(folder or self.own_folder.name)
        self.faults = Faults()
        self.told = collections.Counter()
        self.random = random.Random(seed)
        self.lists = {}
        self.not_before = {}  # by target
        self.calls = set()  # tasks, one a connection
        self.loop = asyncio.new_event_loop()
        self.read_kubeconfig(kubeconfig)
        self.make_certificate()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(self.folder / "proxy.pem", self.folder / "proxy.key")
        starting = asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=server, limit=LINE_MAX)
        self.server = asyncio.run_coroutine_threadsafe(starting, self.loop).result(30)
        self.port = self.server.sockets[0].getsockname()[1]
        self.write_kubeconfig()
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)
        self.loop.close()
        if self.own_folder:
            self.own_folder.cleanup()

    async def end(self):
        self.server.close()
        for task in self.calls:
            task.cancel()
        await asyncio.gather(*self.calls, return_exceptions=True)

    def cut(self):
        """Ends every connection that there is."""
        self.loop.call_soon_threadsafe(lambda: [task.cancel() for task in self.calls])

    # --- who is who

    def read_kubeconfig(self, path):
        document = yaml.safe_load(pathlib.Path(path).read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self.upstream = urllib.parse.urlsplit(cluster["server"])
        for name, data in (("upstream-ca.pem", cluster["certificate-authority-data"]),
                           ("client.pem", user["client-certificate-data"]), ("client.key", user["client-key-data"])):
            target = self.folder / name
            target.touch(mode=0o600)
            target.write_bytes(base64.b64decode(data))
        self.trust = ssl.create_default_context(cafile=self.folder / "upstream-ca.pem")
        if not self.token:
            self.trust.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.folder / "proxy.key", "-out", self.folder / "proxy.pem", "-days", "2", "-subj",
                        "/CN=proxy", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)

    def write_kubeconfig(self):
        """Without a token whoever comes is the administrator: what the client says is nobody's."""
        self.kubeconfig = self.folder / "proxy.kubeconfig"
        authority = base64.b64encode((self.folder / "proxy.pem").read_bytes()).decode()
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "clusters": [{"name": "proxy", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                       "certificate-authority-data": authority}}],
            "users": [{"name": "proxy", "user": {"token": self.token or "nobody"}}]}))

    # --- one connection

    def spared(self, target):
        return bool(self.faults.spares) and self.faults.spares in target

    def strikes(self, fault, target):
        """Whether it happens now; it is counted."""
        chance = 0 if self.spared(target) else getattr(self.faults, fault)
        hit = chance > 0 and self.random.random() < chance
        self.told[fault] += hit
        return hit

    async def serve(self, reader, writer):
        self.calls.add(asyncio.current_task())
        try:
            while await self.one_call(reader, writer):
                pass
        except (Gone, OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()
            self.calls.discard(asyncio.current_task())

    async def passable(self, target):
        while self.faults.stands_still and not self.spared(target):
            await asyncio.sleep(0.02)

    async def one_call(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        method, target, _ = line.split(" ", 2)
        length = next((int(f.split(":", 1)[1]) for f in fields if f.lower().startswith("content-length:")), 0)
        body = await reader.readexactly(length)
        self.told["early"] += time.monotonic() < self.not_before.pop((method, target), 0)
        await self.passable(target)
        self.told["calls"] += 1
        if self.strikes("refused", target):
            raise Gone
        if self.strikes("busy", target):
            if method == "GET" and ("limit=" in target or "watch=true" in target):  # only who follows the kind sends it
                self.not_before[method, target] = time.monotonic() + RETRY_AFTER
            return await self.refuse(writer, 429, "TooManyRequests", "too many requests", retry=RETRY_AFTER)
        if self.strikes("failing", target):
            return await self.refuse(writer, 500, "InternalError", "the server has an error")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
        watches = query.get("watch", ["false"])[0] == "true"
        if watches and self.strikes("expired", target):
            return await self.refuse(writer, 410, "Expired", "too old resource version")
        up_reader, up_writer = await asyncio.open_connection(self.upstream.hostname, self.upstream.port, ssl=self.trust,
                                                             limit=LINE_MAX)
        try:
            dropped = ("host:", "connection:") if self.token else ("host:", "connection:", "authorization:")
            kept = [f for f in fields if f and not f.lower().startswith(dropped)]
            up_writer.write("\r\n".join([line, f"Host: {self.upstream.netloc}", "Connection: close", *kept, "", ""]).encode()
                            + body)
            await up_writer.drain()
            answer = await up_reader.readuntil(b"\r\n\r\n")
            status = int(answer.split(b" ", 2)[1])
            self.answers[method, target, status] += 1
            whom = next((f.split(":", 1)[1].strip() for f in fields if f.lower().startswith("impersonate-user:")), None)
            if whom:
                self.in_place_of[whom, method, target, status] += 1
            if watches and b" 200 " in answer[:20]:
                await self.relay_watch(target, answer, up_reader, writer)
                raise Gone
            return await self.relay(method, target, query, answer, up_reader, writer)
        finally:
            up_writer.transport.abort()

    async def refuse(self, writer, code, reason, message, retry=None):
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                           "reason": reason, "code": code}).encode()
        fields = [f"HTTP/1.1 {code} {reason}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        fields += [f"Retry-After: {retry}"] if retry else []
        writer.write("\r\n".join([*fields, "", ""]).encode() + body)
        await writer.drain()
        return True

    async def relay(self, method, target, query, answer, up_reader, writer):
        body = await self.whole_body(answer, up_reader)
        await self.passable(target)
        if self.strikes("lost", target):
            raise Gone
        status = answer.split(b" ", 2)[1]
        if method == "GET" and status == b"200" and b'"items":' in body and "continue" not in query:
            before = self.lists.get(target)
            self.lists[target] = body
            if before is not None and self.strikes("stale", target):
                body = before
        fields = [f for f in answer.decode().split("\r\n") if f and not f.lower().startswith(
            ("content-length:", "transfer-encoding:", "connection:"))]
        writer.write("\r\n".join([*fields, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        await writer.drain()
        return True

    @staticmethod
    async def next_chunk(reader):
        """b"" at the end."""
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        data = await reader.readexactly(size)
        await reader.readexactly(2)
        return data

    async def whole_body(self, answer, reader):
        if b"transfer-encoding: chunked" in answer.lower():
            parts = []
            while part := await self.next_chunk(reader):
                parts.append(part)
            return b"".join(parts)
        length = next((int(f.split(b":", 1)[1]) for f in answer.split(b"\r\n") if f.lower().startswith(b"content-length:")),
                      None)
        return await (reader.read() if length is None else reader.readexactly(length))

    async def relay_watch(self, target, answer, up_reader, writer):
        async def say(line):
            await self.passable(target)
            writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            await writer.drain()

        writer.write(answer)
        pending = b""
        while part := await self.next_chunk(up_reader):
            pending += part
            *lines, pending = pending.split(b"\n")
            for line in lines:
                line += b"\n"
                if self.strikes("broken", target):
                    half = line[:len(line) // 2]
                    writer.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
                    await writer.drain()
                    raise Gone
                if self.strikes("expired", target):
                    await say(json.dumps({"type": "ERROR", "object": {
                        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
                        "message": "too old resource version"}}).encode() + b"\n")
                    raise Gone
                await say(line)
                if self.strikes("twice", target):
                    await say(line)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
