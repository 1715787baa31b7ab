"""Confine a process, in layers, so that it can only compute.

A program needs no file, no network and no second process, so it gets none: there are no allowed paths and no mounts.
Several mechanisms answer each threat, since every mechanism is missing on some system; those in force are reported.

Sources: seccomp(2), landlock(7), user_namespaces(7), getrlimit(2), PEP 578 (audit hooks).
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Collection
from pathlib import Path

LAYERS = ("namespace", "user", "limits", "landlock", "seccomp", "python")
THREATS = ("network", "files", "processes", "memory", "cpu")
NOBODY = 65534

# linux/prctl.h, linux/sched.h, linux/audit.h; the Landlock calls have one number on every architecture.
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446

# The system calls of a pure computation, by architecture: memory, its own signal handlers, time, random bytes, reading
# and writing open files, and exit. Any other call fails with EPERM.
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SYSCALLS = {
    "x86_64": {
        "memory": (9, 10, 11, 12, 25, 28),  # mmap mprotect munmap brk mremap madvise
        "open files": (0, 1, 3, 5, 8, 20),  # read write close fstat lseek writev
        "signals": (13, 14, 15, 131, 219),  # rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall
        "time": (24, 35, 96, 98, 100, 201, 228, 229, 230),  # sched_yield nanosleep ... clock_nanosleep
        "self": (39, 79, 102, 104, 107, 108, 110, 186, 202, 318),  # getpid getcwd getuid ... futex getrandom
        "end": (60, 231),  # exit exit_group
    },
    "aarch64": {
        "memory": (222, 226, 215, 214, 216, 233),
        "open files": (63, 64, 57, 80, 62, 66),
        "signals": (134, 135, 139, 132, 128),
        "time": (124, 101, 169, 165, 153, 113, 114, 115),
        "self": (172, 17, 174, 176, 175, 177, 173, 178, 98, 278),
        "end": (93, 94),
    },
}

# PEP 578 events that a computation raises. Without the kernel's filter, any other event is refused.
HARMLESS_EVENTS = """
    array.__new__ builtins.id builtins.input builtins.input/result code.__new__ compile exec function.__new__ import
    gc.get_objects gc.get_referents gc.get_referrers marshal.dumps marshal.loads object.__delattr__ object.__getattr__
    object.__setattr__ sys._getframe sys._getframemodulename time.sleep
"""

libc = ctypes.CDLL(None, use_errno=True)
Found = list[tuple[str, str]]  # (threat, mechanism in force)


def describe(found: Found) -> list[str]:
    """One line per threat: `network: limit, namespace, seccomp`, or `memory: none` if no mechanism is in force."""
    return [f"{threat}: {', '.join(m for t, m in found if t == threat) or 'none'}" for threat in THREATS]


def enter(layers: Collection[str]) -> Found:
    """Give up the network and root's rights for good; called once, in the server."""
    found: Found = []
    network, root = CLONE_NEWNET | CLONE_NEWIPC, os.getuid() == 0
    isolated = "namespace" in layers and unshare(network)
    dropped = root and "user" in layers and drop_user()
    # In a user namespace an ordinary user can make the call too, if the system permits it.
    if isolated or ("namespace" in layers and unshare(network | CLONE_NEWUSER)):
        found.append(("network", "namespace"))
    if dropped:
        found.append(("files", f"user {NOBODY}"))
    if (dropped or not root) and "limits" in layers:
        found.append(("processes", "limit"))  # RLIMIT_NPROC, set in lock_down(), does not bind root
    # If the machine runs out of memory, the kernel kills a program before the process that scores it.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    return found


def lock_down(layers: Collection[str], memory_bytes: int, cpu_s: int) -> Found:
    """Confine the child for good, before the first line of a program runs."""
    found: Found = []
    own_bytes = address_space()  # while /proc is still readable
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(PR_SET_NO_NEW_PRIVS, 1)  # no set-uid program can restore rights; landlock and seccomp require it
    if "landlock" in layers and landlock():  # before the limits, because it needs a descriptor
        found.append(("files", "landlock"))
    if "limits" in layers:
        found += set_limits(own_bytes + memory_bytes, cpu_s)
    if "seccomp" in layers and seccomp():
        found += [(threat, "seccomp") for threat in ("network", "files", "processes")]
    elif "python" in layers:
        # No boundary against a determined attacker: native code bypasses it.
        sys.addaudithook(refuse)
        found += [(threat, "python") for threat in ("network", "files", "processes")]
    return found


def unshare(flags: int) -> bool:
    return sys.platform == "linux" and int(libc.unshare(flags)) == 0


def drop_user() -> bool:
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    except OSError:  # such as a user namespace without that id
        return False
    return True


def set_limits(address_bytes: int, cpu_s: int) -> Found:
    """Set resource limits. Four descriptors are open and a fifth is refused, so no file and no socket can be opened."""
    found: Found = [("network", "limit"), ("files", "limit"), ("cpu", "limit")]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # SIGXCPU, which a program can ignore, then SIGKILL
    if sys.platform == "linux":  # macOS accepts RLIMIT_AS without enforcing it
        resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))
        found.append(("memory", "limit"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return found


def address_space() -> int:
    """The bytes that this process has mapped; 0 if the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def landlock() -> bool:
    """Refuse every kind of file access. False if the kernel has no Landlock."""
    version = syscall(LANDLOCK_CREATE_RULESET, 0, 0, 1) if sys.platform == "linux" else 0
    if version < 1:
        return False
    kinds = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # 2 added REFER, 3 TRUNCATE, 5 IOCTL_DEV
    rights = ctypes.c_uint64((1 << kinds) - 1)
    rules = syscall(LANDLOCK_CREATE_RULESET, ctypes.addressof(rights), ctypes.sizeof(rights), 0)
    if rules < 0:
        return False
    done = syscall(LANDLOCK_RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return done


def seccomp() -> bool:
    """Install the allow-list as a classic BPF filter. False on other systems and architectures."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in SYSCALLS:
        return False
    numbers = [number for group in SYSCALLS[machine].values() for number in group]
    load, equal, give = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    allow, refuse_eperm, kill = 0x7FFF0000, 0x00050001, 0x80000000
    code = [(load, 0, 0, 4), (equal, 1, 0, AUDIT_ARCH[machine]), (give, 0, 0, kill), (load, 0, 0, 0)]
    code += [(equal, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    code += [(give, 0, 0, refuse_eperm), (give, 0, 0, allow)]
    steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(steps)))  # sock_fprog
    return prctl(PR_SET_SECCOMP, 2, ctypes.addressof(program)) == 0


def prctl(option: int, *arguments: int) -> int:
    padded = (*arguments, 0, 0, 0, 0)[:4]  # the kernel refuses some options unless the rest is zero
    return int(libc.prctl(option, *(ctypes.c_ulong(value) for value in padded)))


def syscall(number: int, *arguments: int) -> int:
    return int(libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(value) for value in arguments)))


def refuse(event: str, _arguments: object) -> None:
    """An audit hook; a hook cannot be removed once it is added."""
    if event not in HARMLESS_EVENTS.split():
        raise PermissionError(1, f"{event}: Operation not permitted")
