import LinuxABI
import Testing

@testable import Process

@Suite struct IdentityTests {
  @Test func rootGivesUpItsRights() throws {
    var identity = Identity.root
    #expect(identity.has(Identity.Capability.CAP_KILL))
    identity.changeUser(try Identity.set(identity.user, to: 1000, privileged: true))
    #expect(identity.user == Identity.IDs.all(1000))
    #expect(!identity.has(Identity.Capability.CAP_KILL))
    #expect(identity.capabilities.permitted == 0)
    #expect(!identity.fileCredentials.isPrivileged)
    #expect(identity.fileCredentials.userID == 1000)
    #expect(throws: Errno.EPERM) { try Identity.set(identity.user, to: 0, privileged: false) }
  }

  @Test func theSavedIDLeadsBack() throws {
    var identity = Identity.root
    identity.changeUser(
      try Identity.set(identity.user, real: nil, effective: 1000, saved: nil, privileged: true))
    #expect(!identity.has(Identity.Capability.CAP_KILL))
    #expect(identity.capabilities.permitted == Identity.Capabilities.all)
    identity.changeUser(try Identity.set(identity.user, real: nil, effective: 0, saved: nil, privileged: false))
    #expect(identity.has(Identity.Capability.CAP_KILL))
  }

  @Test func keepingCapabilities() throws {
    var identity = Identity.root
    identity.keepsCapabilities = true
    identity.changeUser(try Identity.set(identity.user, to: 1000, privileged: true))
    #expect(identity.capabilities.permitted == Identity.Capabilities.all)
    #expect(identity.capabilities.effective == 0)
  }

  @Test func setreuidSetsTheSavedID() throws {
    let ids = Identity.IDs.all(0)
    #expect(try Identity.set(ids, real: 5, effective: nil, privileged: true).saved == 0)
    #expect(try Identity.set(ids, real: nil, effective: 5, privileged: true).saved == 5)
    let plain = Identity.IDs.all(7)
    #expect(throws: Errno.EPERM) { try Identity.set(plain, real: 5, effective: nil, privileged: false) }
    #expect(try Identity.set(plain, real: 7, effective: 7, privileged: false) == plain)
  }

  @Test func fileSystemCapabilitiesFollowTheirID() {
    var identity = Identity.root
    identity.changeFileSystemUser(1000)
    #expect(!identity.fileCredentials.isPrivileged)
    #expect(identity.has(Identity.Capability.CAP_KILL))
    identity.changeFileSystemUser(0)
    #expect(identity.fileCredentials.isPrivileged)
  }
}

extension Identity.IDs {
  fileprivate static func all(_ id: UInt32) -> Self { Self(id) }
}

@Suite struct BacktraceTests {
  private func code(_ bytes: UInt8...) -> [UInt8] { [UInt8](repeating: 0x90, count: 7 - bytes.count) + bytes }

  @Test func callsAreRecognised() {
    #expect(Backtrace.endsInCall(code(0xe8, 1, 2, 3, 4)))
    #expect(Backtrace.endsInCall(code(0xff, 0xd0)))
    #expect(Backtrace.endsInCall(code(0xff, 0x10)))
    #expect(Backtrace.endsInCall(code(0xff, 0x50, 8)))
    #expect(Backtrace.endsInCall(code(0xff, 0x54, 0x24, 8)))
    #expect(Backtrace.endsInCall(code(0xff, 0x15, 1, 2, 3, 4)))
    #expect(Backtrace.endsInCall(code(0xff, 0x94, 0xc1, 1, 2, 3, 4)))
  }

  @Test func otherCodeIsNot() {
    #expect(!Backtrace.endsInCall(code()))
    #expect(!Backtrace.endsInCall(code(0xe9, 1, 2, 3, 4)))
    #expect(!Backtrace.endsInCall(code(0xff, 0xe0)))
    #expect(!Backtrace.endsInCall(code(0xff, 0x10, 0x90)))
    #expect(!Backtrace.endsInCall([]))
  }
}

@Suite struct FloatingPointFaultTests {
  @Test func codes() {
    #expect(FloatingPointFault.code(0) == nil)
    #expect(FloatingPointFault.code(0x01) == SignalCode.FPE_FLTINV)
    #expect(FloatingPointFault.code(0x04) == SignalCode.FPE_FLTDIV)
    #expect(FloatingPointFault.code(0x02) == SignalCode.FPE_FLTUND)
    #expect(FloatingPointFault.code(0x28) == SignalCode.FPE_FLTOVF)
  }
}
