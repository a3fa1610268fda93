# Configuration: Config.uk is read by Kconfiglib (Debian's python3-kconfiglib), `.config` holds the choices. The rest of
# the build sees them as make variables (CONFIG_…) and as $(CONFIG_H).

PYTHON3 ?= /usr/bin/python3
# Another file, as in Unikraft: make C=FILE.
UK_CONFIG := $(or $(C),.config)
UK_DEFCONFIGS := unikraft-glue/defconfigs
DEFAULT_TARGET := elfloader-qemu-x86_64-initrd
# A file, or the name of a target in $(UK_DEFCONFIGS).
UK_DEFCONFIG ?= $(DEFAULT_TARGET)
UK_DEFCONFIG_FILE = $(firstword $(wildcard $(UK_DEFCONFIG) $(UK_DEFCONFIGS)/$(UK_DEFCONFIG)) $(UK_DEFCONFIG))

CONFIG_H := $O/include/config.h
KCONFIG_FILES := Config.uk $(wildcard unikraft-glue/*/Config.uk)

# Kconfiglib's tools are modules; -I keeps the current folder out of their path.
kconfig_tool = KCONFIG_CONFIG=$(UK_CONFIG) $(PYTHON3) -I -m $(1)

.PHONY: menuconfig defconfig olddefconfig savedefconfig
# Goals that Unikraft's tools call. Nothing is fetched or prepared ahead of the build.
.PHONY: syncconfig configure fetch prepare
syncconfig configure: olddefconfig
fetch prepare:
	@:

menuconfig: | $(PACKAGES_STAMP)
	@$(call kconfig_tool,menuconfig) Config.uk

defconfig: | $(PACKAGES_STAMP)
	@test -f '$(UK_DEFCONFIG_FILE)' || { \
	  echo "No such configuration: $(UK_DEFCONFIG). Known targets:" >&2; ls $(UK_DEFCONFIGS) >&2; exit 1; }
	@$(call kconfig_tool,defconfig) --kconfig Config.uk '$(UK_DEFCONFIG_FILE)'

olddefconfig: | $(PACKAGES_STAMP)
	@$(call kconfig_tool,olddefconfig) Config.uk

# Writes the least file that gives this .config again.
savedefconfig: | $(PACKAGES_STAMP)
	@$(call kconfig_tool,savedefconfig) --kconfig Config.uk --out defconfig

# The first build configures the default target; a changed Config.uk fills in its new options. Kconfiglib leaves a file
# alone whose text would not change, hence the touch.
$(UK_CONFIG): $(KCONFIG_FILES) | $(PACKAGES_STAMP)
	@if test -f $@; then $(call kconfig_tool,olddefconfig) Config.uk >/dev/null; \
	else $(call kconfig_tool,defconfig) --kconfig Config.uk $(UK_DEFCONFIGS)/$(DEFAULT_TARGET) >/dev/null; fi
	@touch $@

$(CONFIG_H): $(UK_CONFIG)
	@mkdir -p $(@D)
	@$(call kconfig_tool,genconfig) --header-path $@ Config.uk
	@touch $@

# Only targets that build need the choices; make reads the file again after it has made it.
GOALS_WITHOUT_CONFIG := clean properclean distclean help install scripts format \
  menuconfig defconfig olddefconfig savedefconfig syncconfig configure fetch prepare
ifneq ($(filter-out $(GOALS_WITHOUT_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(UK_CONFIG)
else
-include $(wildcard $(UK_CONFIG))
endif

# The value of a string option without its quotes.
qstrip = $(patsubst "%",%,$(1))
