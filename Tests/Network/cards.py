#!/usr/bin/env python3
"""Runs guests with a network card behind QEMU's user networking, and speaks with them over the loopback interface.

    Tests/Network/cards.py

Ends with `N passed, N failed`.
"""

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.path.join(TOP, "build/elfloader_qemu-x86_64")
PROGRAM = os.path.join(TOP, "build/tests/peer.musl")
#: The program's port in the guest.
PORT = 7000
#: QEMU's own machine as the guest sees it: the host's loopback interface lies behind.
GATEWAY = "10.0.2.2"
STATIC = f"netdev.ip=10.0.2.77/24:{GATEWAY}:10.0.2.3 "
MACHINES = {
    "pc": (["-machine", "pc"], "virtio-net-pci"),
    "pc, as before VirtIO 1.0": (["-machine", "pc"], "virtio-net-pci,disable-modern=on,disable-legacy=off"),
    "q35": (["-machine", "q35"], "virtio-net-pci"),
    "microvm": (["-machine", "microvm,pit=on,pic=on,rtc=on,isa-serial=on,acpi=off", "-global",
                 "virtio-mmio.force-legacy=false"], "virtio-net-device"),
}


def free_port(kind):
    """Returns a port of the loopback interface that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def checksum(data):
    """Returns what the program computes over its bytes."""
    state = 2166136261
    for byte in data:
        state = (state ^ byte) * 16777619 & 0xffffffff
    return state


@contextlib.contextmanager
def guest(initrd, machine, arguments, forward="", parameters="", address=""):
    """Runs the program in a guest; gives the process, whose output can be read."""
    options, device = MACHINES[machine]
    command = ["qemu-system-x86_64", *options, "-accel", "tcg", "-cpu", "max", "-m", "64", "-display",
               "none", "-nodefaults", "-no-reboot", "-no-user-config", "-serial", "stdio", "-kernel", IMAGE, "-initrd",
               initrd, "-device", "isa-debug-exit,iobase=0x501,iosize=2",
               "-netdev", f"user,id=net0{forward and ',hostfwd=' + forward}{address}", "-device", f"{device},netdev=net0",
               "-append", f"console.stdout=pipe banner=off {parameters}-- /peer {arguments}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        limit = threading.Timer(120, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def awaited(process, line):
    """Reads the guest's output up to a line."""
    for text in process.stdout:
        if text.strip() == line:
            return
        print(text.rstrip())
    raise AssertionError(f"the guest did not print {line!r}")


def rest(process):
    """Reads the guest's output to its end, which must be a good one."""
    text = process.stdout.read().strip()
    status = process.wait()
    # isa-debug-exit: the program's status doubled, and one more.
    assert status == 1, f"ended with {status}: {text}"
    return text


def served(initrd, machine, parameters="", address=""):
    """Several connections at once to a server in the guest."""
    port = free_port(socket.SOCK_STREAM)
    where = "10.0.2.77" if parameters else ""
    pieces = [random.Random(seed).randbytes(size) for seed, size in enumerate((1, 1000, 300_000, 0, 1_000_000))]
    with guest(initrd, machine, f"tcp {PORT} {len(pieces)}", f"tcp:127.0.0.1:{port}-{where}:{PORT}", parameters,
               address) as process:
        awaited(process, "listening")
        connections = []
        for _ in pieces:
            connections.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        for connection, piece in zip(connections, pieces):
            connection.sendall(piece)
        for connection, piece in reversed(list(zip(connections, pieces))):
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda connection=connection: connection.recv(4096), b"")).decode()
            assert answer == f"{len(piece)} {checksum(piece):08x}\n", f"{len(piece)} bytes: {answer!r}"
            connection.close()
        assert rest(process) == f"served {len(pieces)}"


def reflected(initrd, machine):
    """Datagrams, also such as are sent in fragments."""
    port = free_port(socket.SOCK_DGRAM)
    sizes = (1, 1400, 4000, 20000)
    with guest(initrd, machine, f"udp {PORT} {len(sizes)}", f"udp:127.0.0.1:{port}-:{PORT}") as process:
        awaited(process, "listening")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.settimeout(60)
            ours.connect(("127.0.0.1", port))
            for size in sizes:
                message = random.Random(size).randbytes(size)
                ours.send(message)
                assert ours.recv(65536) == message, f"a datagram of {size} bytes came back otherwise"
        assert rest(process) == f"reflected {len(sizes)}"


def asked(initrd, machine):
    """The guest connects to a server of the host, and ends as soon as it has its answer."""
    size = 2_000_000
    with socket.create_server(("127.0.0.1", 0)) as server:
        got = []

        def answer():
            connection, _ = server.accept()
            with connection:
                data = b"".join(iter(lambda: connection.recv(65536), b""))
                got.append(len(data))
                connection.sendall(f"{len(data)} {checksum(data):08x}\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        with guest(initrd, machine, f"to {GATEWAY} {server.getsockname()[1]} {size}") as process:
            text = rest(process)
        thread.join(60)
    state, data = 1, bytearray()
    for _ in range(size):
        state = (state * 1664525 + 1013904223) & 0xffffffff
        data.append(state >> 24)
    assert text == f"{size} {checksum(data):08x}", f"{text!r}, the host has seen {got}"


def refused(initrd, machine):
    """A port of the host where nobody listens."""
    with guest(initrd, machine, f"to {GATEWAY} {free_port(socket.SOCK_STREAM)} 1") as process:
        text = process.stdout.read().strip()
    assert text == "connect: Connection refused", text


def main():
    """Runs every case, and says how it ended."""
    cases = [(f"a server, {machine}", served, (machine,)) for machine in MACHINES]
    cases += [("a server with a fixed address", served, ("pc", STATIC)),
              ("datagrams, pc", reflected, ("pc",)), ("datagrams, microvm", reflected, ("microvm",)),
              ("a client, pc", asked, ("pc",)), ("a client, microvm", asked, ("microvm",)),
              ("a client that is refused", refused, ("pc",))]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        initrd = os.path.join(folder, "peer.cpio")
        subprocess.run([os.path.join(TOP, "support/mkinitrd"), "-o", initrd, "-p", f"{PROGRAM}:/peer"], check=True)
        for name, body, arguments in cases:
            try:
                body(initrd, *arguments)
                print(f"ok   {name}", flush=True)
            except (AssertionError, OSError) as error:
                failed += 1
                print(f"FAILED {name}: {error}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
