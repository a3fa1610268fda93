internal import LinuxABI
internal import VFSCore

/// A part of a socket's bytes: a message, or what something came with.
struct Mark {
  /// Where it begins, by the ring's positions. Not looked at where every byte belongs to a mark.
  var start: UInt64
  var length: Int
  /// Who sent it, if that was asked for when it was sent.
  var credentials: UCred?
  /// Descriptors.
  var cargo: Cargo?
  /// Whose send buffer it takes up, and whose name it comes from.
  var sender: UnixSocket?

  @inline(__always)
  var end: UInt64 { start &+ UInt64(length) }

  /// What a message takes up of a send buffer besides its bytes: Linux's least `truesize`.
  static var overhead: Int { 768 }
  /// What SCM_CREDENTIALS says of a sender that nobody asked for: the overflow ids.
  static var nobody: UCred { UCred(pid: 0, uid: 65534, gid: 65534) }
}

/// Descriptors under way.
final class Cargo {
  enum Item {
    case file(OpenFile)
    /// A socket's file may be closed while it is under way; only so can cycles be found.
    case socket(UnixSocket)
  }
  var items: [Item]
  /// Whom they are counted for.
  let uid: UInt32

  init(_ items: [Item], uid: UInt32) {
    self.items = items
    self.uid = uid
  }
}

/// Marks in the order of their bytes.
struct MarkQueue {
  private var marks: [Mark] = []
  private var firstIndex = 0

  @inline(__always)
  var isEmpty: Bool { firstIndex == marks.count }
  var count: Int { marks.count - firstIndex }
  var first: Mark? { isEmpty ? nil : marks[firstIndex] }

  subscript(index: Int) -> Mark {
    get { marks[firstIndex + index] }
    set { marks[firstIndex + index] = newValue }
  }

  mutating func append(_ mark: Mark) { marks.append(mark) }

  /// Appends a mark, or makes the last longer where nothing tells them apart.
  mutating func extend(_ mark: Mark) {
    if mark.cargo == nil, !isEmpty {
      let last = marks[marks.count - 1]
      if last.end == mark.start, last.cargo == nil, last.credentials == mark.credentials {
        marks[marks.count - 1].length += mark.length
        return
      }
    }
    marks.append(mark)
  }

  mutating func popFirst() -> Mark? {
    guard let mark = first else { return nil }
    marks[firstIndex].cargo = nil
    marks[firstIndex].sender = nil
    firstIndex += 1
    if firstIndex == marks.count {
      marks.removeAll(keepingCapacity: marks.count <= 16)
      firstIndex = 0
    } else if firstIndex >= 32, firstIndex > marks.count / 2 {
      marks.removeFirst(firstIndex)
      firstIndex = 0
    }
    return mark
  }
}
