// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The flags of mount(2).
public struct MountFlags: NamedFlags {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public static var MS_RDONLY: Self { Self(rawValue: 1) }
  public static var MS_NOSUID: Self { Self(rawValue: 2) }
  public static var MS_NODEV: Self { Self(rawValue: 4) }
  public static var MS_NOEXEC: Self { Self(rawValue: 8) }
  public static var MS_SYNCHRONOUS: Self { Self(rawValue: 0x10) }
  public static var MS_REMOUNT: Self { Self(rawValue: 0x20) }
  public static var MS_MANDLOCK: Self { Self(rawValue: 0x40) }
  public static var MS_DIRSYNC: Self { Self(rawValue: 0x80) }
  public static var MS_NOSYMFOLLOW: Self { Self(rawValue: 0x100) }
  public static var MS_NOATIME: Self { Self(rawValue: 0x400) }
  public static var MS_NODIRATIME: Self { Self(rawValue: 0x800) }
  public static var MS_BIND: Self { Self(rawValue: 0x1000) }
  public static var MS_MOVE: Self { Self(rawValue: 0x2000) }
  public static var MS_REC: Self { Self(rawValue: 0x4000) }
  public static var MS_SILENT: Self { Self(rawValue: 0x8000) }
  public static var MS_POSIXACL: Self { Self(rawValue: 0x10000) }
  public static var MS_UNBINDABLE: Self { Self(rawValue: 0x20000) }
  public static var MS_PRIVATE: Self { Self(rawValue: 0x40000) }
  public static var MS_SLAVE: Self { Self(rawValue: 0x80000) }
  public static var MS_SHARED: Self { Self(rawValue: 0x100000) }
  public static var MS_RELATIME: Self { Self(rawValue: 0x200000) }
  public static var MS_KERNMOUNT: Self { Self(rawValue: 0x400000) }
  public static var MS_I_VERSION: Self { Self(rawValue: 0x800000) }
  public static var MS_STRICTATIME: Self { Self(rawValue: 0x1000000) }
  public static var MS_LAZYTIME: Self { Self(rawValue: 0x2000000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_SYNCHRONOUS MS_REMOUNT MS_MANDLOCK MS_DIRSYNC
        MS_NOSYMFOLLOW - MS_NOATIME MS_NODIRATIME MS_BIND MS_MOVE MS_REC MS_SILENT MS_POSIXACL MS_UNBINDABLE
        MS_PRIVATE MS_SLAVE MS_SHARED MS_RELATIME MS_KERNMOUNT MS_I_VERSION MS_STRICTATIME MS_LAZYTIME
        """)
  }

  /// What the top half of the flags held in old programs: mount(2) drops it.
  public static var MS_MGC_VAL: Self { Self(rawValue: 0xc0ed_0000) }
}

/// The flags of umount2(2).
public struct UnmountFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MNT_FORCE: Self { Self(rawValue: 1) }
  public static var MNT_DETACH: Self { Self(rawValue: 2) }
  public static var MNT_EXPIRE: Self { Self(rawValue: 4) }
  public static var UMOUNT_NOFOLLOW: Self { Self(rawValue: 8) }

  public static var bitNames: NameList {
    NameList(words: "MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW")
  }
}

/// The `f_flags` of statfs(2).
public struct StatfsFlags: NamedFlags {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public static var ST_RDONLY: Self { Self(rawValue: 1) }
  public static var ST_NOSUID: Self { Self(rawValue: 2) }
  public static var ST_NODEV: Self { Self(rawValue: 4) }
  public static var ST_NOEXEC: Self { Self(rawValue: 8) }
  public static var ST_SYNCHRONOUS: Self { Self(rawValue: 0x10) }
  /// The flags are meaningful: Linux always sets it.
  public static var ST_VALID: Self { Self(rawValue: 0x20) }
  public static var ST_MANDLOCK: Self { Self(rawValue: 0x40) }
  public static var ST_NOATIME: Self { Self(rawValue: 0x400) }
  public static var ST_NODIRATIME: Self { Self(rawValue: 0x800) }
  public static var ST_RELATIME: Self { Self(rawValue: 0x1000) }
  public static var ST_NOSYMFOLLOW: Self { Self(rawValue: 0x2000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        ST_RDONLY ST_NOSUID ST_NODEV ST_NOEXEC ST_SYNCHRONOUS ST_VALID ST_MANDLOCK @10 ST_NOATIME
        ST_NODIRATIME ST_RELATIME ST_NOSYMFOLLOW
        """)
  }
}

/// The `f_type` of statfs(2).
public enum FilesystemMagic {
  public static var TMPFS_MAGIC: Int64 { 0x1021994 }
  public static var RAMFS_MAGIC: Int64 { 0x8584_58f6 }
  public static var PROC_SUPER_MAGIC: Int64 { 0x9fa0 }
  public static var SYSFS_MAGIC: Int64 { 0x6265_6572 }
  public static var DEVPTS_SUPER_MAGIC: Int64 { 0x1cd1 }
  public static var V9FS_MAGIC: Int64 { 0x1021997 }
  public static var EXT4_SUPER_MAGIC: Int64 { 0xef53 }
  public static var PIPEFS_MAGIC: Int64 { 0x5049_5045 }
  public static var SOCKFS_MAGIC: Int64 { 0x534f_434b }
  public static var ANON_INODE_FS_MAGIC: Int64 { 0x9041934 }
  public static var CGROUP2_SUPER_MAGIC: Int64 { 0x6367_7270 }
  public static var OVERLAYFS_SUPER_MAGIC: Int64 { 0x794c_7630 }
  public static var HUGETLBFS_MAGIC: Int64 { 0x9584_58f6 }
  public static var NSFS_MAGIC: Int64 { 0x6e73_6673 }
}
