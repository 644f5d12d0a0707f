"""Where the clients are, and a test runner that ends with a table: client, operation, result.

A test case names its CLIENT; the first line of a test's docstring names the operation.
"""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import KUBECTL, OcimTest, ROOT  # noqa: E402

DEPS = ROOT / ".deps"
KUBECTL_OLD = DEPS / "kubectl-1.20" / "kubectl"
HELM_3 = DEPS / "helm-3" / "helm"
HELM_4 = DEPS / "helm-4" / "helm"
CLIENT_NODE = DEPS / "client-node"


class ClientTest(OcimTest):
    """One server, one client."""
    CLIENT = ""
    PROGRAM = KUBECTL

    def client(self, *words, **options):
        """Standard output of the client, which succeeds."""
        return self.ocim.run(str(self.PROGRAM), *words, **options).stdout

    def client_refused(self, *words, **options):
        """Standard error of the client, which fails."""
        done = self.ocim.run(str(self.PROGRAM), *words, check=False, **options)
        self.assertNotEqual(done.returncode, 0, f"{' '.join(words)} was not refused: {done.stdout}")
        return done.stderr


class _Result(unittest.TextTestResult):
    """Remembers what became of each operation."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.rows = []

    def stopTest(self, test):
        wrong = [t for t, _ in self.failures + self.errors if t is test or getattr(t, "test_case", None) is test]
        skipped = [reason for t, reason in self.skipped if t is test]
        result = "FAILED" if wrong else f"not tried: {skipped[0]}" if skipped else "ok"
        operation = (test._testMethodDoc or test._testMethodName).splitlines()[0].rstrip(".")
        self.rows.append((getattr(test, "CLIENT", ""), operation, result))
        super().stopTest(test)


def main():
    program = unittest.main(exit=False, testRunner=unittest.TextTestRunner(resultclass=_Result))
    rows = [("client", "operation", "result"), ("---", "---", "---"), *program.result.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = ("-" * width if cell == "---" else cell.ljust(width) for cell, width in zip(row, widths))
        print("| " + " | ".join(cells) + " |")
    sys.exit(not program.result.wasSuccessful())
