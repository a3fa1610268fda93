// swift-tools-version: 6.2
// One manifest for both sides. `ELFLOADER_KERNEL=1` selects the bare-metal side: the real `Platform` over
// `CShims`, and `Boot`. Without it, `Platform` is the fake of Tests/Support, and the tests and host tools exist.
import PackageDescription

let isKernel = Context.environment["ELFLOADER_KERNEL"] == "1"
// `ELFLOADER_LWIP=n` leaves the Internet out: the option LIBLWIP.
let hasInternet = isKernel && Context.environment["ELFLOADER_LWIP"] != "n"

let common: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]
let kernelSettings: [SwiftSetting] =
  common
  + (isKernel ? [.enableExperimentalFeature("Embedded"), .treatWarning("EmbeddedRestrictions", as: .error)] : [])
  + (hasInternet ? [.define("LIBLWIP")] : [])

/// A module that compiles for the kernel and for the host.
func module(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
  .target(name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", swiftSettings: kernelSettings)
}

/// A test target of the host side, in Tests/.
func test(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: path ?? "Tests/\(name)")
}

/// The host tools: `support/qemu-guest`, `support/mkinitrd` and `support/symbolize` run them. What they do is in
/// libraries, which their tests import; the executables are command lines alone.
let hostTools: [Target] = {
  func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/HostTools/\(name)", swiftSettings: common)
  }
  func tool(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
      name: name,
      dependencies: dependencies + [.product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/HostTools/\(name)", swiftSettings: common)
  }
  func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: common)
  }
  return [
    .target(name: "CHostShims", path: "Sources/HostTools/CHostShims"),
    library("HostSystem", ["CHostShims"]),
    library("GuestRunner", ["HostSystem", "Support"]),
    library("InitrdBuilder", ["HostSystem", "Support"]),
    library("Symbolization", ["HostSystem"]),
    tool("QemuGuest", ["GuestRunner", "HostSystem"]),
    tool("MakeInitrd", ["InitrdBuilder", "HostSystem"]),
    tool("Symbolize", ["Symbolization", "HostSystem"]),
    .target(
      name: "ToolTesting", dependencies: ["HostSystem"], path: "Tests/Support/ToolTesting", swiftSettings: common),
    tests("GuestRunnerTests", ["GuestRunner", "HostSystem", "QemuGuest", "ToolTesting"]),
    tests("InitrdBuilderTests", ["InitrdBuilder", "HostSystem", "MakeInitrd", "ToolTesting"]),
    tests("SymbolizationTests", ["Symbolization", "HostSystem", "Symbolize", "ToolTesting"]),
  ]
}()

/// A port of a C library: flat functions over the system's own build of it. On the host it is linked from here; for the
/// kernel its Makefile.uk names the archive.
func port(_ name: String, folder: String, library: String) -> Target {
  .target(
    name: name, dependencies: isKernel ? ["CLibPort"] : [], path: "unikraft-glue/\(folder)", exclude: ["Makefile.uk"],
    cSettings: isKernel ? [.define("\(name.uppercased())_KERNEL")] : [],
    linkerSettings: isKernel ? [] : [.linkedLibrary(library)])
}

var targets: [Target] = [
  port("CLibELF", folder: "libelf", library: "elf"),
  port("CZlib", folder: "zlib", library: "z"),
  module("Support"),
  module("LinuxABI"),
  module("Kernel", ["Platform", "Support", "LinuxABI"]),
  module("ELFLoader", ["CLibELF", "Support", "LinuxABI"]),
  module("Drivers", ["Kernel", "Platform", "Support", "LinuxABI"]),
  module("VFSCore", ["Kernel", "Platform", "Support", "LinuxABI"]),
  module("RamFS", ["VFSCore", "Kernel", "Support", "LinuxABI"]),
  module("CpioFS", ["VFSCore", "Kernel", "Platform", "Support", "LinuxABI"]),
  module("OverlayFS", ["VFSCore", "Kernel", "Support", "LinuxABI"]),
  module("DevFS", ["VFSCore", "Kernel", "Platform", "Support", "LinuxABI"]),
  module("ProcFS", ["VFSCore", "Kernel", "Support", "LinuxABI"]),
  module("NinePFS", ["VFSCore", "Drivers", "Kernel", "Platform", "Support", "LinuxABI"]),
  module("Mmap", ["VFSCore", "Kernel", "Platform", "Support", "LinuxABI"]),
  module("Polling", ["VFSCore", "Kernel", "Support", "LinuxABI"]),
  module("Sockets", ["VFSCore", "Kernel", "LinuxABI"]),
  module("MessageQueues", ["VFSCore", "Kernel", "Support", "LinuxABI"]),
  module("SystemVIPC", ["VFSCore", "Kernel", "Support", "LinuxABI"]),
  module(
    "Process",
    [
      "ELFLoader", "Mmap", "Sockets", "SystemVIPC", "MessageQueues", "VFSCore", "Kernel", "Platform", "Support",
      "LinuxABI",
    ]),
  module(
    "Syscalls",
    [
      "Process", "Polling", "Sockets", "SystemVIPC", "MessageQueues", "Mmap", "VFSCore", "Kernel", "Platform",
      "Support", "LinuxABI",
    ]),
]

