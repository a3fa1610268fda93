// The values of struct cshims_config, from .config.
#include "cshims_config.h"

#include "config.h"

const struct cshims_config cshims_config = {
#ifdef CONFIG_LIBSYSCALL_SHIM_STRACE
  .strace = true,
#endif
#if defined(CONFIG_LIBUKDEBUG_PRINTD)
  .log_level = 3,
#elif defined(CONFIG_LIBUKDEBUG_PRINTK_INFO)
  .log_level = 2,
#elif defined(CONFIG_LIBUKDEBUG_PRINTK_WARN)
  .log_level = 1,
#endif
#ifdef CONFIG_APPELFLOADER_VFSEXEC_ENVPATH
  .search_path = true,
#endif
#ifdef CONFIG_APPELFLOADER_VFSEXEC_ENVPWD
  .change_to_pwd = true,
#endif
#ifdef CONFIG_LIBVFSCORE_AUTOMOUNT_ROOTFS
  .mount_root = true,
#ifdef CONFIG_LIBVFSCORE_ROOTFS_9PFS
  .prefer_share = true,
#endif
#endif
  .stack_size = (uint64_t)CONFIG_APPELFLOADER_STACK_NBPAGES << 12,
};

#ifdef CONFIG_APPELFLOADER_CUSTOMAPPNAME
const char *const cshims_config_program = 0;
#else
const char *const cshims_config_program = CONFIG_APPELFLOADER_VFSEXEC_PATH;
#endif

#ifdef CONFIG_LIBVFSCORE_AUTOMOUNT_ROOTFS
const char *const cshims_config_root_device = CONFIG_LIBVFSCORE_ROOTDEV;
#else
const char *const cshims_config_root_device = 0;
#endif
