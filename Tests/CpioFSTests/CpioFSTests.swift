import FileSystemTesting
import Testing

@testable import CpioFS
