// The few Linux calls that the host tools need and that Swift cannot make: variadic functions, macros over bit sets,
// and the code between fork and exec, where only async-signal-safe calls are allowed.
#ifndef CHOSTSHIMS_H
#define CHOSTSHIMS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A descriptor of the caller and the number under which the child sees it.
struct chost_descriptor {
  int source;
  int target;
};

enum chost_group {
  /// The child stays in the caller's process group, so it may read the terminal.
  CHOST_GROUP_SAME = 0,
  /// The child gets a process group of its own: the terminal's signals do not reach it.
  CHOST_GROUP_NEW = 1,
  /// The child gets a session of its own and outlives the terminal.
  CHOST_GROUP_SESSION = 2,
};

/// Starts the program `path` with the null-terminated `argv` and the caller's environment.
///
/// The child has an empty signal mask, the default action for SIGPIPE, and the `count` descriptors named by
/// `descriptors` beside those without FD_CLOEXEC. It receives `death_signal` (0: none) when the caller dies.
/// Returns the child's process id, or -errno, also when it is `execv` that fails.
pid_t chost_spawn(const char *path, char *const argv[], const struct chost_descriptor *descriptors, size_t count,
                  enum chost_group group, int death_signal);

/// Blocks the `count` signals and returns a close-on-exec descriptor that reads them (signalfd(2)), or -errno.
int chost_signal_descriptor(const int *signals, size_t count);

/// Returns the number of the next signal that is waiting in `descriptor`, 0 when there is none, or -errno.
int chost_next_signal(int descriptor);

/// Returns the name of a signal without `SIG` (sigabbrev_np(3)), or NULL.
const char *chost_signal_name(int number);

/// Ends the process by signal `number` with its default action; returns only if that action is not fatal.
void chost_die_by_signal(int number);

/// Returns a descriptor that polls as readable when the child `pid` has ended (pidfd_open(2)), or -errno.
int chost_pidfd_open(pid_t pid);

/// Returns a close-on-exec descriptor of a nameless file in memory (memfd_create(2)), or -errno.
int chost_memory_file(const char *name);

/// Returns 1 when /dev/kvm can create a virtual machine.
int chost_kvm_usable(void);

/// Lets thread `tid` run on processor `cpu` only. Returns 0 or -errno.
int chost_pin_thread(pid_t tid, int cpu);

/// Demangles a Swift symbol; the result is malloc'ed, or NULL when `name` is no Swift symbol. Part of the Swift
/// runtime (swift/Demangling/Demangle.h), which declares it in no header that a program could include.
char *swift_demangle(const char *name, size_t length, char *output, size_t *output_size, uint32_t flags);

#endif
