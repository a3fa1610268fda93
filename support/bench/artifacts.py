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
#: The kernel that can mount a share, and what it loads for that, in this order.
SHARE_LINUX_PACKAGE = "linux-image-amd64"
SHARE_MODULES = ["netfs", "fscache", "9pnet", "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev",
                 "virtio_pci", "9pnet_virtio", "9p"]

PROGRAMS = {
    "init": ("init.c", ["-static"]),
    "hello-static": ("hello.c", ["-static"]),
    "hello-dynamic": ("hello.c", []),
    "microbench-static": ("microbench.c", ["-static", "-pthread"]),
    "microbench-dynamic": ("microbench.c", ["-pthread"]),
    "processbench": ("processbench.c", ["-static", "-pthread"]),
    "sharebench": ("sharebench.c", ["-static", "-pthread"]),
    "nop-static": ("nop.c", ["-static"]),
    "nop-dynamic": ("nop.c", []),
}

#: What the programs run besides: programs of the machine, the files that those read, links, and folders of the
#: repository. The project that processbench builds is the runtimes' tests'.
COMPANIONS = {
    "processbench": {
        "programs": ["/bin/dash", "/bin/true", "/bin/cp", "/bin/cat", "/usr/bin/make", "/usr/bin/gcc", "/usr/bin/as",
                     "/usr/bin/ld"],
        "files": ["/usr/include/*.h", "/usr/include/x86_64-linux-gnu/bits/**/*.h",
                  "/usr/include/x86_64-linux-gnu/sys/*.h", "/usr/include/x86_64-linux-gnu/gnu/*.h",
                  "/usr/lib/gcc/x86_64-linux-gnu/*/cc1", "/usr/lib/gcc/x86_64-linux-gnu/*/collect2",
                  "/usr/lib/gcc/x86_64-linux-gnu/*/crt*.o", "/usr/lib/gcc/x86_64-linux-gnu/*/libgcc*.a",
                  "/usr/lib/gcc/x86_64-linux-gnu/*/libgcc_s.so", "/usr/lib/gcc/x86_64-linux-gnu/*/liblto_plugin.so",
                  "/usr/lib/gcc/x86_64-linux-gnu/*/include/std*.h",
                  "/usr/lib/x86_64-linux-gnu/*crt*.o", "/usr/lib/x86_64-linux-gnu/libc.so",
                  "/usr/lib/x86_64-linux-gnu/libc_nonshared.a", "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"],
        "links": {"/bin/sh": "dash", "/usr/bin/cc": "gcc", "/usr/bin/sh": "/bin/dash"},
        "folders": {"/project": "Tests/Runtimes/project"},
    },
    "sharebench": {"programs": ["/usr/bin/find"], "files": [], "links": {"/bin/find": "/usr/bin/find"}, "folders": {}},
}

