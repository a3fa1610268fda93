// DevFS: /dev, its device drivers that are only memory or an algorithm, and terminals.
//
// - `DeviceFileSystem`: the tree of nodes, a devtmpfs.
// - `MemoryDevices`: null, zero, full, random and urandom.
// - `Terminal`: the line discipline over a `ConsoleDevice`; `PipeInput` and `ConsoleStream` where the console is a pipe.
// - `PseudoTerminals`: /dev/ptmx, devpts, masters and slaves.
