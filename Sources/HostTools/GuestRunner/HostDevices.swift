internal import HostSystem

/// A network interface of the host that a guest's card can be.
enum HostInterface {
  case tap
  /// The character device of a macvtap, and its address, which the card must have.
  case macvtap(device: Path, address: String)

  init(_ name: String) throws {
    let entry = Path("/sys/class/net/\(name)")
    guard !name.utf8.contains(UInt8(ascii: "/")), (try? FileStatus(of: entry)) != nil else {
      throw ToolError("-V \(name): no such network interface")
    }
    if (try? FileStatus(of: entry.appending("tun_flags".utf8))) != nil {
      self = .tap
    } else if (try? FileStatus(of: entry.appending("macvtap".utf8))) != nil {
      let index = try attribute(entry.appending("ifindex".utf8))
      self = .macvtap(device: Path("/dev/tap\(index)"), address: try attribute(entry.appending("address".utf8)))
    } else {
      throw ToolError(
        "-V \(name): neither a tap nor a macvtap. Make one first: "
          + "ip link add link \(name) name vtap0 type macvtap mode bridge && ip link set vtap0 up, then -V vtap0")
    }
  }
}

/// A PCI device of the host that is given to a guest.
struct HostPCIDevice {
  /// `0000:00:1f.2`.
  let address: String
  private let entry: Path

  init(_ name: String) throws {
    address = name.split(separator: ":").count == 2 ? "0000:\(name)" : name
    entry = Path("/sys/bus/pci/devices/\(address)")
    guard !name.utf8.contains(UInt8(ascii: "/")), (try? FileStatus(of: entry)) != nil else {
      throw ToolError("-f \(name): no such PCI device (a name is like 0000:00:1f.2)")
    }
  }

  private var driver: String? {
    (try? linkTarget(entry.appending("driver".utf8))).map { String(decoding: Path($0).lastComponent, as: UTF8.self) }
  }

  /// Takes the device from its driver and gives it to vfio-pci, unless that has it already.
  func bind() throws {
    if driver == "vfio-pci" { return }
    do {
      try setAttribute(entry.appending("driver_override".utf8), "vfio-pci")
      if driver != nil { try setAttribute(entry.appending("driver/unbind".utf8), address) }
      try setAttribute("/sys/bus/pci/drivers_probe", address)
    } catch {
      throw ToolError("-f \(address): cannot give the device to vfio-pci, which takes root (\(error))")
    }
    guard driver == "vfio-pci" else {
      throw ToolError("-f \(address): vfio-pci did not take the device; is the module loaded (modprobe vfio-pci)?")
    }
  }
}

private func attribute(_ path: Path) throws -> String {
  let bytes = try openFile(path).read(count: 4096, at: 0, named: path)
  return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
}

private func setAttribute(_ path: Path, _ value: String) throws {
  let file = try openFile(path, .write)
  try writeAll(value.utf8, to: file, named: path.description)
}
