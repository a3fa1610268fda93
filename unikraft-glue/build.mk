# The build mechanism behind Makefile.uk: libraries register themselves and their sources as in Unikraft.
#
#   $(eval $(call addlib,libx))                  registers a library, here and now
#   $(eval $(call addlib_s,libx,$(CONFIG_LIBX))) registers it if the option is y
#   LIBX_SRCS-y += $(LIBX_BASE)/a.c              .c and .S are compiled here and linked into the image
#   LIBX_MODULE := X                             instead: the library is a SwiftPM target, and SwiftPM compiles it
#   LIBX_CFLAGS-y, LIBX_CINCLUDES-y, LIBX_DEPS-y flags, include options and prerequisites of its objects
#   LIBX_ALIBS-y += /usr/lib/…/libx.a            archives to link
#
# LIBX_BASE is the folder of the Makefile.uk that registers, LIBX_BUILD the library's folder under $O.

# MARK: Printing

comma := ,
Q := $(if $(filter 1,$(V)),,@)
# say LABEL,PATH prints one step; with V=1 make itself prints the command.
say = $(if $(Q),@printf '  %-7s %s\n' '$(1)' '$(patsubst $O/%,%,$(2))',@:)

# MARK: Tools

# The C compiler and the linker that came with Swift: they are of the LLVM that Swift's objects are made with.
SWIFT ?= swift
SWIFT_BIN := $(dir $(realpath $(shell command -v $(SWIFT))))
CLANG ?= $(or $(wildcard $(SWIFT_BIN)clang),clang)
LLD ?= $(or $(wildcard $(SWIFT_BIN)ld.lld),ld.lld)
STRIP ?= strip
GZIP ?= gzip

KERNEL_TRIPLE := x86_64-unknown-none-elf
TOOLSET := unikraft-glue/toolset.json

# What every object depends on besides its own sources.
BUILD_FILES := Makefile Makefile.uk $(wildcard unikraft-glue/*.mk unikraft-glue/*/Makefile.uk)

# MARK: Registration

UK_LIBS :=
UK_ALL_LIBS :=

uppercase_letters := a:A b:B c:C d:D e:E f:F g:G h:H i:I j:J k:K l:L m:M n:N o:O p:P q:Q r:R s:S t:T u:U v:V w:W x:X y:Y z:Z -:_
substitute = $(if $(1),$(call substitute,$(wordlist 2,99,$(1)),$(subst $(word 1,$(subst :, ,$(word 1,$(1)))),$(word 2,$(subst :, ,$(word 1,$(1)))),$(2))),$(2))
# libx-y → LIBX_Y
uc = $(call substitute,$(uppercase_letters),$(1))

base_of_makefile = $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

define register_library
UK_ALL_LIBS += $(1)
$(if $(filter y,$(3)),UK_LIBS += $(1))
$(2)_BASE := $(call base_of_makefile)
$(2)_BUILD := $O/$(1)
endef
addlib = $(call register_library,$(1),$(call uc,$(1)),y)
addlib_s = $(call register_library,$(1),$(call uc,$(1)),$(2))

# All files of a folder and the folders below with one of the given endings: sources DIR,c S h
sources = $(sort $(shell find $(1) -type f \( -false $(foreach e,$(2),-o -name '*.$(e)') \) 2>/dev/null))

# A static library of the system: system_archive libelf.a
SYSTEM_LIBRARY_FOLDERS ?= /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib
system_archive = $(firstword $(wildcard $(addsuffix /$(1),$(SYSTEM_LIBRARY_FOLDERS))) \
  $(firstword $(SYSTEM_LIBRARY_FOLDERS))/$(1))
# It may come with the packages.
/usr/lib/%.a: | $(PACKAGES_STAMP) ;
