// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The operations of futex(2), without its flags.
public enum FutexOperation: UInt32, NamedValue {
  case FUTEX_WAIT = 0
  case FUTEX_WAKE = 1
  case FUTEX_FD = 2
  case FUTEX_REQUEUE = 3
  case FUTEX_CMP_REQUEUE = 4
  case FUTEX_WAKE_OP = 5
  case FUTEX_LOCK_PI = 6
  case FUTEX_UNLOCK_PI = 7
  case FUTEX_TRYLOCK_PI = 8
  case FUTEX_WAIT_BITSET = 9
  case FUTEX_WAKE_BITSET = 10
  case FUTEX_WAIT_REQUEUE_PI = 11
  case FUTEX_CMP_REQUEUE_PI = 12
  case FUTEX_LOCK_PI2 = 13

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        FUTEX_WAIT FUTEX_WAKE FUTEX_FD FUTEX_REQUEUE FUTEX_CMP_REQUEUE FUTEX_WAKE_OP FUTEX_LOCK_PI
        FUTEX_UNLOCK_PI FUTEX_TRYLOCK_PI FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET FUTEX_WAIT_REQUEUE_PI
        FUTEX_CMP_REQUEUE_PI FUTEX_LOCK_PI2
        """)[Int(truncatingIfNeeded: rawValue)]
  }

  /// The operation of futex(2)'s second argument without its flags; nil for an unknown one.
  public init?(argument: UInt32) {
    self.init(rawValue: argument & ~(FutexFlags.FUTEX_PRIVATE_FLAG.rawValue | FutexFlags.FUTEX_CLOCK_REALTIME.rawValue))
  }

  /// Writes the second argument of futex(2) as strace(1) does: `FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME`.
  public static func writeName(ofArgument argument: UInt32, _ put: (UInt8) -> Void) {
    let flags = FutexFlags(rawValue: argument)
    let number = argument & ~(FutexFlags.FUTEX_PRIVATE_FLAG.rawValue | FutexFlags.FUTEX_CLOCK_REALTIME.rawValue)
    if let name = name(of: number) {
      write(name, put)
      if flags.contains(.FUTEX_PRIVATE_FLAG) { write("_PRIVATE", put) }
      if flags.contains(.FUTEX_CLOCK_REALTIME) { write("|FUTEX_CLOCK_REALTIME", put) }
    } else {
      writeHexadecimal(UInt64(argument), put)
    }
  }
}

/// The flags beside the operation of futex(2).
public struct FutexFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var FUTEX_PRIVATE_FLAG: Self { Self(rawValue: 0x80) }
  public static var FUTEX_CLOCK_REALTIME: Self { Self(rawValue: 0x100) }

  public static var bitNames: NameList {
    NameList(words: "@7 FUTEX_PRIVATE_FLAG FUTEX_CLOCK_REALTIME")
  }
}

/// The bits of a robust or priority-inheriting futex, and of a bitset. See futex(2).
public enum FutexWord {
  public static var FUTEX_WAITERS: UInt32 { 0x8000_0000 }
  public static var FUTEX_OWNER_DIED: UInt32 { 0x4000_0000 }
  public static var FUTEX_TID_MASK: UInt32 { 0x3fff_ffff }
  public static var FUTEX_BITSET_MATCH_ANY: UInt32 { 0xffff_ffff }
  /// The most entries of a robust list that an exit walks.
  public static var ROBUST_LIST_LIMIT: UInt32 { 0x800 }
}

/// What `FUTEX_WAKE_OP` does to the second word.
public enum FutexWakeOperation: UInt32, NamedValue {
  case FUTEX_OP_SET = 0
  case FUTEX_OP_ADD = 1
  case FUTEX_OP_OR = 2
  case FUTEX_OP_ANDN = 3
  case FUTEX_OP_XOR = 4

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "FUTEX_OP_SET FUTEX_OP_ADD FUTEX_OP_OR FUTEX_OP_ANDN FUTEX_OP_XOR")[
      Int(truncatingIfNeeded: rawValue)]
  }

  /// A flag beside the operation: the operand is a shift count of 1.
  public static var FUTEX_OP_OPARG_SHIFT: UInt32 { 8 }
}

/// How `FUTEX_WAKE_OP` compares the old value of the second word.
public enum FutexWakeComparison: UInt32, NamedValue {
  case FUTEX_OP_CMP_EQ = 0
  case FUTEX_OP_CMP_NE = 1
  case FUTEX_OP_CMP_LT = 2
  case FUTEX_OP_CMP_LE = 3
  case FUTEX_OP_CMP_GT = 4
  case FUTEX_OP_CMP_GE = 5

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        FUTEX_OP_CMP_EQ FUTEX_OP_CMP_NE FUTEX_OP_CMP_LT FUTEX_OP_CMP_LE FUTEX_OP_CMP_GT FUTEX_OP_CMP_GE
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}
