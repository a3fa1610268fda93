import Testing

@testable import ProcFS
