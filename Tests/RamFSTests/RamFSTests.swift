import FileSystemTesting
import Testing

@testable import RamFS
