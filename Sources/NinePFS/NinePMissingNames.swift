/// Names that a directory does not have, the latest ones: a program looks for its libraries in many places.
struct MissingNames {
  private static var capacity: Int { 64 }
  private var slots: [[UInt8]] = []

  private static func slot(_ name: [UInt8]) -> Int {
    var hash: UInt32 = 2_166_136_261
    for byte in name { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return Int((hash ^ hash >> 16) & UInt32(capacity - 1))
  }

  func contains(_ name: [UInt8]) -> Bool { !slots.isEmpty && slots[Self.slot(name)] == name }

  mutating func insert(_ name: [UInt8]) {
    if slots.isEmpty { slots = [[UInt8]](repeating: [], count: Self.capacity) }
    slots[Self.slot(name)] = name
  }

  mutating func remove(_ name: [UInt8]) {
    if contains(name) { slots[Self.slot(name)] = [] }
  }
}
