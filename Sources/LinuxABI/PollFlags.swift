// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The events of poll(2). Readiness masks of the kernel use the same bits.
public struct PollEvents: NamedFlags {
  public let rawValue: UInt16

  public init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  public static var POLLIN: Self { Self(rawValue: 1) }
  public static var POLLPRI: Self { Self(rawValue: 2) }
  public static var POLLOUT: Self { Self(rawValue: 4) }
  public static var POLLERR: Self { Self(rawValue: 8) }
  public static var POLLHUP: Self { Self(rawValue: 0x10) }
  public static var POLLNVAL: Self { Self(rawValue: 0x20) }
  public static var POLLRDNORM: Self { Self(rawValue: 0x40) }
  public static var POLLRDBAND: Self { Self(rawValue: 0x80) }
  public static var POLLWRNORM: Self { Self(rawValue: 0x100) }
  public static var POLLWRBAND: Self { Self(rawValue: 0x200) }
  public static var POLLMSG: Self { Self(rawValue: 0x400) }
  public static var POLLREMOVE: Self { Self(rawValue: 0x1000) }
  public static var POLLRDHUP: Self { Self(rawValue: 0x2000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        POLLIN POLLPRI POLLOUT POLLERR POLLHUP POLLNVAL POLLRDNORM POLLRDBAND POLLWRNORM POLLWRBAND POLLMSG
        - POLLREMOVE POLLRDHUP
        """)
  }
}

/// The events of epoll_ctl(2); the lower half has the bits of poll(2).
public struct EpollEvents: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var EPOLLIN: Self { Self(rawValue: 1) }
  public static var EPOLLPRI: Self { Self(rawValue: 2) }
  public static var EPOLLOUT: Self { Self(rawValue: 4) }
  public static var EPOLLERR: Self { Self(rawValue: 8) }
  public static var EPOLLHUP: Self { Self(rawValue: 0x10) }
  public static var EPOLLNVAL: Self { Self(rawValue: 0x20) }
  public static var EPOLLRDNORM: Self { Self(rawValue: 0x40) }
  public static var EPOLLRDBAND: Self { Self(rawValue: 0x80) }
  public static var EPOLLWRNORM: Self { Self(rawValue: 0x100) }
  public static var EPOLLWRBAND: Self { Self(rawValue: 0x200) }
  public static var EPOLLMSG: Self { Self(rawValue: 0x400) }
  public static var EPOLLRDHUP: Self { Self(rawValue: 0x2000) }
  public static var EPOLLEXCLUSIVE: Self { Self(rawValue: 0x1000_0000) }
  public static var EPOLLWAKEUP: Self { Self(rawValue: 0x2000_0000) }
  public static var EPOLLONESHOT: Self { Self(rawValue: 0x4000_0000) }
  public static var EPOLLET: Self { Self(rawValue: 0x8000_0000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        EPOLLIN EPOLLPRI EPOLLOUT EPOLLERR EPOLLHUP EPOLLNVAL EPOLLRDNORM EPOLLRDBAND EPOLLWRNORM
        EPOLLWRBAND EPOLLMSG @13 EPOLLRDHUP @28 EPOLLEXCLUSIVE EPOLLWAKEUP EPOLLONESHOT EPOLLET
        """)
  }

  /// The events of poll(2) among these.
  public var pollEvents: PollEvents { PollEvents(rawValue: UInt16(truncatingIfNeeded: rawValue)) }
}

/// The operations of epoll_ctl(2).
public enum EpollOperation: UInt32, NamedValue {
  case EPOLL_CTL_ADD = 1
  case EPOLL_CTL_DEL = 2
  case EPOLL_CTL_MOD = 3

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "- EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of epoll_create1(2).
public struct EpollCreateFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var EPOLL_CLOEXEC: Self { Self(rawValue: 0o2000000) }

  public static var bitNames: NameList {
    NameList(words: "@19 EPOLL_CLOEXEC")
  }
}

