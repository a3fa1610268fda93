// What .config chose. unikraft-glue/config/config.c holds the values, so that a changed choice costs one C file and a
// link, and the Swift code needs no conditional compilation.
#ifndef CSHIMS_CONFIG_H
#define CSHIMS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct cshims_config {
  // LIBSYSCALL_SHIM_STRACE: trace system calls unless the kernel command line says otherwise.
  bool strace;
  // LIBUKDEBUG_PRINTK_*, LIBUKDEBUG_PRINTD: the least grave message that is printed: 0 error, 1 warning, 2 information,
  // 3 debugging.
  uint8_t log_level;
  // APPELFLOADER_VFSEXEC_ENVPATH: look for a program without a slash in its name in $PATH.
  bool search_path;
  // APPELFLOADER_VFSEXEC_ENVPWD: start the program in $PWD.
  bool change_to_pwd;
  // LIBVFSCORE_AUTOMOUNT_ROOTFS: have a root without an entry of vfs.fstab for it.
  bool mount_root;
  // LIBVFSCORE_ROOTFS_9PFS: prefer a share to the initrd where there are both.
  bool prefer_share;
  // APPELFLOADER_STACK_NBPAGES: the soft limit of the program's stack, in bytes.
  uint64_t stack_size;
};

extern const struct cshims_config cshims_config;
// By value and through a function: Swift treats an imported global as mutable state.
static inline struct cshims_config cshims_get_config(void) { return cshims_config; }

// APPELFLOADER_VFSEXEC_PATH: the program, or a null pointer when the command line names it (APPELFLOADER_CUSTOMAPPNAME).
extern const char *const cshims_config_program;
static inline const char *cshims_get_config_program(void) { return cshims_config_program; }

// LIBVFSCORE_ROOTDEV: the tag of the share that is the root.
extern const char *const cshims_config_root_device;
static inline const char *cshims_get_config_root_device(void) { return cshims_config_root_device; }

#endif
