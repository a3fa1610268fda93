internal import CpioFS
internal import DevFS
internal import Drivers
internal import Kernel
internal import LinuxABI
internal import MessageQueues
internal import Mmap
internal import OverlayFS
internal import Platform
internal import ProcFS
internal import Process
internal import RamFS
internal import Sockets
internal import Support
internal import SystemVIPC
internal import VFSCore

extension Machine {
  /// Mounts the file systems, loads the program and goes over to it.
  func run() -> Never {
    var stages = stages
    interrupts.setHandler(InterruptTable.timerVector) { [self] in
      scheduler.timerInterrupt()
    }
    calibration.scheduleRefinement(clock, timers)
    report(parameters.diagnostics)
    greet()

    let environment = FileSystemEnvironment(frames: frames, clock: clock)
    environment.dirtyPages.start(timers)
    let devices = VirtioDevices(self)
    let root = makeRoot(environment, devices)
    let namespace = Namespace(environment, root: root.fileSystem, source: root.source, flags: root.flags)
    let context = FileSystemContext(namespace)
    let ports = parameters.boolean(.consolePorts) == true ? ConsolePorts(self, devices) : nil
    let console = Console(
      serial, clock: clock, input: parameters.standardInput ?? .tty, output: parameters.standardOutput ?? .tty,
      ports: ports)
    let size = parameters.consoleSize
    console.terminal.setWindow(Winsize(ws_row: size.rows, ws_col: size.columns))
    let random = RandomSource()
    MemoryDevices(random, log).register(in: environment.devices)
    let system = makeSystem(random)
    let processes = SessionProcesses(system)
    console.register(in: environment.devices, processes)
    for type in devices.types(environment) { namespace.register(type) }
    namespace.register(overlayType(environment, devices))
    mountDefaults(context, environment)
    let terminals = mountPseudoTerminals(context, environment, processes)
    mountTable(context)
    startEntropyDevice(random, devices)
    #if LIBLWIP
      let network = LazyNetwork(self, devices, random)
      network.register(in: system.sockets)
      network.applyNames(system, context)
    #endif
    stages.mark("files")

    system.machineExit = { [self] status in
      #if LIBLWIP
        network.drain()
      #endif
      ports?.drain()
      let exported = parameters.list(.export)
      if !exported.isEmpty {
        var export = TreeExport(power)
        export.write(exported, context)
      }
      // Nobody is left who could hear of an error.
      try? namespace.synchronize()
      switch status {
      case .exited(let code): power.powerOff(.exit(status: code))
      case .killed(let signal): power.powerOff(.signal(UInt8(signal.rawValue)))
      }
    }
    environment.signalOwner = { system.signalOwner($0, $1) }
    let queues = MessageQueueFileSystem(environment, system.messageQueueEnvironment)
    if let mount = mount([UInt8]("/dev/mqueue"), context, { queues }) {
      system.messageQueues = MessageQueueMount(queues, mount)
    }
    let machineFiles = MachineFiles(self, system)
    mount([UInt8]("/proc"), context) { () throws(Errno) in
      let proc = ProcFileSystem(
        namespace, processes: ProcessFiles(system), machine: machineFiles, random: random)
      proc.controls.complete = { [self] controls in
        addSettings(environment.dirtyPages, controls)
        controls.add("kernel/pty/max", .dynamic(get: { $0.append(decimal: terminals.limit) }, set: nil))
        controls.add("kernel/pty/nr", .dynamic(get: { $0.append(decimal: terminals.count) }, set: nil))
        controls.add("kernel/pty/reserve", .constant("0"))
        for setting in IPCSetting.allCases { addSystemV(setting, system.ipc, controls) }
        for limit in MessageQueueLimit.allCases { controls.add(limit.path, .number(limit.initial, limit.range)) }
      }
      proc.ipcTables.complete = { tables in
        for file in IPCTableFile.allCases {
          tables.add(file.name, .dynamic(get: { system.ipc.write(file, into: &$0) }, set: nil))
        }
      }
      system.messageQueues?.fileSystem.limit = { proc.controls.number($0.path) ?? $0.initial }
      return proc
    }
    mount([UInt8]("/sys"), context) { () throws(Errno) in
      SysFileSystem(environment, machine: machineFiles)
    }
    let files = FileDescriptorTable(frames)
    openConsole(console, files, context)

    let environmentVariables = parameters.environment
    if BuildConfiguration.startsInPWD { changeToWorkingDirectory(environmentVariables, context) }
    let arguments = (BuildConfiguration.program.map { [$0] } ?? []) + parameters.programArguments
    guard let name = arguments.first else { fail([UInt8]("no program: the command line names none")) }
    let path = findProgram(name, environmentVariables, context)
    let thread: Thread
    do {
      thread = try system.startFirstProcess(
        path, arguments: arguments, environment: environmentVariables, files: files, fileSystem: context)
    } catch {
      fail(error.message, status: error.errno == .ENOENT ? 127 : 126)
    }
    console.giveTerminal(to: thread.process)
    stages.mark("program")
    if parameters.boolean(.bootTimes) == true {
      var text = TextBuffer()
      stages.describe(clock, into: &text)
      log(.error) { $0.append(bytes: text.bytes) }
    }
    CPU.setTracing(parameters.boolean(.strace) ?? BuildConfiguration.tracesSystemCalls)
    scheduler.adopt(thread)
    CPU.returnToUser(thread.registers)
  }

