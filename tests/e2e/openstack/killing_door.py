"""A door before Nova and Neutron that kills Ocim at calls which change something: before they arrive, after they
have done their work and before anybody hears of it, or on their way: they arrive when its successor has looked."""
import http.client
import http.server
import threading
import time

LATE = 3  # seconds after its successor's first look,
LATEST = 8  # but not later than this after the kill: Ocim counts on it within 20


class KillingDoor:
    def __init__(self, ports, kill):
        """`ports`: where each service really is."""
        self.kill = kill
        self.lock = threading.Lock()
        self.changes = self.kills = 0
        self.due = None  # at which change the next kill is
        self.killed_at = []
        self.looked = threading.Event()  # somebody has listed servers since the last kill
        self.servers = {}
        for name, port in ports.items():
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler(port))
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers[name] = server

    def port(self, name):
        return self.servers[name].server_address[1]

    def arm(self, gap):
        with self.lock:
            self.due = self.changes + gap

    def strikes(self, what):
        """None, "before", "after" or "late": what happens to this change."""
        with self.lock:
            self.changes += 1
            if self.due is None or self.changes < self.due:
                return None
            self.due = None
            self.kills += 1
            when = ("late", "before", "after")[self.kills % 3]
            self.killed_at.append(f"{when} {what}")
            return when

    def handler(self, port):
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = self.path.split("?")[0].split("/")
                what = f"{self.command} {'/'.join(word for word in path if len(word) < 32)}"
                when = door.strikes(what) if self.command != "GET" else None
                if when in ("before", "late"):
                    door.looked.clear()
                    self.end()
                if when == "before":
                    return None
                if when == "late" and door.looked.wait(LATEST - LATE):
                    time.sleep(LATE)
                service = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                try:
                    service.request(self.command, self.path, body or None, headers)
                    reply = service.getresponse()
                    content = reply.read()
                finally:
                    service.close()
                if self.command == "GET" and path[-2:] == ["servers", "detail"]:
                    door.looked.set()
                if when == "after":
                    return self.end()
                if when == "late":
                    return None
                self.close_connection = True
                self.send_response_only(reply.status)
                for name, value in reply.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                try:
                    self.end_headers()
                    self.wfile.write(content)
                except ConnectionError:
                    pass  # whoever asked was killed meanwhile

            def end(self):
                door.kill()
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = pass_on

            def log_message(self, *_):
                """Says nothing."""

        return Handler

    def close(self):
        for server in self.servers.values():
            server.shutdown()
            server.server_close()
