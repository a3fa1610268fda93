/// Refers to the open file of a socket without keeping it open.
@safe struct FileHandle {
  private var reference: Unmanaged<SocketFile>?

  mutating func set(_ file: SocketFile) {
    // SAFETY: the file clears the reference before it goes.
    unsafe reference = Unmanaged.passUnretained(file)
  }
  mutating func clear() {
    // SAFETY: nothing is read.
    unsafe reference = nil
  }

  @inline(__always)
  var isSet: Bool {
    // SAFETY: nothing is read but whether there is one.
    unsafe reference != nil
  }

  var file: SocketFile? {
    // SAFETY: as above; nothing runs between the file's last release and its `deinit`.
    unsafe reference?.takeUnretainedValue()
  }
}
