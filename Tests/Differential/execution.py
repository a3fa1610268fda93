"""Runs commands for both sides: with pipes, or on a terminal where input is typed at the right moment."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time


class Outcome:
    """What a run left: output bytes, exit status (None after a time-out), files, and how long it took."""

    def __init__(self, output, status, tree, seconds, trouble=""):
        self.output, self.status, self.tree, self.seconds = output, status, tree, seconds
        self.trouble = trouble


def shell_status(returncode):
    """Returns the exit status as a shell has it: 128 + n after a death by signal n."""
    return returncode if returncode >= 0 else 128 - returncode


def run_bounded(arguments, timeout, stdin=b""):
    """Runs a command in a session of its own, its input and output pipes, standard error with the output.

    Returns (output, status or None on a time-out, seconds).
    """
    start = time.monotonic()
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        output, _ = process.communicate(input=stdin, timeout=timeout)
        status = shell_status(process.returncode)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    return output, status, time.monotonic() - start


def run_on_terminal(arguments, timeout, dialogue):
    """Runs a command on a new terminal of 24 by 80; returns as `run_bounded` does.

    `dialogue` is a list of (pattern, text) or (pattern, text, seconds): each text is typed when the output since the
    last one matches, or that much later, when a program has had the time to start to read.
    """
    start = time.monotonic()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(["setsid", "--ctty", *arguments], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    output, seen, dialogue, ended = b"", 0, list(dialogue), False
    while not ended and time.monotonic() - start < timeout:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                data = b""
            ended = not data
            output += data
        while dialogue and (match := re.search(dialogue[0][0].encode(), output[seen:])):
            seen += match.end()
            _, text, *pause = dialogue.pop(0)
            time.sleep(*pause or [0])
            os.write(ours, text.encode())
    status = None
    try:
        status = shell_status(process.wait(timeout=max(1, timeout - (time.monotonic() - start)) if ended else 0.1))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    os.close(ours)
    return output, status, time.monotonic() - start


def run_either(arguments, case, stdin):
    """Runs a case's command on a terminal or with pipes, as the case asks."""
    if case.terminal is not None:
        return run_on_terminal(arguments, case.timeout, case.terminal)
    return run_bounded(arguments, case.timeout, stdin)