  private func report(_ diagnostics: [CommandLineDiagnostic]) {
    var isFatal = false
    for diagnostic in diagnostics {
      let isError: Bool
      switch diagnostic.severity {
      case .error: isError = true
      default: isError = false
      }
      isFatal = isFatal || isError
      log(isError ? .error : .warn) { $0.append(bytes: diagnostic.message) }
    }
    if isFatal { power.powerOff(.exit(status: 125)) }
  }

  /// Answers `help`, and prints the banner where somebody reads it.
  private func greet() {
    if parameters.boolean(.help) == true {
      log.trace { $0.append(bytes: CommandLine.helpText(Self.declarations)) }
      power.powerOff(.exit(status: 0))
    }
    if parameters.boolean(.banner) ?? (parameters.standardOutput != .pipe) {
      log.trace { $0.append("Powered by elfloader") }
    }
  }

  /// Whether an entry of `vfs.fstab` counts.
  private func applies(_ entry: FileSystemTableEntry) -> Bool {
    switch entry.condition {
    case .always: true
    case .ifInitrd: initrd.loaded != nil
    case .ifNoInitrd: initrd.loaded == nil
    }
  }

  /// Mounts what `vfs.fstab` lists. A mount that fails ends the boot: the program would miss its files.
  private func mountTable(_ context: FileSystemContext) {
    for entry in parameters.fileSystemTable where applies(entry) {
      // The root is there already.
      if entry.isRoot { continue }
      do throws(Errno) {
        if entry.makesMountPoint, (try? context.resolve(entry.path)) == nil {
          try context.makeDirectory(entry.path, mode: FileMode(rawValue: 0o755))
        }
        try context.mount(
          source: entry.device, at: entry.path, type: entry.fileSystem,
          MountFlags(rawValue: MountFlags.RawValue(truncatingIfNeeded: entry.flags)), options: entry.options)
      } catch {
        failMount(entry.path, error, context.namespace.environment)
      }
    }
  }

  /// Ends the boot: what `vfs.fstab` says of `place` cannot be.
  private func failMount(_ place: [UInt8], _ error: Errno, _ environment: FileSystemEnvironment) -> Never {
    var text = TextBuffer()
    text.append("vfs.fstab: ")
    text.append(bytes: place)
    text.append(": ")
    if error == .EINVAL, !environment.rejectedOption.isEmpty {
      text.append(bytes: environment.rejectedOption)
      text.append(": ")
    }
    text.append(error.text)
    fail(text.bytes, status: 125)
  }

