internal import Platform
public final class Machine { public var a: [Int]
 public init() { a = [1,2] }
 public func go() { a.append(3)
 Platform.write(65) } }
