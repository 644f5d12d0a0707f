"""One thread of another process stands still, and its other threads go on.

    with ThreadHeld(pid):    # the first thread; another by its own number
        ...
"""
import ctypes
import os
import threading

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17  # of ptrace(2)
WALL = 0x40000000  # waitpid() for threads too


class ThreadHeld:
    def __init__(self, thread):
        self.thread = thread
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
        self.libc.ptrace.restype = ctypes.c_long

    def __enter__(self):
        self.tracer = threading.get_native_id()
        self.ask(SEIZE)
        self.ask(INTERRUPT)
        os.waitpid(self.thread, WALL)
        return self

    def __exit__(self, *_):
        assert threading.get_native_id() == self.tracer, "only the thread that holds it can let it go"
        self.ask(DETACH)

    def ask(self, request):
        if self.libc.ptrace(request, self.thread, None, None) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"ptrace {request:#x} of {self.thread}: {os.strerror(number)}")
