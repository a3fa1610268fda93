// LinuxABI: Linux x86_64's numbers, flags and structures, apart from any behaviour. It imports nothing.
//
// - `Errno`: what every system call throws.
// - Flag sets (`OpenFlags`, `MappingFlags` …) conform to `NamedFlags`, numbers (`FcntlCommand`, `SeekWhence` …) to
//   `NamedValue`: both know their names for a trace. Constants that are no argument of their own are static members of
//   a caseless enum (`SignalCode`, `AuxiliaryVector` …).
// - Structures conform to `ABIStruct`: their raw bytes are what user memory holds.
//
// Constants are computed properties, not stored ones: they fold to immediates, and an unused one costs nothing, where
// a `static let` would leave its bytes in a section that the linker cannot drop.
