// VFSCore: files as Linux has them, whatever file system they come from.
//
// - `FileSystem`, `Inode`, `Dentry`: what a file system is made of. RamFS, CpioFS, DevFS, ProcFS and NinePFS subclass
//   them; `MemoryFileSystem` is the tree in memory that most of those share.
// - `PageCache`: a file's bytes in page frames, for read, write and mmap alike.
// - `Mount`, `Namespace`, `Path`, `FileSystemContext`: the tree of mounts, and one process's view of it. The operations
//   behind the system calls that take paths are methods of `FileSystemContext`.
// - `OpenFile`, `FileDescriptorTable`: open file descriptions and the numbers that programs know them by. The operations
//   behind the system calls that take descriptors are methods of `OpenFile` and `Inode`.
//
// Paths and names are bytes. Neighbours: Kernel (frames, user memory, wait queues) below; Mmap, Process, Polling and
// Sockets beside; Syscalls above.
