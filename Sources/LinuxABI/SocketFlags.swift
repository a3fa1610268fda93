// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The families of socket(2).
public enum AddressFamily: Int32, NamedValue {
  case AF_UNSPEC = 0
  case AF_UNIX = 1
  case AF_INET = 2
  case AF_INET6 = 10
  case AF_NETLINK = 16
  case AF_PACKET = 17

  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(words: "AF_UNSPEC AF_UNIX AF_INET @10 AF_INET6 @16 AF_NETLINK AF_PACKET")[
      Int(truncatingIfNeeded: rawValue)]
  }
  /// One more than the last that Linux knows.
  public static var count: Int32 { 46 }
}

/// The types of socket(2).
public enum SocketType: Int32, NamedValue {
  case SOCK_STREAM = 1
  case SOCK_DGRAM = 2
  case SOCK_RAW = 3
  case SOCK_RDM = 4
  case SOCK_SEQPACKET = 5
  case SOCK_PACKET = 10

  public static func name(of rawValue: Int32) -> StaticString? { SocketTypeArgument.fieldNames[Int(rawValue)] }
  /// One more than the last.
  public static var count: Int32 { 11 }
}

/// The second argument of socket(2): a `SocketType` with flags.
public struct SocketTypeArgument: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var SOCK_NONBLOCK: Self { Self(rawValue: 0o4000) }
  public static var SOCK_CLOEXEC: Self { Self(rawValue: 0o2000000) }

  public static var fieldMask: UInt32 { 15 }
  public static var fieldNames: NameList {
    NameList(words: "- SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET @10 SOCK_PACKET")
  }
  public static var bitNames: NameList { NameList(words: "@11 SOCK_NONBLOCK @19 SOCK_CLOEXEC") }
}

