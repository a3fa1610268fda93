internal import LinuxABI
internal import Platform

/// The kernel heap behind Swift's allocations: slabs of one frame for sizes up to 2048 bytes, blocks of frames above,
/// in a row where there are such.
/// Before the frames are known it hands out a small static area that is never given back. Slabs take the pages that are
/// left of it first.
///
/// An object's size class stands in its frame's record, so `free` needs no header in front of the object.
@safe public struct KernelHeap {
  private static let classCount = 20
  /// Object sizes in bytes, multiples of 16: 16 to 128, 160, 192, 224, 256, 320, 384, 512, 672, 816, 1024, 1360, 2048.
  private static func size(ofClass index: Int) -> Int {
    // In units of 16 bytes, a byte a class.
    let units: UInt64 = index < 8 ? 0x0807_0605_0403_0201 : index < 16 ? 0x2a20_1814_100e_0c0a : 0x8055_4033
    return Int(units >> UInt64((index & 7) &* 8) & 0xff) &* 16
  }
  private static func sizeClass(for count: Int) -> Int {
    if count <= 128 { return count <= 16 ? 0 : (count - 1) >> 4 }
    if count <= 256 { return 8 + (count - 129) >> 5 }
    var index = 12
    while size(ofClass: index) < count { index += 1 }
    return index
  }

