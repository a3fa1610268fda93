internal import ELFLoader
internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Support
internal import VFSCore

/// What execve(2) needs to know of the files of a program before the old one is given up: the program after all `#!`
/// lines, its plan, and its interpreter's.
struct ProgramImage {
  /// An ELF file that is ready to be mapped.
  struct Part {
    let file: OpenFile
    let path: [UInt8]
    let plan: LoadPlan
    let header: ELFFileHeader
  }

  let program: Part
  let interpreter: Part?
  /// The arguments after what `#!` lines put in front.
  let arguments: [[UInt8]]

  /// How many `#!` lines may follow one another, as in Linux.
  private static let scriptDepth = 5

  /// Opens and examines the program at `path`.
  init(
    _ path: [UInt8], _ arguments: [[UInt8]], opened: OpenFile? = nil, in context: FileSystemContext
  ) throws(ExecutionError) {
    var arguments = arguments
    var path = path
    var opened = opened
    var depth = 0
    while true {
      let file: OpenFile
      if let given = opened {
        file = given
        opened = nil
      } else {
        file = try Self.open(path, context)
      }
      let start = try Self.read(file, at: 0, count: min(pageSize, Int(truncatingIfNeeded: file.inode.size)), path)
      let script: ScriptLine?
      do {
        script = try ScriptLine(parsing: start[...])
      } catch {
        throw ExecutionError(error.errno, path, reason: error.message(file: path))
      }
      guard let script else {
        let part = try Self.examine(file, path, start, .program)
        program = part
        self.arguments = arguments
        interpreter = try Self.interpreter(of: part, context)
        return
      }
      depth += 1
      if depth > Self.scriptDepth { throw ExecutionError(.ELOOP, path) }
      let rest = arguments.isEmpty ? [] : arguments[1...]
      arguments = [script.interpreter]
      if let argument = script.argument { arguments.append(argument) }
      arguments.append(path)
      arguments.append(contentsOf: rest)
      path = script.interpreter
    }
  }

  private static func open(
    _ path: [UInt8], _ context: FileSystemContext
  ) throws(ExecutionError) -> OpenFile {
    do throws(Errno) {
      return try context.openExecutable(path)
    } catch {
      throw ExecutionError(error, path)
    }
  }

  private static func read(_ file: OpenFile, at offset: UInt64, count: Int, _ path: [UInt8]) throws(ExecutionError)
    -> [UInt8]
  {
    do throws(Errno) {
      return try file.readBytes(at: Int64(truncatingIfNeeded: offset), count: count)
    } catch {
      throw ExecutionError(error, path)
    }
  }

  private static func examine(
    _ file: OpenFile, _ path: [UInt8], _ start: [UInt8], _ role: ELFError.Role
  ) throws(ExecutionError) -> Part {
    let size = UInt64(truncatingIfNeeded: file.inode.size)
    do throws(ELFError) {
      let header = try ELFFileHeader(parsing: start.rawBytes, fileSize: size)
      let range = header.programHeaderTable
      var table: [UInt8] = []
      if range.upperBound <= UInt64(start.count) {
        table = [UInt8](start[Int(range.lowerBound)..<Int(range.upperBound)])
      } else {
        table =
          (try? Self.read(file, at: range.lowerBound, count: Int(range.upperBound - range.lowerBound), path)) ?? []
      }
      let plan = try LoadPlan(header, programHeaders: table.rawBytes)
      return Part(file: file, path: path, plan: plan, header: header)
    } catch {
      throw ExecutionError(error, path, role)
    }
  }

  private static func interpreter(
    of part: Part, _ context: FileSystemContext
  ) throws(ExecutionError) -> Part? {
    guard let range = part.plan.interpreter else { return nil }
    let bytes = try read(part.file, at: range.lowerBound, count: Int(range.upperBound - range.lowerBound), part.path)
    let path: [UInt8]
    do {
      path = try LoadPlan.interpreterPath(in: bytes)
    } catch {
      throw ExecutionError(error, part.path, .program)
    }
    let file: OpenFile
    do throws(Errno) {
      file = try context.openExecutable(path)
    } catch {
      var reason = TextBuffer()
      reason.append("cannot open the interpreter ")
      reason.append(bytes: path)
      reason.append(": ")
      reason.append(error.text)
      throw ExecutionError(error, part.path, reason: reason.bytes)
    }
    let start = try read(file, at: 0, count: min(pageSize, Int(truncatingIfNeeded: file.inode.size)), path)
    return try examine(file, path, start, .interpreter)
  }
}
