"""What the kernel makes that has no name in a file system, in words: by its name in /proc/PID/fd.

Pure.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import ObjectInfo

KIND: Final = "anonymous inode"
_NAMES: Final = {
    "[io_uring]": "io_uring",
    "[userfaultfd]": "userfaultfd",
    "[perf_event]": "performance counter",
    "[fanotify]": "fanotify group",
    "[landlock-ruleset]": "Landlock rule set",
    "[fscontext]": "file system context",
    "[vfio-device]": "VFIO device",
    "seccomp notify": "seccomp listener",
    "secretmem": "secret memory",
    "dmabuf": "DMA buffer",
    "sync_file": "sync file",
    "bpf-map": "BPF map",
    "bpf-prog": "BPF program",
    "bpf_link": "BPF link",
    "bpf-link": "BPF link",
    "bpf_iter": "BPF iterator",
    "bpf-iter": "BPF iterator",
    "bpf-stats": "BPF statistics",
    "bpf-token": "BPF token",
    "btf": "BPF type information",
    "kvm-vm": "KVM virtual machine",
    "kvm-vcpu": "KVM processor",
    "kvm-vcpu-stats": "statistics of a KVM processor",
    "kvm-vm-stats": "statistics of a KVM virtual machine",
    "[kvm-gmem]": "KVM guest memory",
    # Namespaces, as in /proc/PID/ns.
    "cgroup": "cgroup namespace",
    "ipc": "IPC namespace",
    "mnt": "mount namespace",
    "net": "network namespace",
    "pid": "PID namespace",
    "time": "time namespace",
    "user": "user namespace",
    "uts": "UTS namespace",
}
"""By anon_inode_getfd's first argument in fs/, kernel/, virt/ and drivers/, and by namespaces(7).
"""


def name_kind(info: ObjectInfo) -> str:
    """The kind of an object: `seccomp listener`, `pipe`; one that is not in the table by the
    kernel's own name.
    """
    if info.kind != KIND:
        return info.kind
    # A processor of a virtual machine has its number behind a colon.
    name = info.detail.partition(":")[0]
    known = _NAMES.get(info.detail) or _NAMES.get(name)
    return known or (f"{KIND} {info.detail}" if info.detail else KIND)
