/// A structure that a program and the kernel exchange, laid out as the x86_64 kernel has it.
///
/// Every byte belongs to a stored property, padding too, so that its raw bytes can be copied to user memory without
/// showing what the kernel's memory held before. Conforming types are `@frozen`, of fixed-width integers.
public protocol ABIStruct: BitwiseCopyable {}
