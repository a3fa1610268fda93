// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// Protocols of the Internet, which are also levels of socket options. See ip(7).
public enum InternetProtocol {
  public static var IPPROTO_IP: Int32 { 0 }
  public static var IPPROTO_ICMP: Int32 { 1 }
  public static var IPPROTO_TCP: Int32 { 6 }
  public static var IPPROTO_UDP: Int32 { 17 }
  public static var IPPROTO_IPV6: Int32 { 41 }
  public static var IPPROTO_ICMPV6: Int32 { 58 }
  public static var IPPROTO_RAW: Int32 { 255 }
  /// One more than the last.
  public static var count: Int32 { 256 }
}

/// The options of level IPPROTO_IP. See ip(7).
public enum IPOption: Int32 {
  case IP_TOS = 1
  case IP_TTL = 2
  case IP_HDRINCL = 3
  case IP_PKTINFO = 8
  case IP_MTU_DISCOVER = 10
  case IP_RECVERR = 11
  case IP_RECVTTL = 12
  case IP_RECVTOS = 13
  case IP_MTU = 14
  case IP_FREEBIND = 15
  case IP_BIND_ADDRESS_NO_PORT = 24
  case IP_MULTICAST_IF = 32
  case IP_MULTICAST_TTL = 33
  case IP_MULTICAST_LOOP = 34
  case IP_ADD_MEMBERSHIP = 35
  case IP_DROP_MEMBERSHIP = 36
  case IP_MULTICAST_ALL = 49
}

/// The options of level IPPROTO_IPV6. See ipv6(7).
public enum IPv6Option: Int32 {
  case IPV6_UNICAST_HOPS = 16
  case IPV6_MULTICAST_IF = 17
  case IPV6_MULTICAST_HOPS = 18
  case IPV6_MULTICAST_LOOP = 19
  case IPV6_ADD_MEMBERSHIP = 20
  case IPV6_DROP_MEMBERSHIP = 21
  case IPV6_MTU_DISCOVER = 23
  case IPV6_MTU = 24
  case IPV6_RECVERR = 25
  case IPV6_V6ONLY = 26
  case IPV6_RECVPKTINFO = 49
  case IPV6_PKTINFO = 50
  case IPV6_RECVHOPLIMIT = 51
  case IPV6_HOPLIMIT = 52
  case IPV6_RECVTCLASS = 66
  case IPV6_TCLASS = 67
}

/// The options of level IPPROTO_TCP. See tcp(7).
public enum TCPOption: Int32 {
  case TCP_NODELAY = 1
  case TCP_MAXSEG = 2
  case TCP_CORK = 3
  case TCP_KEEPIDLE = 4
  case TCP_KEEPINTVL = 5
  case TCP_KEEPCNT = 6
  case TCP_SYNCNT = 7
  case TCP_LINGER2 = 8
  case TCP_DEFER_ACCEPT = 9
  case TCP_INFO = 11
  case TCP_QUICKACK = 12
  case TCP_CONGESTION = 13
  case TCP_USER_TIMEOUT = 18
  case TCP_FASTOPEN = 23
}

/// The states of a TCP connection, as TCP_INFO and /proc/net/tcp give them.
public enum TCPState {
  public static var TCP_ESTABLISHED: Int32 { 1 }
  public static var TCP_SYN_SENT: Int32 { 2 }
  public static var TCP_CLOSE: Int32 { 7 }
  public static var TCP_CLOSE_WAIT: Int32 { 8 }
  public static var TCP_LISTEN: Int32 { 10 }
}