/// The flags of eventfd2(2).
public struct EventFDFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var EFD_SEMAPHORE: Self { Self(rawValue: 0o1) }
  public static var EFD_NONBLOCK: Self { Self(rawValue: 0o4000) }
  public static var EFD_CLOEXEC: Self { Self(rawValue: 0o2000000) }

  public static var bitNames: NameList {
    NameList(words: "EFD_SEMAPHORE @11 EFD_NONBLOCK @19 EFD_CLOEXEC")
  }
}

/// The flags of inotify_init1(2).
public struct InotifyInitFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var IN_NONBLOCK: Self { Self(rawValue: 0o4000) }
  public static var IN_CLOEXEC: Self { Self(rawValue: 0o2000000) }

  public static var bitNames: NameList {
    NameList(words: "@11 IN_NONBLOCK @19 IN_CLOEXEC")
  }
}

/// The events of inotify(7), and the flags of inotify_add_watch(2).
public struct InotifyEvents: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var IN_ACCESS: Self { Self(rawValue: 1) }
  public static var IN_MODIFY: Self { Self(rawValue: 2) }
  public static var IN_ATTRIB: Self { Self(rawValue: 4) }
  public static var IN_CLOSE_WRITE: Self { Self(rawValue: 8) }
  public static var IN_CLOSE_NOWRITE: Self { Self(rawValue: 0x10) }
  public static var IN_OPEN: Self { Self(rawValue: 0x20) }
  public static var IN_MOVED_FROM: Self { Self(rawValue: 0x40) }
  public static var IN_MOVED_TO: Self { Self(rawValue: 0x80) }
  public static var IN_CREATE: Self { Self(rawValue: 0x100) }
  public static var IN_DELETE: Self { Self(rawValue: 0x200) }
  public static var IN_DELETE_SELF: Self { Self(rawValue: 0x400) }
  public static var IN_MOVE_SELF: Self { Self(rawValue: 0x800) }
  public static var IN_UNMOUNT: Self { Self(rawValue: 0x2000) }
  public static var IN_Q_OVERFLOW: Self { Self(rawValue: 0x4000) }
  public static var IN_IGNORED: Self { Self(rawValue: 0x8000) }
  public static var IN_ONLYDIR: Self { Self(rawValue: 0x1000000) }
  public static var IN_DONT_FOLLOW: Self { Self(rawValue: 0x2000000) }
  public static var IN_EXCL_UNLINK: Self { Self(rawValue: 0x4000000) }
  public static var IN_MASK_CREATE: Self { Self(rawValue: 0x1000_0000) }
  public static var IN_MASK_ADD: Self { Self(rawValue: 0x2000_0000) }
  public static var IN_ISDIR: Self { Self(rawValue: 0x4000_0000) }
  public static var IN_ONESHOT: Self { Self(rawValue: 0x8000_0000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        IN_ACCESS IN_MODIFY IN_ATTRIB IN_CLOSE_WRITE IN_CLOSE_NOWRITE IN_OPEN IN_MOVED_FROM IN_MOVED_TO
        IN_CREATE IN_DELETE IN_DELETE_SELF IN_MOVE_SELF - IN_UNMOUNT IN_Q_OVERFLOW IN_IGNORED @24 IN_ONLYDIR
        IN_DONT_FOLLOW IN_EXCL_UNLINK - IN_MASK_CREATE IN_MASK_ADD IN_ISDIR IN_ONESHOT
        """)
  }

  /// The events that a watch can ask for.
  public static var IN_ALL_EVENTS: Self { Self(rawValue: 0xfff) }
  /// All events, those that come unasked among them.
  public static var events: Self { IN_ALL_EVENTS.union([.IN_UNMOUNT, .IN_Q_OVERFLOW, .IN_IGNORED]) }
  /// What inotify_add_watch(2) takes.
  public static var accepted: Self { Self(rawValue: 0xf700_efff) }
}
