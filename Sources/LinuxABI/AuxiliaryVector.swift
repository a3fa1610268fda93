// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The types of the entries of the auxiliary vector. See getauxval(3).
public enum AuxiliaryVector {
  public static var AT_NULL: UInt64 { 0 }
  public static var AT_IGNORE: UInt64 { 1 }
  public static var AT_EXECFD: UInt64 { 2 }
  public static var AT_PHDR: UInt64 { 3 }
  public static var AT_PHENT: UInt64 { 4 }
  public static var AT_PHNUM: UInt64 { 5 }
  public static var AT_PAGESZ: UInt64 { 6 }
  public static var AT_BASE: UInt64 { 7 }
  public static var AT_FLAGS: UInt64 { 8 }
  public static var AT_ENTRY: UInt64 { 9 }
  public static var AT_NOTELF: UInt64 { 10 }
  public static var AT_UID: UInt64 { 11 }
  public static var AT_EUID: UInt64 { 12 }
  public static var AT_GID: UInt64 { 13 }
  public static var AT_EGID: UInt64 { 14 }
  public static var AT_PLATFORM: UInt64 { 15 }
  public static var AT_HWCAP: UInt64 { 16 }
  public static var AT_CLKTCK: UInt64 { 17 }
  public static var AT_SECURE: UInt64 { 23 }
  public static var AT_BASE_PLATFORM: UInt64 { 24 }
  public static var AT_RANDOM: UInt64 { 25 }
  public static var AT_HWCAP2: UInt64 { 26 }
  public static var AT_RSEQ_FEATURE_SIZE: UInt64 { 27 }
  public static var AT_RSEQ_ALIGN: UInt64 { 28 }
  public static var AT_EXECFN: UInt64 { 31 }
  public static var AT_SYSINFO_EHDR: UInt64 { 33 }
  public static var AT_MINSIGSTKSZ: UInt64 { 51 }

  /// A bit of `AT_HWCAP2`: ring 3 may use `rdfsbase` and `wrfsbase`.
  public static var HWCAP2_FSGSBASE: UInt64 { 2 }
}
