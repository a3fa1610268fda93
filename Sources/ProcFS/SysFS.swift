internal import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// /sys: what C libraries, language runtimes and lscpu read there. Values that describe the machine are computed,
/// the rest is what a Linux without the devices behind it has: the directories, and nothing in them.
///
/// Reference: sysfs(5); Linux 6.1, Documentation/ABI.
public final class SysFileSystem: FileSystem {
  private let controls: SystemControls

  public init(_ environment: FileSystemEnvironment, machine: any MachineInformation) {
    controls = SystemControls(firstNumber: 1, creationError: .EACCES, fileSize: Int64(pageSize)) {
      Self.entries(processors: machine.processorCount)
    }
    super.init(environment, typeName: "sysfs", magic: FilesystemMagic.SYSFS_MAGIC, childPolicy: .transient)
    setRoot(controls.root(of: self))
  }

  override public func statfs() throws(Errno) -> Statfs {
    var result = try super.statfs()
    result.f_bsize = Int64(pageSize)
    return result
  }

  private static func entries(processors count: Int) -> [SystemControls.Entry] {
    var entries: [SystemControls.Entry] = []
    @inline(never)
    func add(_ path: StaticString, _ value: StaticString = "") {
      entries.append(.init(path: path.bytes, value: .constant(value)))
    }
    /// A list of processors, `0-3`, or with one of them `0`.
    @inline(never)
    func addList(_ path: StaticString) {
      entries.append(
        .init(
          path: path.bytes,
          value: .dynamic(
            get: {
              $0.append("0")
              if count > 1 {
                $0.append("-")
                $0.append(decimal: count - 1)
              }
            }, set: nil)))
    }
    /// A value of one processor's topology: each is a core of its own in the one package.
    func addTopology(_ name: StaticString, _ index: Int, _ value: StaticString?) {
      var path = TextBuffer()
      path.append("devices/system/cpu/cpu")
      path.append(decimal: index)
      path.append("/topology/")
      path.append(name)
      entries.append(
        .init(
          path: path.bytes,
          value: .dynamic(
            get: { if let value { $0.append(value) } else { $0.append(decimal: index) } }, set: nil)))
    }
    for path in ["block/", "bus/", "class/", "dev/", "firmware/", "fs/", "module/", "power/"] as [StaticString] {
      add(path)
    }
    addList("devices/system/cpu/online")
    addList("devices/system/cpu/possible")
    addList("devices/system/cpu/present")
    add("devices/system/cpu/offline")
    add("devices/system/cpu/isolated")
    add("devices/system/cpu/kernel_max", "8191")
    for index in 0..<count {
      addTopology("core_id", index, nil)
      addTopology("physical_package_id", index, "0")
      addTopology("thread_siblings_list", index, nil)
      addTopology("core_cpus_list", index, nil)
    }
    addList("devices/system/node/online")
    addList("devices/system/node/possible")
    addList("devices/system/node/node0/cpulist")
    add("kernel/mm/transparent_hugepage/enabled", "[always] madvise never")
    add("kernel/mm/transparent_hugepage/defrag", "always defer defer+madvise [madvise] never")
    add("kernel/mm/transparent_hugepage/shmem_enabled", "always within_size advise [never] deny force")
    add("kernel/mm/transparent_hugepage/use_zero_page", "1")
    add("kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152")
    add("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0")
    add("kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0")
    return entries
  }
}