  // Four classes a word of eight bytes would be enough, but plain stored zeroes make this a static initialiser.
  private var partial:
    (
      UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32,
      UInt32, UInt32, UInt32, UInt32, UInt32, UInt32
    ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
  private var frames: Unmanaged<FrameAllocator>?
  private var table: PageTable?
  private var mapped = MappedBlocks()
  /// The static area, and from where on it is free.
  private var earlyStart: UInt = 0
  private var early: UInt = 0
  private var earlyEnd: UInt = 0
  /// Frames that the heap holds, and pages of the static area that it uses for slabs.
  public private(set) var frameCount = 0
  /// Physical address of the magazines, once there are frames: for each size class up to `magazineClasses` the objects
  /// given back lately, linked through their first words, and their number. Most objects come and go at once, and
  /// these neither touch slabs nor the records of frames that slabs are linked by.
  private var magazines: UInt = 0
  private static let magazineClasses = 12
  private static let magazineLimit: UInt = 32

  public init() {}

  /// Gives the heap its first memory: kernel addresses that are nobody else's.
  public mutating func start(at address: UInt, count: Int) {
    earlyStart = address
    early = (address + 15) & ~15
    earlyEnd = address + UInt(count)
  }

  /// From here on memory comes from `allocator`.
  public mutating func attach(_ allocator: FrameAllocator) {
    // SAFETY: the allocator lives as long as the machine; this reference is never dropped.
    unsafe frames = Unmanaged.passRetained(allocator)
    if let frame = takePage(allocator) {
      frame.zero()
      magazines = frame.physical
    }
  }

  /// A page for a slab: one of the static area while there are such.
  ///
  /// The objects that every system call uses are among the first. Here they lie beside each other and the kernel's data,
  /// as QEMU's translator looks pages up in a table by the low six bits or more of their number: of two pages in one
  /// place each evicts the other. The highest page of a kernel stack is the last of eight, and those are left out.
  private mutating func takePage(_ allocator: FrameAllocator) -> PageFrame? {
    var page = pageFloor(early + UInt(pageSize - 1))
    if page >> pageShift & 7 == 7 { page += UInt(pageSize) }
    guard page + UInt(pageSize) <= earlyEnd else {
      guard let frame = try? allocator.allocate(.kernel) else { return nil }
      frameCount += 1
      return frame
    }
    frameCount += 1
    early = page + UInt(pageSize)
    return PageFrame(physical: page - AddressLayout.kernelBase)
  }

  /// From here on a large block may be mapped in `table` when its frames do not lie in a row.
  public mutating func map(in table: PageTable) { self.table = table }

  /// The last object of a class that was given back, if any.
  @inline(__always)
  private func takeRecent(_ index: Int) -> UInt? {
    let magazine = magazines &+ UInt(bitPattern: index) &* 16
    let object = PhysicalMemory.load(UInt.self, at: magazine)
    if object == 0 { return nil }
    PhysicalMemory.store(PhysicalMemory.load(UInt.self, at: object), at: magazine)
    PhysicalMemory.store(PhysicalMemory.load(UInt.self, at: magazine &+ 8) &- 1, at: magazine &+ 8)
    return object
  }
  /// Keeps an object of a class for the next allocation; false when there are enough.
  @inline(__always)
  private func keepRecent(_ object: UInt, _ index: Int) -> Bool {
    let magazine = magazines &+ UInt(bitPattern: index) &* 16
    let count = PhysicalMemory.load(UInt.self, at: magazine &+ 8)
    if count >= Self.magazineLimit { return false }
    PhysicalMemory.store(PhysicalMemory.load(UInt.self, at: magazine), at: object)
    PhysicalMemory.store(object, at: magazine)
    PhysicalMemory.store(count &+ 1, at: magazine &+ 8)
    return true
  }

  private mutating func head(_ index: Int) -> UInt32 {
    // SAFETY: index is a size class, and the tuple is that many words without padding.
    unsafe withUnsafeBytes(of: &partial) {
      unsafe $0.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
    }
  }
  private mutating func setHead(_ index: Int, _ frame: UInt32) {
    // SAFETY: as in `head`.
    unsafe withUnsafeMutableBytes(of: &partial) {
      unsafe $0.storeBytes(of: frame, toByteOffset: index * 4, as: UInt32.self)
    }
  }

  /// Allocates `count` bytes at a multiple of `alignment` (a power of two up to the page size); nil when memory is out.
  @inline(__always)
  public mutating func allocate(_ count: Int, alignment: Int = 16) -> UnsafeMutableRawPointer? {
    if magazines != 0, alignment <= 16, count <= 256, count > 0 {
      let index = count <= 128 ? (count &- 1) >> 4 : 8 &+ (count &- 129) >> 5
      // SAFETY: the object is in no slab's list and was handed out to nobody.
      if let object = takeRecent(index) { return unsafe PhysicalMemory.pointer(object) }
    }
    // SAFETY: what it returns is the caller's, or nil.
    return unsafe allocateFromSlab(count, alignment)
  }

  private mutating func allocateFromSlab(_ count: Int, _ alignment: Int) -> UnsafeMutableRawPointer? {
    // SAFETY: see `attach`.
    guard let frames = unsafe frames else { return unsafe allocateEarly(count, alignment) }
    // SAFETY: see `attach`.
    return unsafe frames._withUnsafeGuaranteedRef { allocator in
      var wanted = max(count, 1)
      if alignment > 16 {
        wanted = max(wanted, alignment)
        wanted = 1 << (Int.bitWidth - (wanted - 1).leadingZeroBitCount)
      }
      if wanted > 2048 { return unsafe allocateLarge(wanted, allocator) }
      let index = Self.sizeClass(for: wanted)
      var slab = head(index)
      if slab == 0 {
        guard let new = makeSlab(index, allocator) else { return nil }
        slab = new
      }
      var record = allocator.record(slab)
      let base = UInt(slab) << pageShift
      let object = base + UInt(record.free - 1) * UInt(Self.size(ofClass: index))
      record.free = PhysicalMemory.load(UInt16.self, at: object)
      record.count += 1
      if record.free == 0 {
        setHead(index, record.next)
        if record.next != 0 {
          var next = allocator.record(record.next)
          next.previous = 0
          allocator.setRecord(record.next, next)
        }
        record.next = 0
      }
      allocator.setRecord(slab, record)
      return unsafe PhysicalMemory.pointer(object)
    }
  }

  private mutating func allocateEarly(_ count: Int, _ alignment: Int) -> UnsafeMutableRawPointer? {
    let start = (early + UInt(alignment - 1)) & ~UInt(alignment - 1)
    guard start + UInt(count) <= earlyEnd else { return nil }
    early = (start + UInt(count) + 15) & ~15
    // SAFETY: the range lies in what `start` was given, and is handed out once.
    return unsafe UnsafeMutableRawPointer(bitPattern: start)
  }

  private mutating func allocateLarge(_ count: Int, _ allocator: FrameAllocator) -> UnsafeMutableRawPointer? {
    let pages = (count + pageSize - 1) >> Int(pageShift)
    let order = pages <= 1 ? 0 : Int.bitWidth - (pages - 1).leadingZeroBitCount
    guard let frame = try? allocator.allocateBlock(order: order) else {
      guard let table, let start = mapped.allocate(pages, table, allocator) else { return nil }
      frameCount += pages
      // SAFETY: the block is mapped, for the caller alone.
      return unsafe UnsafeMutableRawPointer(bitPattern: start)
    }
    frameCount += 1 << order
    // SAFETY: the block has just been allocated.
    return unsafe PhysicalMemory.pointer(frame.physical)
  }

  private mutating func makeSlab(_ index: Int, _ allocator: FrameAllocator) -> UInt32? {
    guard let frame = takePage(allocator) else { return nil }
    let size = Self.size(ofClass: index)
    let objects = pageSize / size
    var at = frame.physical
    for i in 1...objects {
      PhysicalMemory.store(UInt16(i == objects ? 0 : i + 1), at: at)
      at += UInt(size)
    }
    allocator.setRecord(frame.number, .init(state: .slab, order: UInt8(index), free: 1))
    setHead(index, frame.number)
    return frame.number
  }

  /// Gives back what `allocate` handed out. What came from the early area stays there.
  @_optimize(speed)
  public mutating func free(_ pointer: UnsafeMutableRawPointer) {
    let address = UInt(bitPattern: pointer)
    // SAFETY: see `attach`.
    guard let frames = unsafe frames else { return }
    if address >= AddressLayout.heapBase, address < AddressLayout.deviceBase {
      guard let table else { return }
      // SAFETY: see `attach`.
      frameCount -= unsafe frames._withUnsafeGuaranteedRef { mapped.free(address, table, $0) }
      return
    }
    let physical = address - AddressLayout.kernelBase
    let number = UInt32(truncatingIfNeeded: physical >> pageShift)
    // SAFETY: see `attach`.
    unsafe frames._withUnsafeGuaranteedRef { allocator in
      var record = allocator.record(number)
      switch record.state {
      case .allocated:
        frameCount -= 1 << Int(record.order)
        allocator.release(PageFrame(number: number))
      case .slab:
        let index = Int(record.order)
        if index < Self.magazineClasses, magazines != 0, keepRecent(physical, index) { return }
        let object = (physical & UInt(pageSize - 1)) / UInt(Self.size(ofClass: index))
        PhysicalMemory.store(record.free, at: physical)
        let wasFull = record.free == 0
        record.free = UInt16(object + 1)
        record.count -= 1
        if record.count == 0, !wasFull, !(record.next == 0 && record.previous == 0), !isEarly(address) {
          // Empty, and another slab of this class has room.
          unlink(number, record, index, allocator)
          allocator.setRecord(number, .init(count: 1, state: .allocated))
          frameCount -= 1
          allocator.release(PageFrame(number: number))
          return
        }
        if wasFull {
          let first = head(index)
          record.next = first
          record.previous = 0
          if first != 0 {
            var next = allocator.record(first)
            next.previous = number
            allocator.setRecord(first, next)
          }
          setHead(index, number)
        }
        allocator.setRecord(number, record)
      case .reserved, .free:
        break
      }
    }
  }

  private func isEarly(_ address: UInt) -> Bool { address >= earlyStart && address < earlyEnd }

  private mutating func unlink(
    _ number: UInt32, _ record: FrameAllocator.Record, _ index: Int, _ allocator: FrameAllocator
  ) {
    if record.next != 0 {
      var next = allocator.record(record.next)
      next.previous = record.previous
      allocator.setRecord(record.next, next)
    }
    if record.previous != 0 {
      var previous = allocator.record(record.previous)
      previous.next = record.next
      allocator.setRecord(record.previous, previous)
    } else {
      setHead(index, record.next)
    }
  }
}
