"""A door in front of an HTTP server that keeps some of its calls, and lets them in when nobody waits for them any more."""
import http.client
import http.server
import threading


class LateDoor:
    """
    with LateDoor(port) as door:
        door.keep_after(1)   # of the next PATCHes one is let in, those behind it are kept
        door.kept            # how many are
        door.open()          # who comes from now on is let in; what is kept stays
        door.let_in()        # now what was kept gets there; returns the statuses of the answers, which nobody hears
    """

    def __init__(self, target):
        self.target = target
        self.changed = threading.Condition()
        self.left = None  # how many PATCHes are let in; None: all
        self.kept, self.late, self.released = 0, [], False
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                kept = self.command == "PATCH" and door.wait()
                status, headers, answer = door.ask(self.command, self.path, body, dict(self.headers))
                if kept:
                    with door.changed:
                        door.late.append(status)
                        door.changed.notify_all()
                try:
                    self.send_response_only(status)
                    for name in ("Content-Type",):
                        if name in headers:
                            self.send_header(name, headers[name])
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    self.close_connection = True  # its client has gone

            do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        with self.changed:
            self.released = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def ask(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            connection.request(method, path, body or None, {
                name: value for name, value in headers.items() if name.lower() not in ("host", "connection", "content-length")})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def wait(self):
        """Whether the call was kept; returns once it may go on."""
        with self.changed:
            if self.left is None:
                return False
            if self.left > 0:
                self.left -= 1
                return False
            self.kept += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.released, 600)
            return True

    def keep_after(self, count):
        with self.changed:
            self.left, self.kept, self.late, self.released = count, 0, [], False

    def open(self):
        with self.changed:
            self.left = None

    def let_in(self):
        with self.changed:
            self.released = True
            self.changed.notify_all()
            if not self.changed.wait_for(lambda: len(self.late) == self.kept, 60):
                raise TimeoutError(f"{self.kept - len(self.late)} calls that were kept have not ended")
            return self.late
