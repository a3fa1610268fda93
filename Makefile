# The entry point of the build. What is compiled stands in Makefile.uk, what can be chosen in Config.uk, and how it is
# done in unikraft-glue/*.mk. `make help` lists the targets.

# Where everything that is made goes.
O ?= build
# 1 prints whole commands.
V ?= 0

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: all
all:

include unikraft-glue/packages.mk
include unikraft-glue/kconfig.mk
include unikraft-glue/build.mk
include Makefile.uk
include unikraft-glue/image.mk
include unikraft-glue/workflows.mk

all: $(IMAGE) $(IMAGE).gz

.PHONY: clean properclean distclean help
clean:
	rm -rf $(addprefix $O/,$(UK_ALL_LIBS) swift host include tests fuzz differential) $O/*.a $O/elfloader_* \
	  $(IMAGE) $(IMAGE).*

properclean:
	rm -rf $O

distclean: properclean
	rm -rf .config .config.old run .build-tools

help:
	@cat unikraft-glue/help.txt
