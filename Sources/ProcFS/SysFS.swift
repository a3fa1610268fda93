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
    /// A mask of processors: of one processor's topology, or of the whole machine.
    @inline(never)
    func addMask(_ path: StaticString, _ index: Int?, _ bits: Range<Int>) {
      var name = TextBuffer()
      name.append("devices/system/")
      if let index {
        name.append("cpu/cpu")
        name.append(decimal: index)
        name.append("/topology/")
      }
      name.append(path)
      entries.append(
        .init(path: name.bytes, value: .dynamic(get: { appendMask(bits, of: count, &$0) }, set: nil)))
    }
    /// A number or list of one processor's topology.
    @inline(never)
    func addTopology(_ name: StaticString, _ index: Int, _ value: Int) {
      var path = TextBuffer()
      path.append("devices/system/cpu/cpu")
      path.append(decimal: index)
      path.append("/topology/")
      path.append(name)
      entries.append(.init(path: path.bytes, value: .dynamic(get: { $0.append(decimal: value) }, set: nil)))
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
    // Each processor is a core of its own in the one package.
    for index in 0..<count {
      addTopology("core_id", index, index)
      addTopology("physical_package_id", index, 0)
      addTopology("thread_siblings_list", index, index)
      addTopology("core_cpus_list", index, index)
      addMask("thread_siblings", index, index..<index + 1)
      addMask("core_cpus", index, index..<index + 1)
      addMask("core_siblings", index, 0..<count)
      addMask("package_cpus", index, 0..<count)
    }
    addMask("node/node0/cpumap", nil, 0..<count)
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

  /// Bits as Linux writes them: words of 32, the highest first, with commas between them.
  private static func appendMask(_ bits: Range<Int>, of count: Int, _ text: inout TextBuffer) {
    var word = (count - 1) / 32
    var width = ((count - 1) % 32 + 4) / 4
    while word >= 0 {
      var value: UInt = 0
      for bit in 0..<32 where bits.contains(word * 32 + bit) { value |= 1 << UInt(bit) }
      text.append(hex: value, width: width)
      if word > 0 { text.append(",") }
      width = 8
      word -= 1
    }
  }
}
