internal import LinuxABI
internal import Process

/// What there is of sockets without a network: no address family.
let socketSyscalls: [Syscall] = [
  Syscall(41, "socket", .descriptor, socket),
  Syscall(53, "socketpair", .none, socketpair),
]

/// Makes a socket. See socket(2).
///
/// - Throws: `EAFNOSUPPORT`, always.
func socket(_ thread: Thread, _ family: Int32, _ type: Int32, _ protocol: Int32) throws(Errno) -> Int {
  throw .EAFNOSUPPORT
}

/// Makes a pair of sockets. See socketpair(2).
///
/// - Throws: `EAFNOSUPPORT`, always.
func socketpair(
  _ thread: Thread, _ family: Int32, _ type: Int32, _ protocol: Int32, _ descriptors: Address
) throws(Errno) -> Int {
  throw .EAFNOSUPPORT
}
