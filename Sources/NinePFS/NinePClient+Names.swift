internal import Drivers
internal import Kernel
internal import LinuxABI

extension NinePClient {
  /// Sends a request that makes something in the directory of `fid`, whose reply is a qid: behind the name come the target
  /// of a link and numbers, `count` of them.
  @inline(never)
  private func make(
    _ type: NinePType, _ fid: NinePFid, _ name: [UInt8], target: [UInt8]? = nil, _ first: UInt32, _ second: UInt32 = 0,
    _ third: UInt32 = 0, _ fourth: UInt32 = 0, count: Int
  ) throws(Errno) -> NinePQid {
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    message.put32(fid.number)
    message.put(name)
    if let target { message.put(target) }
    message.put32(first)
    if count > 1 { message.put32(second) }
    if count > 2 { message.put32(third) }
    if count > 3 { message.put32(fourth) }
    var reply = try transact(exchange, type, message)
    let qid = reply.takeQid()
    if reply.isMalformed { throw .EIO }
    return qid
  }

  /// Makes a regular file in the directory of `fid`, which then stands for the file, opened.
  func create(
    _ fid: NinePFid, _ name: [UInt8], _ flags: OpenFlags, mode: FileMode, gid: UInt32
  ) throws(Errno) -> NinePQid {
    try make(.lcreate, fid, name, flags.rawValue, mode.rawValue, gid, count: 3)
  }

  func makeDirectory(
    _ directory: NinePFid, _ name: [UInt8], mode: FileMode, gid: UInt32
  ) throws(Errno) -> NinePQid {
    try make(.mkdir, directory, name, mode.rawValue, gid, count: 2)
  }

  func makeSymbolicLink(
    _ directory: NinePFid, _ name: [UInt8], target: [UInt8], gid: UInt32
  ) throws(Errno) -> NinePQid {
    try make(.symlink, directory, name, target: target, gid, count: 1)
  }

  func makeNode(
    _ directory: NinePFid, _ name: [UInt8], mode: FileMode, _ device: DeviceNumber, gid: UInt32
  ) throws(Errno) -> NinePQid {
    try make(.mknod, directory, name, mode.rawValue, device.major, device.minor, gid, count: 4)
  }

  func link(_ directory: NinePFid, _ name: [UInt8], to fid: NinePFid) throws(Errno) {
    try perform(.link) {
      $0.put32(directory.number)
      $0.put32(fid.number)
      $0.put(name)
    }
  }

  /// Removes a name; where the server only has the older request, by a fid.
  func remove(_ directory: NinePFid, _ name: [UInt8], isDirectory: Bool) throws(Errno) {
    do throws(Errno) {
      try perform(.unlinkat) {
        $0.put32(directory.number)
        $0.put(name)
        // AT_REMOVEDIR
        $0.put32(isDirectory ? 0x200 : 0)
      }
    } catch {
      guard error == .EOPNOTSUPP else { throw error }
      let fid = try walk(directory, [name])
      // The fid is gone whatever comes of it.
      fid.isKnown = false
      try perform(.remove) { $0.put32(fid.number) }
    }
  }

  /// Moves a name; where the server only has the older request, by a fid.
  func rename(
    _ directory: NinePFid, _ name: [UInt8], to newDirectory: NinePFid, _ newName: [UInt8]
  ) throws(Errno) {
    do throws(Errno) {
      try perform(.renameat) {
        $0.put32(directory.number)
        $0.put(name)
        $0.put32(newDirectory.number)
        $0.put(newName)
      }
    } catch {
      guard error == .EOPNOTSUPP else { throw error }
      let fid = try walk(directory, [name])
      try perform(.rename) {
        $0.put32(fid.number)
        $0.put32(newDirectory.number)
        $0.put(newName)
      }
    }
  }

  func readLink(_ fid: NinePFid) throws(Errno) -> [UInt8] {
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    message.put32(fid.number)
    var reply = try transact(exchange, .readlink, message)
    let target = reply.takeString()
    guard !reply.isMalformed, target.count < PathLimits.PATH_MAX else { throw .EIO }
    return target
  }

  // MARK: Extended attributes

  /// The value of an attribute, or, for an empty name, the names with a NUL behind each.
  func attribute(of fid: NinePFid, _ name: [UInt8]) throws(Errno) -> [UInt8] {
    let own = NinePFid(self)
    let size = try walk(fid, toAttribute: name, own)
    guard size <= 65536 else { throw .EIO }
    return try bytes(own, count: Int(size))
  }

  /// Makes a fid stand for an attribute, and returns its size.
  private func walk(_ fid: NinePFid, toAttribute name: [UInt8], _ own: NinePFid) throws(Errno) -> UInt64 {
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    message.put32(fid.number)
    message.put32(own.number)
    message.put(name)
    var reply = try transact(exchange, .xattrwalk, message, making: own)
    own.isKnown = true
    let size = reply.take64()
    if reply.isMalformed { throw .EIO }
    return size
  }

  /// Sets an attribute; an empty value removes it, as QEMU has it.
  func setAttribute(
    of fid: NinePFid, _ name: [UInt8], _ value: [UInt8], _ flags: ExtendedAttributeFlags
  ) throws(Errno) {
    let own = try walk(fid, [])
    try perform(.xattrcreate) {
      $0.put32(own.number)
      $0.put(name)
      $0.put64(UInt64(value.count))
      $0.put32(flags.rawValue)
    }
    var done = 0
    while done < value.count {
      let exchange = try begin()
      defer { end(exchange) }
      var message = writer(exchange)
      let piece = min(value.count - done, 4096)
      message.put32(own.number)
      message.put64(UInt64(done))
      message.put32(UInt32(piece))
      for i in 0..<piece { message.put8(value[done + i]) }
      var reply = try transact(exchange, .write, message)
      let count = Int(reply.take32())
      guard !reply.isMalformed, count > 0, count <= piece else { throw .EIO }
      done += count
    }
    // The server does it when the fid goes, and says then what came of it.
    try own.clunk()
  }
}