  /// Seeds the generator from a virtio device where the processor has no random numbers of its own, or one is announced.
  private func startEntropyDevice(_ random: RandomSource, _ devices: VirtioDevices) {
    if CPU.has(.rdrand), parameters.virtioMMIODevices.isEmpty { return }
    for device in devices.of(VirtioDeviceKind.entropy) {
      let entropy = try? VirtioEntropy(device, frames) { bytes in
        for i in 0..<bytes.byteCount { random.mix(UInt64(bytes.byte(at: i))) }
      }
      entropy?.request()
    }
  }

  /// The root: what `vfs.fstab` says; else the initrd or the share, whichever there is or the build prefers; else an empty
  /// file system.
  private func makeRoot(
    _ environment: FileSystemEnvironment, _ devices: VirtioDevices
  ) -> (fileSystem: FileSystem, source: [UInt8], flags: StatfsFlags) {
    for entry in parameters.fileSystemTable where entry.isRoot && entry.isOverlay && applies(entry) {
      return makeOverlayRoot(entry, environment, devices)
    }
    var source = BuildConfiguration.rootDevice
    var flags: StatfsFlags = .ST_RELATIME
    var options: [UInt8] = []
    var isWanted = BuildConfiguration.mountsRoot && (initrd.loaded == nil || BuildConfiguration.prefersShare)
    var usesInitrd = BuildConfiguration.mountsRoot
    for entry in parameters.fileSystemTable where entry.path == [UInt8(ascii: "/")] && applies(entry) {
      usesInitrd = usesInitrd || entry.isInitrd
      isWanted = entry.isShare
      if !isWanted { break }
      source = entry.device
      flags = StatfsFlags(MountFlags(rawValue: MountFlags.RawValue(truncatingIfNeeded: entry.flags)))
      options = entry.options
      if !devices.hasShare(source) {
        fail([UInt8]("vfs.fstab: /: there is no share ") + source, status: 125)
      }
    }
    if isWanted, devices.hasShare(source) {
      do throws(Errno) {
        return (try devices.share(source, environment, options: options), source, flags)
      } catch {
        failMount(source, error, environment)
      }
    }
    let root = usesInitrd ? makeInitrdRoot(environment) : CpioFileSystem(environment)
    return (root, [UInt8]("rootfs"), .ST_RELATIME)
  }

  /// A root that can be written over the initrd or a share, which stays as it is.
  private func makeOverlayRoot(
    _ entry: FileSystemTableEntry, _ environment: FileSystemEnvironment, _ devices: VirtioDevices
  ) -> (fileSystem: FileSystem, source: [UInt8], flags: StatfsFlags) {
    do throws(Errno) {
      let lower: FileSystem
      if entry.device.elementsEqual(FileSystemTableEntry.initrdName.bytes) {
        lower = makeInitrdRoot(environment)
      } else if devices.hasShare(entry.device) {
        lower = try devices.share(entry.device, environment, options: [])
      } else {
        fail([UInt8]("vfs.fstab: /: there is no share ") + entry.device, status: 125)
      }
      let upper = try RamFileSystem.make(environment, options: entry.options)
      let flags = MountFlags(rawValue: MountFlags.RawValue(truncatingIfNeeded: entry.flags))
      return (OverlayFileSystem.make(environment, over: lower.root, upper: upper), entry.device, StatfsFlags(flags))
    } catch {
      failMount(entry.device, error, environment)
    }
  }

  private func overlayType(_ environment: FileSystemEnvironment, _ devices: VirtioDevices) -> FileSystemType {
    OverlayFileSystem.type(
      environment,
      source: { (name) throws(Errno) in
        devices.hasShare(name) ? try devices.share(name, environment, options: []) : nil
      },
      makeUpper: { (options) throws(Errno) in try RamFileSystem.make(environment, options: options) })
  }

