// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// A request of ioctl(2).
public struct IoctlRequest: RawRepresentable, Equatable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  // Terminals, and what every descriptor has. See ioctl_tty(2).
  public static var TCGETS: Self { Self(rawValue: 0x5401) }
  public static var TCSETS: Self { Self(rawValue: 0x5402) }
  public static var TCSETSW: Self { Self(rawValue: 0x5403) }
  public static var TCSETSF: Self { Self(rawValue: 0x5404) }
  public static var TCGETA: Self { Self(rawValue: 0x5405) }
  public static var TCSETA: Self { Self(rawValue: 0x5406) }
  public static var TCSETAW: Self { Self(rawValue: 0x5407) }
  public static var TCSETAF: Self { Self(rawValue: 0x5408) }
  public static var TCSBRK: Self { Self(rawValue: 0x5409) }
  public static var TCXONC: Self { Self(rawValue: 0x540a) }
  public static var TCFLSH: Self { Self(rawValue: 0x540b) }
  public static var TIOCEXCL: Self { Self(rawValue: 0x540c) }
  public static var TIOCNXCL: Self { Self(rawValue: 0x540d) }
  public static var TIOCSCTTY: Self { Self(rawValue: 0x540e) }
  public static var TIOCGPGRP: Self { Self(rawValue: 0x540f) }
  public static var TIOCSPGRP: Self { Self(rawValue: 0x5410) }
  public static var TIOCOUTQ: Self { Self(rawValue: 0x5411) }
  public static var TIOCSTI: Self { Self(rawValue: 0x5412) }
  public static var TIOCGWINSZ: Self { Self(rawValue: 0x5413) }
  public static var TIOCSWINSZ: Self { Self(rawValue: 0x5414) }
  public static var TIOCMGET: Self { Self(rawValue: 0x5415) }
  public static var TIOCMBIS: Self { Self(rawValue: 0x5416) }
  public static var TIOCMBIC: Self { Self(rawValue: 0x5417) }
  public static var TIOCMSET: Self { Self(rawValue: 0x5418) }
  public static var TIOCGSOFTCAR: Self { Self(rawValue: 0x5419) }
  public static var TIOCSSOFTCAR: Self { Self(rawValue: 0x541a) }
  public static var FIONREAD: Self { Self(rawValue: 0x541b) }
  public static var TIOCLINUX: Self { Self(rawValue: 0x541c) }
  public static var TIOCCONS: Self { Self(rawValue: 0x541d) }
  public static var TIOCGSERIAL: Self { Self(rawValue: 0x541e) }
  public static var TIOCSSERIAL: Self { Self(rawValue: 0x541f) }
  public static var TIOCPKT: Self { Self(rawValue: 0x5420) }
  public static var FIONBIO: Self { Self(rawValue: 0x5421) }
  public static var TIOCNOTTY: Self { Self(rawValue: 0x5422) }
  public static var TIOCSETD: Self { Self(rawValue: 0x5423) }
  public static var TIOCGETD: Self { Self(rawValue: 0x5424) }
  public static var TCSBRKP: Self { Self(rawValue: 0x5425) }
  public static var TIOCSBRK: Self { Self(rawValue: 0x5427) }
  public static var TIOCCBRK: Self { Self(rawValue: 0x5428) }
  public static var TIOCGSID: Self { Self(rawValue: 0x5429) }
  public static var TCGETS2: Self { Self(rawValue: 0x802c_542a) }
  public static var TCSETS2: Self { Self(rawValue: 0x402c_542b) }
  public static var TCSETSW2: Self { Self(rawValue: 0x402c_542c) }
  public static var TCSETSF2: Self { Self(rawValue: 0x402c_542d) }
  public static var TIOCGPTN: Self { Self(rawValue: 0x8004_5430) }
  public static var TIOCSPTLCK: Self { Self(rawValue: 0x4004_5431) }
  public static var TIOCGDEV: Self { Self(rawValue: 0x8004_5432) }
  public static var TIOCSIG: Self { Self(rawValue: 0x4004_5436) }
  public static var TIOCVHANGUP: Self { Self(rawValue: 0x5437) }
  public static var TIOCGPKT: Self { Self(rawValue: 0x8004_5438) }
  public static var TIOCGPTLCK: Self { Self(rawValue: 0x8004_5439) }
  public static var TIOCGEXCL: Self { Self(rawValue: 0x8004_5440) }
  public static var TIOCGPTPEER: Self { Self(rawValue: 0x5441) }
  public static var FIONCLEX: Self { Self(rawValue: 0x5450) }
  public static var FIOCLEX: Self { Self(rawValue: 0x5451) }
  public static var FIOASYNC: Self { Self(rawValue: 0x5452) }
  public static var FIOQSIZE: Self { Self(rawValue: 0x5460) }

  /// The same request as `FIONREAD`.
  public static var TIOCINQ: Self { .FIONREAD }

  // Files and block devices. See ioctl_fs(2) and `linux/fs.h`.
  public static var FIBMAP: Self { Self(rawValue: 1) }
  public static var FIGETBSZ: Self { Self(rawValue: 2) }
  public static var FIFREEZE: Self { Self(rawValue: 0xc004_5877) }
  public static var FITHAW: Self { Self(rawValue: 0xc004_5878) }
  public static var FITRIM: Self { Self(rawValue: 0xc018_5879) }
  public static var FICLONE: Self { Self(rawValue: 0x4004_9409) }
  public static var FICLONERANGE: Self { Self(rawValue: 0x4020_940d) }
  public static var FIDEDUPERANGE: Self { Self(rawValue: 0xc018_9436) }
  public static var BLKROSET: Self { Self(rawValue: 0x125d) }
  public static var BLKROGET: Self { Self(rawValue: 0x125e) }
  public static var BLKRRPART: Self { Self(rawValue: 0x125f) }
  public static var BLKGETSIZE: Self { Self(rawValue: 0x1260) }
  public static var BLKFLSBUF: Self { Self(rawValue: 0x1261) }
  public static var BLKSSZGET: Self { Self(rawValue: 0x1268) }
  public static var BLKPBSZGET: Self { Self(rawValue: 0x127b) }
  public static var BLKIOMIN: Self { Self(rawValue: 0x1278) }
  public static var BLKIOOPT: Self { Self(rawValue: 0x1279) }
  public static var BLKGETSIZE64: Self { Self(rawValue: 0x8008_1272) }
  public static var BLKDISCARD: Self { Self(rawValue: 0x1277) }
  public static var FS_IOC_GETFLAGS: Self { Self(rawValue: 0x8008_6601) }
  public static var FS_IOC_SETFLAGS: Self { Self(rawValue: 0x4008_6602) }
  public static var FS_IOC_GETVERSION: Self { Self(rawValue: 0x8008_7601) }
  public static var FS_IOC_FSGETXATTR: Self { Self(rawValue: 0x801c_581f) }
  public static var FS_IOC_FSSETXATTR: Self { Self(rawValue: 0x401c_5820) }

  // Random numbers. See random(4).
  public static var RNDGETENTCNT: Self { Self(rawValue: 0x8004_5200) }
  public static var RNDADDTOENTCNT: Self { Self(rawValue: 0x4004_5201) }
  public static var RNDADDENTROPY: Self { Self(rawValue: 0x4008_5203) }
  public static var RNDZAPENTCNT: Self { Self(rawValue: 0x5204) }
  public static var RNDCLEARPOOL: Self { Self(rawValue: 0x5206) }
  public static var RNDRESEEDCRNG: Self { Self(rawValue: 0x5207) }

  // Network interfaces and sockets. See netdevice(7).
  public var isAboutInterfaces: Bool { rawValue & ~0xff == 0x8900 }
  public static var SIOCGIFNAME: Self { Self(rawValue: 0x8910) }
  public static var SIOCGIFCONF: Self { Self(rawValue: 0x8912) }
  public static var SIOCGIFFLAGS: Self { Self(rawValue: 0x8913) }
  public static var SIOCSIFFLAGS: Self { Self(rawValue: 0x8914) }
  public static var SIOCGIFADDR: Self { Self(rawValue: 0x8915) }
  public static var SIOCSIFADDR: Self { Self(rawValue: 0x8916) }
  public static var SIOCGIFDSTADDR: Self { Self(rawValue: 0x8917) }
  public static var SIOCGIFBRDADDR: Self { Self(rawValue: 0x8919) }
  public static var SIOCSIFBRDADDR: Self { Self(rawValue: 0x891a) }
  public static var SIOCGIFNETMASK: Self { Self(rawValue: 0x891b) }
  public static var SIOCSIFNETMASK: Self { Self(rawValue: 0x891c) }
  public static var SIOCGIFMETRIC: Self { Self(rawValue: 0x891d) }
  public static var SIOCGIFMTU: Self { Self(rawValue: 0x8921) }
  public static var SIOCSIFMTU: Self { Self(rawValue: 0x8922) }
  public static var SIOCGIFHWADDR: Self { Self(rawValue: 0x8927) }
  public static var SIOCGIFINDEX: Self { Self(rawValue: 0x8933) }
  public static var SIOCGIFTXQLEN: Self { Self(rawValue: 0x8942) }
  public static var SIOCADDRT: Self { Self(rawValue: 0x890b) }
  public static var SIOCDELRT: Self { Self(rawValue: 0x890c) }
  public static var SIOCATMARK: Self { Self(rawValue: 0x8905) }
  public static var SIOCSPGRP: Self { Self(rawValue: 0x8902) }
  public static var SIOCGPGRP: Self { Self(rawValue: 0x8904) }
  public static var SIOCETHTOOL: Self { Self(rawValue: 0x8946) }

  /// The name, spelled as in Linux; nil for a request that is not of this list.
  public var name: StaticString? {
    switch rawValue >> 8 {
    case 0x54:
      NameList(
        words: """
          - TCGETS TCSETS TCSETSW TCSETSF TCGETA TCSETA TCSETAW TCSETAF TCSBRK TCXONC TCFLSH TIOCEXCL TIOCNXCL
          TIOCSCTTY TIOCGPGRP TIOCSPGRP TIOCOUTQ TIOCSTI TIOCGWINSZ TIOCSWINSZ TIOCMGET TIOCMBIS TIOCMBIC
          TIOCMSET TIOCGSOFTCAR TIOCSSOFTCAR FIONREAD TIOCLINUX TIOCCONS TIOCGSERIAL TIOCSSERIAL TIOCPKT
          FIONBIO TIOCNOTTY TIOCSETD TIOCGETD TCSBRKP - TIOCSBRK TIOCCBRK TIOCGSID @55 TIOCVHANGUP @65
          TIOCGPTPEER @80 FIONCLEX FIOCLEX FIOASYNC @96 FIOQSIZE
          """)[Int(rawValue & 0xff)]
    case 0x89:
      NameList(
        words: """
          @2 SIOCSPGRP - SIOCGPGRP SIOCATMARK @11 SIOCADDRT SIOCDELRT @16 SIOCGIFNAME - SIOCGIFCONF
          SIOCGIFFLAGS SIOCSIFFLAGS SIOCGIFADDR SIOCSIFADDR SIOCGIFDSTADDR - SIOCGIFBRDADDR SIOCSIFBRDADDR
          SIOCGIFNETMASK SIOCSIFNETMASK SIOCGIFMETRIC @33 SIOCGIFMTU SIOCSIFMTU @39 SIOCGIFHWADDR @51
          SIOCGIFINDEX @66 SIOCGIFTXQLEN @70 SIOCETHTOOL
          """)[Int(rawValue & 0xff)]
    default:
      switch self {
      case .TCGETS2: "TCGETS2"
      case .TCSETS2: "TCSETS2"
      case .TCSETSW2: "TCSETSW2"
      case .TCSETSF2: "TCSETSF2"
      case .TIOCGPTN: "TIOCGPTN"
      case .TIOCSPTLCK: "TIOCSPTLCK"
      case .TIOCGDEV: "TIOCGDEV"
      case .TIOCSIG: "TIOCSIG"
      case .TIOCGPKT: "TIOCGPKT"
      case .TIOCGPTLCK: "TIOCGPTLCK"
      case .TIOCGEXCL: "TIOCGEXCL"
      case .FIBMAP: "FIBMAP"
      case .FIGETBSZ: "FIGETBSZ"
      case .FIFREEZE: "FIFREEZE"
      case .FITHAW: "FITHAW"
      case .FITRIM: "FITRIM"
      case .FICLONE: "FICLONE"
      case .FICLONERANGE: "FICLONERANGE"
      case .FIDEDUPERANGE: "FIDEDUPERANGE"
      case .BLKROSET: "BLKROSET"
      case .BLKROGET: "BLKROGET"
      case .BLKRRPART: "BLKRRPART"
      case .BLKGETSIZE: "BLKGETSIZE"
      case .BLKFLSBUF: "BLKFLSBUF"
      case .BLKSSZGET: "BLKSSZGET"
      case .BLKPBSZGET: "BLKPBSZGET"
      case .BLKIOMIN: "BLKIOMIN"
      case .BLKIOOPT: "BLKIOOPT"
      case .BLKGETSIZE64: "BLKGETSIZE64"
      case .BLKDISCARD: "BLKDISCARD"
      case .FS_IOC_GETFLAGS: "FS_IOC_GETFLAGS"
      case .FS_IOC_SETFLAGS: "FS_IOC_SETFLAGS"
      case .FS_IOC_GETVERSION: "FS_IOC_GETVERSION"
      case .FS_IOC_FSGETXATTR: "FS_IOC_FSGETXATTR"
      case .FS_IOC_FSSETXATTR: "FS_IOC_FSSETXATTR"
      case .RNDGETENTCNT: "RNDGETENTCNT"
      case .RNDADDTOENTCNT: "RNDADDTOENTCNT"
      case .RNDADDENTROPY: "RNDADDENTROPY"
      case .RNDZAPENTCNT: "RNDZAPENTCNT"
      case .RNDCLEARPOOL: "RNDCLEARPOOL"
      case .RNDRESEEDCRNG: "RNDRESEEDCRNG"
      default: nil
      }
    }
  }

  /// Writes the name, or the number in hexadecimal.
  public func writeName(_ put: (UInt8) -> Void) {
    if let name {
      write(name, put)
    } else {
      writeHexadecimal(UInt64(rawValue), put)
    }
  }
}
