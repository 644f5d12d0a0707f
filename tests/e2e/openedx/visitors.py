"""People who visit a site while its AppServers change, and what scenarios of rollouts share."""
import collections
import http.client
import threading
import time

from case import READY, Scenario, wait_for

HOST = "demo.example.test"
SLOW = "/?seconds=9"  # no server may go as long as it makes such a page


class Visitor(threading.Thread):
    """One request after another through the load balancer; `pause` s between them, on one connection if `stays`."""

    def __init__(self, port, pause, stays, page="/"):
        super().__init__()
        self.port, self.pause, self.stays, self.page = port, pause, stays, page
        self.answers, self.failures = collections.Counter(), []
        self.connection = None
        self.over = threading.Event()

    def visit(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            self.connection.request("GET", self.page, headers={"Host": HOST, **({} if self.stays else {"Connection": "close"})})
            reply = self.connection.getresponse()
            body = reply.read().decode()
            if reply.status != 200:
                return f"status {reply.status}"
            self.answers[body.partition(" at ")[0]] += 1
            if not self.stays:
                self.close()
            return None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return repr(error)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def run(self):
        while not self.over.wait(self.pause):
            failure = self.visit()
            if failure:
                self.failures.append((time.strftime("%H:%M:%S"), self.page, self.stays, self.pause, failure))
        self.close()


class Visitors:
    """People of several sorts: hurried ones, those who stay connected, those who think before they click again, and those
    whose page takes long."""

    def __init__(self, port):
        sorts = ((0.15, False), (0.2, False), (0.15, True), (0.5, True), (2.0, True), (2.7, True),
                 *(((0.1, False, SLOW),) * 4))
        self.all = [Visitor(port, *sort) for sort in sorts]

    def __enter__(self):
        for visitor in self.all:
            visitor.start()
        return self

    def __exit__(self, *_):
        for visitor in self.all:
            visitor.over.set()
        for visitor in self.all:
            visitor.join()

    def seen(self, name):
        """How many answers of that name there were, of each sort of visitor at least one, but the slow pages'."""
        counts = [visitor.answers[name] for visitor in self.all if visitor.page != SLOW]
        return sum(counts) if all(counts) else 0

    @property
    def answers(self):
        return sum((visitor.answers for visitor in self.all), collections.Counter())

    @property
    def failures(self):
        return [failure for visitor in self.all for failure in visitor.failures]


class RolloutScenario(Scenario):
    @classmethod
    def have_patience(cls, seconds):
        """How long a new server may take to answer; on a busy host a good one takes a while as well."""
        cls.patch("instanceclass", "demo", {"spec": {"healthCheck": {"timeoutSeconds": seconds}}}, namespace=None)

    @classmethod
    def configure(cls, name, start=2, **rollout):
        cls.patch("instance", "demo", {"spec": {"displayName": name, "rollout": rollout,
                                                "configuration": {"extraVars": {"DEMO_START_SECONDS": start}}}})

    def rolled_out(self):
        return self.condition("instance", "demo", "RolledOut")

    def wait_stage(self, *reasons):
        return wait_for(f"the rollout is {reasons}", lambda: self.rolled_out()["reason"] in reasons, READY)