  /// The initrd's file system, or an empty one.
  private func makeInitrdRoot(_ environment: FileSystemEnvironment) -> FileSystem {
    let root = CpioFileSystem(environment)
    if let wanted = initrd.wanted {
      let total = information.memory.reduce(UInt(0)) { $0 + $1.end - $1.start }
      log(.error) {
        $0.append("initrd: no room to decompress it: ")
        $0.append(decimal: wanted >> 10)
        $0.append(" KiB wanted, ")
        $0.append(decimal: total >> 10)
        $0.append(" KiB of memory in all")
      }
      power.powerOff(.exit(status: 125))
    }
    guard var archive = initrd.loaded else { return root }
    if let room = initrd.room {
      let (count, fault) = Gzip.inflate(archive, into: room)
      if let fault { fail([UInt8]("initrd: ") + fault.bytes, status: 125) }
      archive = BootInformation.Region(start: room.start, end: room.start + count)
    }
    do {
      try root.load(archive)
    } catch {
      fail([UInt8]("initrd: ") + error.message, status: 125)
    }
    if root.outOfSpace { fail([UInt8]("initrd: too little memory for its directory"), status: 125) }
    return root
  }

  private func mountDefaults(_ context: FileSystemContext, _ environment: FileSystemEnvironment) {
    context.namespace.register(RamFileSystem.type(environment))
    mount([UInt8]("/dev"), context) { () throws(Errno) in DeviceFileSystem(environment) }
    for place in ["/tmp", "/dev/shm"] as [StaticString] {
      mount(place.bytes, context) { () throws(Errno) in RamFileSystem(environment) }
    }
  }

  private func addSystemV(_ setting: IPCSetting, _ ipc: IPCNamespace, _ controls: SystemControls) {
    controls.add(
      setting.path,
      .dynamic(
        get: { ipc.write(setting, into: &$0) }, set: { (bytes) throws(Errno) in try ipc.change(setting, to: bytes) }))
  }

  /// Adds what of /proc/sys/vm decides when changed pages are written, and what gives back pages that were read.
  private func addSettings(_ dirtyPages: DirtyPages, _ controls: SystemControls) {
    func add(_ path: StaticString, _ setting: DirtyPages.Setting) {
      controls.add(
        path,
        .setting(
          get: { dirtyPages[setting] },
          set: { (value) throws(Errno) in try dirtyPages.set(setting, value) }))
    }
    add("vm/dirty_ratio", .ratio)
    add("vm/dirty_bytes", .bytes)
    add("vm/dirty_background_ratio", .backgroundRatio)
    add("vm/dirty_background_bytes", .backgroundBytes)
    add("vm/dirty_expire_centisecs", .expireCentiseconds)
    add("vm/dirty_writeback_centisecs", .writeBackCentiseconds)
    var dropped = 0
    controls.add(
      "vm/drop_caches",
      .setting(
        get: { dropped },
        set: { [frames] (value) throws(Errno) in
          guard 1...4 ~= value else { throw .EINVAL }
          dropped = value
          if value & 1 != 0 { _ = frames.reclaimer?(.max, false) }
        }))
  }

  private func mountPseudoTerminals(
    _ context: FileSystemContext, _ environment: FileSystemEnvironment, _ processes: SessionProcesses
  ) -> PseudoTerminals {
    let terminals = PseudoTerminals(environment, processes: processes)
    terminals.register(in: environment.devices)
    context.namespace.register(terminals.type(environment))
    terminals.mount = mount(
      [UInt8]("/dev/pts"), context, flags: [.ST_RELATIME, .ST_NOSUID, .ST_NOEXEC]
    ) { () throws(Errno) in
      try terminals.makeFileSystem(environment)
    }
    return terminals
  }

