internal import Kernel
internal import LinuxABI
internal import Support

extension Terminal {
  /// Takes what the device received: edits the line, echoes, sends signals. Called from the interrupt handler.
  public func receive(_ bytes: [UInt8]) {
    for byte in bytes { receive(byte) }
    flushEcho()
    pauseInputIfFull()
    wakeReaders()
  }

  private func receive(_ received: UInt8) {
    var byte = received
    if input(.ISTRIP) { byte &= 0x7f }
    if input(.IUCLC), local(.IEXTEN), byte >= 0x41, byte <= 0x5a { byte |= 0x20 }
    if isLiteralNext {
      isLiteralNext = false
      store(byte)
      return
    }
    // A control character of 0 is switched off.
    func matches(_ index: Int) -> Bool { byte != 0 && byte == control(index) }

    if input(.IXON) {
      if matches(ControlCharacter.VSTART) { return setStopped(false) }
      if matches(ControlCharacter.VSTOP) { return setStopped(true) }
    }
    if local(.ISIG) {
      var raised: Signal?
      if matches(ControlCharacter.VINTR) { raised = .SIGINT }
      if matches(ControlCharacter.VQUIT) { raised = .SIGQUIT }
      if matches(ControlCharacter.VSUSP) { raised = .SIGTSTP }
      if let raised {
        signal(raised)
        if !local(.NOFLSH) {
          echo.removeAll(keepingCapacity: true)
          device.flushOutput()
          flushInput()
        }
        if input(.IXON) { setStopped(false) }
        if local(.ECHO) { echoCharacter(byte) }
        return
      }
    }
    if isStopped, input(.IXON), input(.IXANY) { setStopped(false) }
    if byte == UInt8(ascii: "\r") {
      if input(.IGNCR) { return }
      if input(.ICRNL) { byte = UInt8(ascii: "\n") }
    } else if byte == UInt8(ascii: "\n"), input(.INLCR) {
      byte = UInt8(ascii: "\r")
    }
    guard isCanonical else {
      store(byte)
      return
    }
    if matches(ControlCharacter.VERASE) || matches(ControlCharacter.VKILL)
      || matches(ControlCharacter.VWERASE) && local(.IEXTEN)
    {
      erase(byte)
      return
    }
    if matches(ControlCharacter.VLNEXT), local(.IEXTEN) {
      isLiteralNext = true
      if local(.ECHO), local(.ECHOCTL) { echo += [UInt8(ascii: "^"), 8] }
      return
    }
    if matches(ControlCharacter.VREPRINT), local(.ECHO), local(.IEXTEN) {
      echoCharacter(byte)
      process(UInt8(ascii: "\n"), into: &echo)
      lineColumn = column
      for other in line { echoCharacter(other) }
      return
    }
    if byte == UInt8(ascii: "\n") {
      if local(.ECHO) || local(.ECHONL) { process(byte, into: &echo) }
      finishLine(byte)
      return
    }
    if matches(ControlCharacter.VEOF) {
      finishLine(nil)
      return
    }
    if matches(ControlCharacter.VEOL) || matches(ControlCharacter.VEOL2) && local(.IEXTEN) {
      if local(.ECHO) { echoCharacter(byte) }
      finishLine(byte)
      return
    }
    store(byte)
  }

  /// Takes a character as input, in either mode.
  private func store(_ byte: UInt8) {
    let isFull = readyCount + line.count >= Self.bufferSize
    if isCanonical {
      if line.isEmpty { lineColumn = column }
      // Of a line that is too long only the last character changes.
      if isFull, !line.isEmpty { line.removeLast() }
      line.append(byte)
      // A 0xff of the input is told from a mark by a second one.
      if byte == 0xff, input(.PARMRK), !isFull { line.append(byte) }
    } else {
      if isFull { return }
      ready.append(UInt16(byte))
      if byte == 0xff, input(.PARMRK) { ready.append(UInt16(byte)) }
    }
    if local(.ECHO), echo.count < Self.bufferSize {
      if byte == UInt8(ascii: "\n") { process(byte, into: &echo) } else { echoCharacter(byte) }
    }
  }

  /// Makes the edited line readable, with `last` behind it, or for VEOF nothing.
  private func finishLine(_ last: UInt8?) {
    if readyCount + line.count >= Self.bufferSize, !line.isEmpty { line.removeLast() }
    for byte in line { ready.append(UInt16(byte)) }
    line.removeAll(keepingCapacity: true)
    ready.append(last.map { UInt16($0) | Self.delimiter } ?? (Self.delimiter | Self.endOfFile))
    lineCount += 1
  }

  // MARK: Echo

  /// Echoes a character as `^X` if it is a control character and ECHOCTL is set, else as it is.
  private func echoCharacter(_ byte: UInt8) {
    if local(.ECHOCTL), Self.isControl(byte), byte != UInt8(ascii: "\t") {
      echo += [UInt8(ascii: "^"), byte ^ 0x40]
      column += 2
    } else {
      process(byte, into: &echo)
    }
  }

  private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7f }
  private func isContinuation(_ byte: UInt8) -> Bool { input(.IUTF8) && byte & 0xc0 == 0x80 }

  /// How far the echo of a character at `start` moves the cursor.
  private func width(_ byte: UInt8, at start: Int) -> Int {
    if byte == UInt8(ascii: "\t") { return 8 - start & 7 }
    if Self.isControl(byte) { return local(.ECHOCTL) ? 2 : 0 }
    return isContinuation(byte) ? 0 : 1
  }

  /// Erases the last character (VERASE), word (VWERASE) or all (VKILL) of the line.
  private func erase(_ byte: UInt8) {
    if line.isEmpty { return }
    let isKill = byte == control(ControlCharacter.VKILL)
    let isWord = !isKill && byte != control(ControlCharacter.VERASE)
    if isKill, !local(.ECHO) || !(local(.ECHOK) && local(.ECHOKE) && local(.ECHOE)) {
      line.removeAll(keepingCapacity: true)
      if local(.ECHO) {
        echoCharacter(byte)
        if local(.ECHOK) { process(UInt8(ascii: "\n"), into: &echo) }
      }
      return
    }
    var sawWord = false
    while let last = line.last {
      if isWord {
        let isPart =
          last == UInt8(ascii: "_") || last >= 0x80 || last >= 0x30 && last <= 0x39
          || last | 0x20 >= 0x61 && last | 0x20 <= 0x7a
        if isPart { sawWord = true } else if sawWord { break }
      }
      // The bytes of one character go together.
      var removed: [UInt8] = []
      repeat { removed.append(line.removeLast()) } while isContinuation(removed[removed.count - 1]) && !line.isEmpty
      if local(.ECHO) {
        if local(.ECHOPRT) || byte == control(ControlCharacter.VERASE) && !local(.ECHOE) {
          echoCharacter(local(.ECHOPRT) ? last : byte)
        } else {
          var position = lineColumn
          for other in line { position += width(other, at: position) }
          let count = removed.reversed().reduce(0) { $0 + width($1, at: position + $0) }
          if last == UInt8(ascii: "\t") {
            echo += [UInt8](repeating: 8, count: count)
          } else {
            for _ in 0..<count { echo += [8, UInt8(ascii: " "), 8] }
          }
          column = max(column - count, 0)
        }
      }
      if !isKill, !isWord { break }
    }
  }

  /// Sends what was echoed, unless output waits.
  func flushEcho() {
    if echo.isEmpty || isStopped || device.room <= 0 { return }
    let bytes = echo
    echo = []
    device.write(bytes.rawBytes)
  }
}