if isKernel {
  targets += [
    .target(name: "CShims", path: "CShims"),
    .target(name: "CLibPort", path: "unikraft-glue/libport", exclude: ["Makefile.uk"]),
    module("Platform", ["CShims", "LinuxABI"]),
    module(
      "Boot",
      [
        "Syscalls", "Process", "ELFLoader", "Mmap", "VFSCore", "RamFS", "CpioFS", "NinePFS", "OverlayFS", "DevFS",
        "ProcFS", "Drivers", "Sockets", "SystemVIPC", "MessageQueues", "CZlib", "Kernel", "Platform", "Support",
        "LinuxABI",
      ] + (hasInternet ? ["Network"] : [])),
  ]
  if hasInternet {
    targets += [
      .systemLibrary(name: "CLwIP", path: "unikraft-glue/lwip/include"),
      module("Network", ["CLwIP", "Sockets", "Drivers", "VFSCore", "Kernel", "Platform", "Support", "LinuxABI"]),
    ]
  }
} else {
  targets += [
    module("Platform", ["LinuxABI"], path: "Tests/Support/Platform"),
    test("DriversTests", ["Drivers", "Kernel", "Platform", "Support", "LinuxABI"]),
    test("PortTests", ["CZlib"]),
    test("ELFLoaderTests", ["ELFLoader", "Support", "LinuxABI"]),
    .target(
      name: "ProcessTesting",
      dependencies: ["Process", "Mmap", "VFSCore", "FileSystemTesting", "Kernel", "Platform", "Support", "LinuxABI"],
      path: "Tests/Support/ProcessTesting"),
    test(
      "ProcessTests",
      [
        "Process", "ProcessTesting", "Mmap", "VFSCore", "FileSystemTesting", "Kernel", "Platform", "Support",
        "LinuxABI",
      ]),
    test(
      "SyscallsTests",
      [
        "Syscalls", "Process", "ProcessTesting", "Polling", "VFSCore", "FileSystemTesting", "Kernel", "Platform",
        "Support", "LinuxABI",
      ]),
    test(
      "MessageQueuesTests",
      ["MessageQueues", "VFSCore", "FileSystemTesting", "Kernel", "Platform", "Support", "LinuxABI"]),
    test(
      "SystemVIPCTests",
      ["SystemVIPC", "VFSCore", "FileSystemTesting", "Kernel", "Platform", "Support", "LinuxABI"]),
    test("SupportTests", ["Support"]),
    test("KernelTests", ["Kernel", "Platform", "Support", "LinuxABI"]),
    test("LinuxABITests", ["LinuxABI"]),
    .target(
      name: "FileSystemTesting", dependencies: ["VFSCore", "Kernel", "Platform", "LinuxABI"],
      path: "Tests/Support/FileSystemTesting"),
    test("VFSCoreTests", ["VFSCore", "Kernel", "Platform", "Support", "LinuxABI", "FileSystemTesting"]),
    test("RamFSTests", ["RamFS", "VFSCore", "Kernel", "Platform", "Support", "LinuxABI", "FileSystemTesting"]),
    test("DevFSTests", ["DevFS", "VFSCore", "Kernel", "Platform", "Support", "LinuxABI", "FileSystemTesting"]),
    test("ProcFSTests", ["ProcFS", "VFSCore", "Kernel", "Platform", "Support", "LinuxABI", "FileSystemTesting"]),
    test(
      "NinePFSTests",
      ["NinePFS", "VFSCore", "Drivers", "Kernel", "Platform", "Support", "LinuxABI", "FileSystemTesting"]),
    test("OverlayFSTests", ["OverlayFS", "VFSCore", "Kernel", "Platform", "Support", "LinuxABI", "FileSystemTesting"]),
    test("CpioFSTests", ["CpioFS", "VFSCore", "Kernel", "Platform", "Support", "LinuxABI", "FileSystemTesting"]),
  ]
  targets += hostTools
}

let package = Package(
  name: "elfloader",
  products: isKernel
    ? [.library(name: "elfloader", type: .static, targets: ["Boot"])]
    : [
      .executable(name: "qemu-guest", targets: ["QemuGuest"]),
      .executable(name: "mkinitrd", targets: ["MakeInitrd"]),
      .executable(name: "symbolize", targets: ["Symbolize"]),
    ],
  dependencies: isKernel
    ? [] : [.package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")],
  targets: targets,
  swiftLanguageModes: [.v6]
)
