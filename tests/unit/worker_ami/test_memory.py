"""What the worker tells glibc, seen in a process of its own."""

import json
import subprocess
import sys

_ARENAS = """
import ctypes, sys, threading
from concurrent.futures import ThreadPoolExecutor
from worker_ami.worker import memory

bounded = sys.argv[1:] == ["bounded"]
if bounded:
    memory.bound_arenas(1)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
all_there = threading.Barrier(8)
with ThreadPoolExecutor(8) as threads:
    list(threads.map(lambda _: (all_there.wait(), libc.malloc(1000)), range(8)))
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""

_TRIM = """
import json
from pathlib import Path
from worker_ami.worker import memory

def resident():
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmRSS:"))
    return int(line.split()[1])

before = resident()
# Too small for glibc to map each by itself; one in the end keeps the heap from shrinking.
blocks = [bytes(50_000) for _ in range(1000)]
last = bytes(50_000)
del blocks
freed = resident()
memory.trim()
print(json.dumps([before, freed, resident()]))
"""

_KEEP = """
import ctypes, resource, sys, threading
from worker_ami.worker import memory

if sys.argv[1:] == ["kept"]:
    memory.keep_what_is_freed()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p

def images():
    global faults
    for image in range(21):
        if image == 1:
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [ctypes.c_void_p(libc.malloc(9_000_000)) for _ in range(6)]
        for block in blocks:
            libc.memset(block, 1, 9_000_000)
        for block in blocks:
            libc.free(block)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults

thread = threading.Thread(target=images)
thread.start()
thread.join()
print(faults)
"""


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def test_waiting_threads_share_an_arena() -> None:
    assert run(_ARENAS, "bounded").count("<heap nr=") <= 2
    assert run(_ARENAS).count("<heap nr=") > 2


def test_free_memory_goes_back_to_the_machine() -> None:
    before, freed, trimmed = json.loads(run(_TRIM))

    assert freed - before > 40_000
    assert trimmed - before < 10_000


def test_what_a_thread_frees_serves_its_next_image() -> None:
    assert int(run(_KEEP, "kept")) * 10 < int(run(_KEEP))
