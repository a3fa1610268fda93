/// A map ordered by an address or offset: a B+ tree of two levels. Lookups are two binary searches over plain words,
/// and an insertion moves at most one leaf's worth of elements, however many there are.
public struct OrderedMap<Value> {
  /// A place in the map. Insertions and removals make it invalid.
  public struct Position {
    var leaf: Int
    var slot: Int
  }

  private struct Leaf {
    var keys: [UInt] = []
    var values: [Value] = []
  }

  private static var leafCapacity: Int { 64 }
  private var firstKeys: [UInt] = []
  private var leaves: [Leaf] = []
  public private(set) var count = 0

  public init() {}

  public var isEmpty: Bool { count == 0 }

  public subscript(position: Position) -> Value { leaves[position.leaf].values[position.slot] }
  public func key(_ position: Position) -> UInt { leaves[position.leaf].keys[position.slot] }

  /// How many of the sorted `keys` are at most `key`.
  private static func rank(_ keys: [UInt], _ key: UInt) -> Int {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low &+ high) >> 1
      if keys[middle] <= key { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  /// The last element whose key is at most `key`.
  public func last(atMost key: UInt) -> Position? {
    let leaf = Self.rank(firstKeys, key) - 1
    if leaf < 0 { return nil }
    return Position(leaf: leaf, slot: Self.rank(leaves[leaf].keys, key) - 1)
  }

  /// The first element whose key is above `key`.
  public func first(above key: UInt) -> Position? {
    guard let position = last(atMost: key) else { return first }
    return self.position(after: position)
  }

  public var first: Position? { count == 0 ? nil : Position(leaf: 0, slot: 0) }
  public var last: Position? {
    count == 0 ? nil : Position(leaf: leaves.count - 1, slot: leaves[leaves.count - 1].keys.count - 1)
  }

  public func position(after position: Position) -> Position? {
    if position.slot + 1 < leaves[position.leaf].keys.count {
      return Position(leaf: position.leaf, slot: position.slot + 1)
    }
    return position.leaf + 1 < leaves.count ? Position(leaf: position.leaf + 1, slot: 0) : nil
  }

  public func position(before position: Position) -> Position? {
    if position.slot > 0 { return Position(leaf: position.leaf, slot: position.slot - 1) }
    if position.leaf == 0 { return nil }
    return Position(leaf: position.leaf - 1, slot: leaves[position.leaf - 1].keys.count - 1)
  }

  /// Adds an element whose key is not in the map.
  public mutating func insert(_ key: UInt, _ value: Value) {
    count += 1
    if leaves.isEmpty {
      firstKeys.append(key)
      leaves.append(Leaf(keys: [key], values: [value]))
      return
    }
    let leaf = max(Self.rank(firstKeys, key) - 1, 0)
    let slot = Self.rank(leaves[leaf].keys, key)
    leaves[leaf].keys.insert(key, at: slot)
    leaves[leaf].values.insert(value, at: slot)
    if slot == 0 { firstKeys[leaf] = key }
    if leaves[leaf].keys.count > Self.leafCapacity {
      let half = Self.leafCapacity / 2
      var right = Leaf()
      right.keys = [UInt](leaves[leaf].keys[half...])
      right.values = [Value](leaves[leaf].values[half...])
      leaves[leaf].keys.removeSubrange(half...)
      leaves[leaf].values.removeSubrange(half...)
      firstKeys.insert(right.keys[0], at: leaf + 1)
      leaves.insert(right, at: leaf + 1)
    }
  }

  /// Adds an element whose key is above all others: no search.
  public mutating func append(_ key: UInt, _ value: Value) {
    guard let last = leaves.indices.last, leaves[last].keys.count < Self.leafCapacity else {
      firstKeys.append(key)
      leaves.append(Leaf(keys: [key], values: [value]))
      count += 1
      return
    }
    count += 1
    leaves[last].keys.append(key)
    leaves[last].values.append(value)
  }

  /// Takes an element out.
  @discardableResult
  public mutating func remove(at position: Position) -> Value {
    count -= 1
    let value = leaves[position.leaf].values.remove(at: position.slot)
    leaves[position.leaf].keys.remove(at: position.slot)
    if leaves[position.leaf].keys.isEmpty {
      leaves.remove(at: position.leaf)
      firstKeys.remove(at: position.leaf)
    } else if position.slot == 0 {
      firstKeys[position.leaf] = leaves[position.leaf].keys[0]
    }
    return value
  }

  /// Gives an element another key that keeps its place in the order.
  public mutating func rekey(_ position: Position, _ key: UInt) {
    leaves[position.leaf].keys[position.slot] = key
    if position.slot == 0 { firstKeys[position.leaf] = key }
  }
}
