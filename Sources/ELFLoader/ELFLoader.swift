// ELFLoader: what execve(2) has to know before it maps anything.
//
// - ``ELFFileHeader`` reads the first bytes of a file through libelf.
// - ``LoadPlan`` turns the program headers into mappings, and refuses what cannot be loaded (``ELFError``).
// - ``ScriptLine`` reads the `#!` line of a script.
// - ``InitialStack`` lays out arguments, environment and auxiliary vector.
//
// All of it is pure: bytes and numbers in, bytes and numbers out. Process reads the files, and Mmap does the mapping.
//
//     let header = try ELFFileHeader(parsing: firstPage, fileSize: size)
//     let table = read(header.programHeaderTable)
//     let plan = try LoadPlan(header, programHeaders: table)
//     if let range = plan.interpreter { path = try LoadPlan.interpreterPath(in: read(range)) }