  /// Mounts a file system at a directory, which is made if it is missing.
  @discardableResult
  private func mount(
    _ place: [UInt8], _ context: FileSystemContext, flags: StatfsFlags = .ST_RELATIME,
    _ make: () throws(Errno) -> FileSystem
  ) -> Mount? {
    do throws(Errno) {
      let path: Path
      do throws(Errno) {
        path = try context.resolve(place)
      } catch {
        path = try context.makeMountPoint(place)
      }
      let fileSystem = try make()
      let name = fileSystem.typeName.bytes
      // What there is one of: mount(2) shows it at other places too. devtmpfs takes tmpfs's options, the others none.
      if context.namespace.fileSystemType(name) == nil {
        context.namespace.register(
          FileSystemType(name: name) { (context, _, options) throws(Errno) in
            if fileSystem is DeviceFileSystem {
              _ = try RamFileSystem.make(context.namespace.environment, options: options)
            } else if !options.isEmpty {
              throw .EINVAL
            }
            return fileSystem
          })
      }
      return context.namespace.mount(fileSystem, at: path, source: name, flags: flags)
    } catch {
      log(.warn) {
        $0.append("cannot mount ")
        $0.append(bytes: place)
        $0.append(": ")
        $0.append(error.text)
      }
      return nil
    }
  }

  private func randomization(_ random: RandomSource) -> AddressRandomization {
    guard parameters.boolean(.addressRandomization) ?? true else { return .never }
    // "TCGTCGTCGTCG": QEMU's translator.
    let isTranslated = CPU.has(.hypervisor) && CPU.cpuid(0x4000_0000).ebx == 0x5447_4354
    return isTranslated ? .eachBoot(seed: random.next()) : .eachProgram
  }

  private func makeSystem(_ random: RandomSource) -> System {
    do throws(Errno) {
      let zeroFrame = try frames.allocate(.kernel, zeroed: true)
      frames.markReserved(zeroFrame.number, zeroFrame.number + 1)
      let data = try VdsoData(following: clock, frames)
      var vdso = [data.frame]
      for physical in stride(from: Image.vdsoStart, to: Image.vdsoEnd, by: pageSize) {
        vdso.append(PageFrame(physical: physical))
      }
      return System(
        frames: frames, kernelTable: kernelTable, scheduler: scheduler, clock: clock,
        stacks: KernelStacks(kernelTable, frames), log: log, random: random, zeroFrame: zeroFrame, vdso: vdso,
        randomization: randomization(random),
        defaultStackLimit: BuildConfiguration.stackSize)
    } catch {
      fail([UInt8]("boot: no memory for the program"), status: 125)
    }
  }

  /// The program's path: as given, or where `$PATH` has it.
  private func findProgram(_ name: [UInt8], _ environment: [[UInt8]], _ context: FileSystemContext) -> [UInt8] {
    let key = [UInt8]("PATH=")
    if name.contains(UInt8(ascii: "/")) || !BuildConfiguration.searchesPath { return name }
    var search = [UInt8]("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    for variable in environment where variable.starts(with: key) { search = [UInt8](variable[key.count...]) }
    for directory in search.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      let candidate = directory.isEmpty ? name : [UInt8](directory) + [UInt8(ascii: "/")] + name
      if let file = try? context.openExecutable(candidate) {
        try? file.closed()
        return candidate
      }
    }
    return name
  }

  /// Goes to `$PWD`, where the environment has one.
  private func changeToWorkingDirectory(_ environment: [[UInt8]], _ context: FileSystemContext) {
    let key = [UInt8]("PWD=")
    guard let variable = environment.last(where: { $0.starts(with: key) }) else { return }
    let directory = [UInt8](variable[key.count...])
    do throws(Errno) {
      try context.changeDirectory(directory)
    } catch {
      fail([UInt8]("cannot change to $PWD, ") + directory + [UInt8](": ") + error.text.bytes, status: 125)
    }
  }

  private func openConsole(
    _ console: Console, _ files: FileDescriptorTable, _ context: FileSystemContext
  ) {
    do throws(Errno) {
      try console.open(files, context)
    } catch {
      log(.warn) {
        $0.append("cannot open the console: ")
        $0.append(error.text)
      }
    }
    guard let serial else { return }
    do throws(Errno) {
      try controller.connect(line: Serial16550.consoleLine, .edge) { serial.handleInterrupt() }
      serial.enableInput()
    } catch {
      log(.warn, "no interrupt for the console: there is no input")
    }
  }
}
