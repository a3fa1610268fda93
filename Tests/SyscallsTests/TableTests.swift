import LinuxABI
import Testing

@testable import Syscalls

@Suite struct TableTests {
  @Test func numbersAreUnique() {
    let numbers = SyscallTable.families.joined().map(\.number)
    #expect(Set(numbers).count == numbers.count)
  }

  @Test func everyFamilyIsSorted() {
    for family in SyscallTable.families {
      let numbers = family.map(\.number)
      #expect(numbers == numbers.sorted(), "the family of \(family.first?.name ?? "")")
    }
  }

  @Test func namesAreThoseOfTheNumbers() {
    for row in SyscallTable.families.joined() {
      #expect(syscallName(row.number).map { "\($0)" } == "\(row.name)", "number \(row.number)")
    }
  }
}