#: What the root on the share holds besides python3, for lines of sharebench.c.
SHARE_COMPANIONS = {
    "programs": ["/usr/bin/git", "/usr/bin/tar", "/usr/bin/grep", "/usr/bin/dash", "/usr/bin/cat"],
    "files": [],
    "links": {"/bin": "usr/bin", "/lib": "usr/lib", "/lib64": "usr/lib64"},
    "folders": {},
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
        if is_older(target, source, os.path.join(HERE, "figures.h")):
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
        if not is_older(target, packer, __file__, *sources.values()):
            return target
        root = self.path("root-" + name)
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("bin", "dev", "proc", "share", "tmp"):
            os.makedirs(os.path.join(root, folder))
        for program, path in sources.items():
            shutil.copy(path, os.path.join(root, "" if program == "init" else "bin", program))
            for library in self.libraries(program):
                self.copy(library, root)
            if program in COMPANIONS:
                self.add_companions(COMPANIONS[program], root)
            if program == "sharebench":
                self.add_modules(root)
        run([packer, "-o", target, root])
        return target

    def libraries(self, program):
        """Returns the interpreter and the libraries that a program of PROGRAMS loads, by the names it loads them by."""
        _, options = PROGRAMS[program]
        return [] if "-static" in options else self.loaded_by(self.program(program))

    @staticmethod
    def loaded_by(path):
        return re.findall(r"(/\S+) \(0x", run(["ldd", path]))

    @staticmethod
    def copy(path, root):
        """Copies a file of the machine to the same place of a root."""
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        shutil.copy(path, root + path)

    def add_companions(self, companions, root):
        """Copies programs and files of the machine into a root; what a pattern of files does not match is not there."""
        files = [path for pattern in companions["files"] for path in glob.glob(pattern, recursive=True)]
        for path in companions["programs"] + files:
            if not os.path.exists(path):
                raise BenchError(f"{path} is missing")
            self.copy(path, root)
            if os.access(path, os.X_OK) and not re.search(r"\.(so|so\.1|a|o)$", path):
                for library in self.loaded_by(path):
                    self.copy(library, root)
        for path, target in companions["links"].items():
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            if not os.path.lexists(root + path):
                os.symlink(target, root + path)
        for path, source in companions["folders"].items():
            shutil.copytree(os.path.join(REPOSITORY, source), root + path)

    def linux(self):
        """Returns the path of the Linux kernel."""
        return self.unpacked_kernel("linux", LINUX_PACKAGE, keeps_modules=False)

    def share_linux(self):
        """Returns the path of the Linux kernel that can mount a share."""
        return self.unpacked_kernel("linux-share", SHARE_LINUX_PACKAGE, keeps_modules=True)

    def unpacked_kernel(self, name, metapackage, keeps_modules):
        folder = self.path(name)
        kernels = glob.glob(os.path.join(folder, "boot/vmlinuz-*"))
        if kernels:
            return kernels[0]
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            package = self.kernel_package(metapackage)
        except BenchError:
            # The package lists may be absent or out of date.
            run((["sudo"] if os.geteuid() != 0 else []) + ["apt-get", "update", "-q"])
            package = self.kernel_package(metapackage)
        run(["apt-get", "download", "-q", package], cwd=folder)
        [archive] = glob.glob(os.path.join(folder, "*.deb"))
        run(["dpkg-deb", "--extract", archive, folder])
        os.remove(archive)
        if not keeps_modules:
            shutil.rmtree(os.path.join(folder, "lib"), ignore_errors=True)
        kernels = glob.glob(os.path.join(folder, "boot/vmlinuz-*"))
        if not kernels:
            raise BenchError(f"the package {package} holds no boot/vmlinuz-*")
        return kernels[0]

    def add_modules(self, root):
        """Copies the modules of SHARE_MODULES to /modules/0 and so on."""
        self.share_linux()
        os.makedirs(os.path.join(root, "modules"))
        for number, module in enumerate(SHARE_MODULES):
            [path] = glob.glob(self.path("linux-share", "lib/modules/*/kernel/**", f"{module}.ko"), recursive=True)
            shutil.copy(path, os.path.join(root, "modules", str(number)))

    def share(self):
        """Returns the folder that the guests mount: 50,000 files, two large ones, and a root with python3 and others,
        a repository of 20,000 files, and a tree of 500 MB."""
        folder = self.path("share")
        # Another name whenever something else belongs into the folder.
        complete = os.path.join(folder, "complete-with-repository")
        if os.path.exists(complete):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        for number in range(500):
            directory = os.path.join(folder, "tree", f"d{number % 25}", f"e{number}")
            os.makedirs(directory)
            for file in range(100):
                with open(os.path.join(directory, f"file{file}.c"), "w", encoding="utf-8") as output:
                    output.write(f"int value_{number}_{file};\n")
        for name in ("random1", "random16"):
            with open(os.path.join(folder, name), "wb") as output:
                for _ in range(16):
                    output.write(os.urandom(1 << 20))
        root = os.path.join(folder, "root")
        python = os.path.realpath("/usr/bin/python3")
        for path in [python, *self.loaded_by(python)]:
            self.copy(path, root)
        os.symlink(os.path.basename(python), root + "/usr/bin/python3")
        library = f"/usr/lib/{os.path.basename(python)}"
        shutil.copytree(library, root + library, symlinks=True, ignore=shutil.ignore_patterns("test", "dist-packages"),
                        ignore_dangling_symlinks=True)
        for path in glob.glob(f"{library}/lib-dynload/_sqlite3.*.so"):
            for loaded in self.loaded_by(path):
                self.copy(loaded, root)
        self.add_companions(SHARE_COMPANIONS, root)
        shutil.copy(os.path.join(HERE, "sqlite.py"), root)
        os.mkdir(root + "/dev")
        self.make_repository(root + "/repository")
        text = "".join(f"{number} words of a line that nobody looks for\n" for number in range(6000))
        for number in range(2000):
            path = f"{root}/large/d{number % 40}/file{number}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as output:
                output.write(text[:1 << 18] + ("a needle\n" if number == 1000 else ""))
        with open(complete, "w", encoding="utf-8"):
            pass
        return folder

    @staticmethod
    def make_repository(folder):
        """Makes a git repository of 20,000 files, whose index holds as well when it is read through a share."""
        for number in range(200):
            directory = f"{folder}/d{number % 20}/e{number}"
            os.makedirs(directory)
            for file in range(100):
                with open(f"{directory}/file{file}.c", "w", encoding="utf-8") as output:
                    output.write(f"int value_{number}_{file};\n")
        git = ["git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        run([*git, "init", "-q"])
        for setting, value in (("core.checkStat", "minimal"), ("core.trustctime", "false"), ("gc.auto", "0")):
            run([*git, "config", setting, value])
        run([*git, "add", "."])
        run([*git, "commit", "-q", "-m", "files"])

    @staticmethod
    def kernel_package(metapackage):
        """Returns the package with the kernel that a metapackage stands for."""
        found = re.search(r"Depends: (linux-image-\S+)", run(["apt-cache", "depends", metapackage]))
        if not found:
            raise BenchError(f"apt-cache knows no kernel that {metapackage} depends on")
        return found.group(1)
