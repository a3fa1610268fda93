import FileSystemTesting
import Testing

@testable import VFSCore
