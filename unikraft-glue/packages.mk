# The Debian packages that the project needs, in one place. `make install` installs what is missing of them; so do the
# targets that run something. A plain `make` only says what is missing.

# To compile and link the image.
PACKAGES := binutils libelf-dev zlib1g-dev python3-kconfiglib dpkg-dev
# To boot it and to pack an initrd for it.
PACKAGES += qemu-system-x86 cpio
# To compile the test programs.
PACKAGES += gcc g++ libc6-dev musl-tools
# A 9P server for the host tests of the client.
PACKAGES += diod

PACKAGES_STAMP := $O/.packages
INSTALLING := $(filter install run test test-long check bench,$(MAKECMDGOALS))

# Order-only everywhere: a new stamp must not rebuild anything.
$(PACKAGES_STAMP): unikraft-glue/packages.mk $(if $(INSTALLING),FORCE)
	@mkdir -p $(@D)
	@unikraft-glue/packages.sh $(if $(INSTALLING),install,check) $(PACKAGES)
	@touch $@

.PHONY: FORCE install
FORCE:
install: $(PACKAGES_STAMP)
