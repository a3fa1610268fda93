# The rules that make the image from what the libraries registered.

UK_PLAT := $(if $(filter y,$(CONFIG_KVM_VMM_FIRECRACKER)),fc,qemu)
IMAGE := $O/$(or $(call qstrip,$(CONFIG_UK_NAME)),elfloader)_$(UK_PLAT)-x86_64

# A file that tells whether a list changed since the last build. It is compared while make reads its files, so that
# adding and removing a source is seen, and yet nothing runs when all is as it was.
# on_change FILE,LIST is FORCE when they differ; its rule then writes the list.
on_change = $(if $(and $(wildcard $(1)),$(filter x,x$(call differ,$(strip $(file <$(1))),$(strip $(2))))),,FORCE)
differ = $(subst $(1),,$(2))$(subst $(2),,$(1))

# MARK: Objects of C libraries

# The flags of the toolset file, so that they stand in one place.
CFLAGS_FILE := $O/include/cflags.rsp
$(CFLAGS_FILE): $(TOOLSET) | $(PACKAGES_STAMP)
	@mkdir -p $(@D)
	@$(PYTHON3) -I -c 'import json, sys; \
	  print(" ".join(json.load(open(sys.argv[1]))["cCompiler"]["extraCLIOptions"]))' $< >$@

objects_of = $(patsubst $($(2)_BASE)/%,$O/$(1)/%.o,$(filter-out $O/%,$($(2)_SRCS-y))) \
  $(patsubst %,%.o,$(filter $O/%,$($(2)_SRCS-y)))

define compile_library
$(2)_OBJS := $$(call objects_of,$(1),$(2))
$$($(2)_OBJS): $(BUILD_FILES) $(CONFIG_H) $(CFLAGS_FILE) $$($(2)_DEPS-y) | $(PACKAGES_STAMP)
$$($(2)_OBJS): UK_FLAGS = $$(CFLAGS-y) $$($(2)_CFLAGS-y) $$(CINCLUDES-y) $$($(2)_CINCLUDES-y)
$$(filter $O/$(1)/%,$$($(2)_OBJS)): $O/$(1)/%.o: $$($(2)_BASE)/%
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) --target=$(KERNEL_TRIPLE) @$(CFLAGS_FILE) $$(UK_FLAGS) -MMD -MP -MF $$@.d -c $$< -o $$@
-include $$($(2)_OBJS:=.d)
UK_OBJS += $$($(2)_OBJS)
endef
C_LIBS := $(foreach l,$(UK_LIBS),$(if $($(call uc,$l)_MODULE),,$l))
$(foreach l,$(C_LIBS),$(eval $(call compile_library,$l,$(call uc,$l))))
UK_ALIBS := $(foreach l,$(UK_LIBS),$($(call uc,$l)_ALIBS-y))

# MARK: SwiftPM

# SwiftPM compiles the Swift modules and CShims in one go and knows what changed in them; make only knows when to ask.
# They arrive as LLVM bitcode: the linker optimises them as one program.
MODULE_LIBS := $(foreach l,$(UK_LIBS),$(if $($(call uc,$l)_MODULE),$l))
MODULE_SRCS := $(foreach l,$(MODULE_LIBS),$($(call uc,$l)_SRCS-y))
SWIFT_LIBRARY := $O/libelfloader.a
SWIFT_SCRATCH := $O/swift
SWIFT_COMMAND = ELFLOADER_KERNEL=1 ELFLOADER_LWIP=$(or $(CONFIG_LIBLWIP),n) $(SWIFT) build --configuration release --triple $(KERNEL_TRIPLE) \
  --toolset $(TOOLSET) --scratch-path $(SWIFT_SCRATCH) --product elfloader \
  --experimental-lto-mode full --explicit-target-dependency-import-check error $(if $(Q),--quiet) $(SWIFTFLAGS-y)

MODULE_LIST := $O/modules.list
$(MODULE_LIST): $(call on_change,$(MODULE_LIST),$(MODULE_SRCS))
	@mkdir -p $(@D)
	$(file >$@,$(MODULE_SRCS))

$(SWIFT_LIBRARY): $(MODULE_LIST) $(MODULE_SRCS) Package.swift $(TOOLSET) $(BUILD_FILES) $(UK_CONFIG) | $(PACKAGES_STAMP)
	$(call say,SWIFTC,$@)
	@# SwiftPM adds to an archive that is there: what a removed source left would stay in it.
	@rm -f $(SWIFT_SCRATCH)/$(KERNEL_TRIPLE)/release/libelfloader.a
	$(Q)$(SWIFT_COMMAND) $(if $(Q),>$@.log 2>&1 || { cat $@.log >&2; exit 1; })
	@cp $(SWIFT_SCRATCH)/$(KERNEL_TRIPLE)/release/libelfloader.a $@

# MARK: The image

# What the linker makes of the bitcode; the checks read it.
KERNEL_OBJECT := $O/libelfloader.o
LINK_LIST := $O/link.list
LINK_INPUTS := $(SWIFT_LIBRARY) $(UK_OBJS) $(UK_ALIBS)
$(LINK_LIST): $(call on_change,$(LINK_LIST),$(LINK_INPUTS))
	@mkdir -p $(@D)
	$(file >$@,$(LINK_INPUTS))

$(IMAGE).dbg: $(LINK_INPUTS) $(LINK_LIST) $(LINKER_SCRIPT) $(BUILD_FILES) | $(PACKAGES_STAMP)
	$(call say,LD,$@)
	$(Q)$(LLD) -T $(LINKER_SCRIPT) --gc-sections $(LDFLAGS-y) --lto-obj-path=$(KERNEL_OBJECT) -o $@ $(LINK_INPUTS)

$(IMAGE): $(IMAGE).dbg
	$(call say,SCSTRIP,$@)
	$(Q)$(STRIP) --strip-all -o $@ $<

$(IMAGE).gz: $(IMAGE)
	$(call say,GZ,$@)
	$(Q)$(GZIP) -9 --no-name --stdout $< >$@