/// The flags of send(2) and recv(2).
public struct MessageFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MSG_OOB: Self { Self(rawValue: 1) }
  public static var MSG_PEEK: Self { Self(rawValue: 2) }
  public static var MSG_DONTROUTE: Self { Self(rawValue: 4) }
  public static var MSG_CTRUNC: Self { Self(rawValue: 8) }
  public static var MSG_TRUNC: Self { Self(rawValue: 0x20) }
  public static var MSG_DONTWAIT: Self { Self(rawValue: 0x40) }
  public static var MSG_EOR: Self { Self(rawValue: 0x80) }
  public static var MSG_WAITALL: Self { Self(rawValue: 0x100) }
  public static var MSG_NOSIGNAL: Self { Self(rawValue: 0x4000) }
  public static var MSG_MORE: Self { Self(rawValue: 0x8000) }
  public static var MSG_WAITFORONE: Self { Self(rawValue: 0x10000) }
  public static var MSG_CMSG_CLOEXEC: Self { Self(rawValue: 0x4000_0000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_CTRUNC MSG_PROXY MSG_TRUNC MSG_DONTWAIT MSG_EOR MSG_WAITALL MSG_FIN MSG_SYN
        MSG_CONFIRM MSG_RST MSG_ERRQUEUE MSG_NOSIGNAL MSG_MORE MSG_WAITFORONE @29 MSG_FASTOPEN MSG_CMSG_CLOEXEC
        """)
  }
}

/// The second argument of shutdown(2).
public enum ShutdownHow: Int32, NamedValue {
  case SHUT_RD = 0
  case SHUT_WR = 1
  case SHUT_RDWR = 2

  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(words: "SHUT_RD SHUT_WR SHUT_RDWR")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The level of the options that every socket has.
public enum SocketLevel {
  public static var SOL_SOCKET: Int32 { 1 }
}

/// The options of level SOL_SOCKET. See socket(7).
public enum SocketOption: Int32, NamedValue {
  case SO_DEBUG = 1
  case SO_REUSEADDR = 2
  case SO_TYPE = 3
  case SO_ERROR = 4
  case SO_DONTROUTE = 5
  case SO_BROADCAST = 6
  case SO_SNDBUF = 7
  case SO_RCVBUF = 8
  case SO_KEEPALIVE = 9
  case SO_OOBINLINE = 10
  case SO_NO_CHECK = 11
  case SO_PRIORITY = 12
  case SO_LINGER = 13
  case SO_REUSEPORT = 15
  case SO_PASSCRED = 16
  case SO_PEERCRED = 17
  case SO_RCVLOWAT = 18
  case SO_SNDLOWAT = 19
  case SO_RCVTIMEO = 20
  case SO_SNDTIMEO = 21
  case SO_ACCEPTCONN = 30
  case SO_SNDBUFFORCE = 32
  case SO_RCVBUFFORCE = 33
  case SO_PROTOCOL = 38
  case SO_DOMAIN = 39

  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(
      words: """
        - SO_DEBUG SO_REUSEADDR SO_TYPE SO_ERROR SO_DONTROUTE SO_BROADCAST SO_SNDBUF SO_RCVBUF SO_KEEPALIVE SO_OOBINLINE
        SO_NO_CHECK SO_PRIORITY SO_LINGER SO_BSDCOMPAT SO_REUSEPORT SO_PASSCRED SO_PEERCRED SO_RCVLOWAT SO_SNDLOWAT
        SO_RCVTIMEO SO_SNDTIMEO @25 SO_BINDTODEVICE SO_ATTACH_FILTER SO_DETACH_FILTER SO_PEERNAME SO_TIMESTAMP
        SO_ACCEPTCONN SO_PEERSEC SO_SNDBUFFORCE SO_RCVBUFFORCE SO_PASSSEC SO_TIMESTAMPNS SO_MARK SO_TIMESTAMPING
        SO_PROTOCOL SO_DOMAIN SO_RXQ_OVFL SO_WIFI_STATUS SO_PEEK_OFF
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The types of ancillary data of level SOL_SOCKET. See unix(7).
public enum ControlMessageType {
  public static var SCM_RIGHTS: Int32 { 1 }
  public static var SCM_CREDENTIALS: Int32 { 2 }
  /// The most descriptors in one message.
  public static var SCM_MAX_FD: Int { 253 }
}

/// `struct msghdr`, 56 bytes. See sendmsg(2).
@frozen
public struct MessageHeader: ABIStruct, Sendable {
  public var msg_name: UInt64 = 0
  public var msg_namelen: Int32 = 0
  private var padding0: UInt32 = 0
  public var msg_iov: UInt64 = 0
  public var msg_iovlen: UInt64 = 0
  public var msg_control: UInt64 = 0
  public var msg_controllen: UInt64 = 0
  public var msg_flags: UInt32 = 0
  private var padding1: UInt32 = 0

  /// All bytes zero.
  public init() {}
}

/// `struct cmsghdr`, 16 bytes. See cmsg(3).
@frozen
public struct ControlMessageHeader: ABIStruct, Sendable {
  public var cmsg_len: UInt64 = 0
  public var cmsg_level: Int32 = 0
  public var cmsg_type: Int32 = 0

  /// All bytes zero.
  public init() {}

  public init(length: Int, level: Int32 = SocketLevel.SOL_SOCKET, type: Int32) {
    cmsg_len = UInt64(length)
    cmsg_level = level
    cmsg_type = type
  }
}

/// Who sent a message: `struct ucred`, 12 bytes. See unix(7).
@frozen
public struct UCred: ABIStruct, Equatable, Sendable {
  public var pid: Int32 = 0
  public var uid: UInt32 = 0
  public var gid: UInt32 = 0

  public init(pid: Int32, uid: UInt32, gid: UInt32) {
    self.pid = pid
    self.uid = uid
    self.gid = gid
  }
}

/// SO_LINGER's value: `struct linger`, 8 bytes.
@frozen
public struct Linger: ABIStruct, Sendable {
  public var l_onoff: Int32 = 0
  public var l_linger: Int32 = 0

  /// All bytes zero.
  public init() {}
}
