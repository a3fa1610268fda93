"""Makes what the guests run: the programs, the stub kernel, the initrds and the Linux kernel, all in build/bench.

Nothing that is there already and newer than its source is made again. The Linux kernel is Debian's
linux-image-cloud-amd64, downloaded and unpacked into build/bench/linux; it is not installed.
"""

import glob
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
LINUX_PACKAGE = "linux-image-cloud-amd64"

PROGRAMS = {
    "init": ("init.c", ["-static"]),
    "hello-static": ("hello.c", ["-static"]),
    "hello-dynamic": ("hello.c", []),
    "microbench-static": ("microbench.c", ["-static", "-pthread"]),
    "microbench-dynamic": ("microbench.c", ["-pthread"]),
}


class BenchError(Exception):
    """What keeps the benchmarks from running at all."""


def run(command, **options):
    """Runs a command, and returns its output; when it fails, the error holds what it printed."""
    result = subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, **options)
    if result.returncode != 0:
        raise BenchError(f"{' '.join(command)}: exit status {result.returncode}\n{result.stdout.rstrip()}")
    return result.stdout


def is_older(target, *sources):
    """Tells whether a file is missing or older than one of its sources."""
    if not os.path.exists(target):
        return True
    return any(os.path.getmtime(source) > os.path.getmtime(target) for source in sources)


class Artifacts:
    """The files of build/bench, each made when it is asked for."""

    def __init__(self, build):
        self.folder = os.path.join(build, "bench")
        os.makedirs(self.folder, exist_ok=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def program(self, name):
        """Returns the path of a compiled program of PROGRAMS."""
        source, options = PROGRAMS[name]
        source, target = os.path.join(HERE, source), self.path(name)
        if is_older(target, source):
            run(["gcc", "-O2", "-Wall", *options, source, "-o", target])
        return target

    def stub(self):
        """Returns the path of the stub kernel."""
        source, target = os.path.join(HERE, "stub.S"), self.path("stub")
        if is_older(target, source):
            run(["gcc", "-c", source, "-o", target + ".o"])
            run(["ld", "--build-id=none", "-z", "noexecstack", "-Ttext=0x100000", target + ".o", "-o", target])
        return target

    def initrd(self, programs):
        """Returns the initrd of a root with these programs in /bin (init as /init), and the libraries they load.

        Both guests get the same file.
        """
        name = "+".join(programs)
        target = self.path(name + ".cpio")
        sources = {program: self.program(program) for program in programs}
        packer = os.path.join(REPOSITORY, "support/mkinitrd")
        if not is_older(target, packer, *sources.values()):
            return target
        root = self.path("root-" + name)
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("bin", "dev", "proc", "tmp"):
            os.makedirs(os.path.join(root, folder))
        for program, path in sources.items():
            shutil.copy(path, os.path.join(root, "" if program == "init" else "bin", program))
            for library in self.libraries(program):
                copy = root + library
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                shutil.copy(library, copy)
        run([packer, "-o", target, root])
        return target

    def libraries(self, program):
        """Returns the interpreter and the libraries that a program of PROGRAMS loads, by the names it loads them by."""
        _, options = PROGRAMS[program]
        return [] if "-static" in options else re.findall(r"(/\S+) \(0x", run(["ldd", self.program(program)]))

    def linux(self):
        """Returns the path of the Linux kernel."""
        folder = self.path("linux")
        kernels = glob.glob(os.path.join(folder, "boot/vmlinuz-*"))
        if kernels:
            return kernels[0]
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            package = self.kernel_package()
        except BenchError:
            # The package lists may be absent or out of date.
            run((["sudo"] if os.geteuid() != 0 else []) + ["apt-get", "update", "-q"])
            package = self.kernel_package()
        run(["apt-get", "download", "-q", package], cwd=folder)
        [archive] = glob.glob(os.path.join(folder, "*.deb"))
        run(["dpkg-deb", "--extract", archive, folder])
        os.remove(archive)
        shutil.rmtree(os.path.join(folder, "lib"), ignore_errors=True)
        kernels = glob.glob(os.path.join(folder, "boot/vmlinuz-*"))
        if not kernels:
            raise BenchError(f"the package {package} holds no boot/vmlinuz-*")
        return kernels[0]

    @staticmethod
    def kernel_package():
        """Returns the package with the kernel that LINUX_PACKAGE stands for."""
        found = re.search(r"Depends: (linux-image-\S+)", run(["apt-cache", "depends", LINUX_PACKAGE]))
        if not found:
            raise BenchError(f"apt-cache knows no kernel that {LINUX_PACKAGE} depends on")
        return found.group(1)
