# What is done with the image: run, test, check, bench. Each installs the packages that are missing first.

export O IMAGE SWIFT PYTHON3

# MARK: run

# This machine's own ls, with its interpreter and libraries.
LS_INITRD := $O/ls.cpio
$(LS_INITRD): /bin/ls support/mkinitrd | $(PACKAGES_STAMP)
	$(call say,CPIO,$@)
	$(Q)support/mkinitrd -o $@ -p /bin/ls

# -W: under TCG, which every machine has; a KVM inside another may stop a guest with an internal error.
.PHONY: run
run: $(IMAGE) $(IMAGE).gz $(LS_INITRD)
	$(Q)support/qemu-guest -W -k $(IMAGE) -i $(LS_INITRD) -m 64 -a "/bin/ls -l /"

# MARK: test, check, bench

# Each step is support/checks/STEP.sh and can be run alone: `make check STEPS="format size"`.
LONG_STEPS := guest-long
TEST_STEPS := host-tests vdso fuzz guest-tests
CHECK_STEPS := format unsafe imports configurations host-tests bench vdso symbols no-fp size boot

.PHONY: test test-long check bench format
test: all
	@support/checks/run $(or $(STEPS),$(TEST_STEPS))

test-long: all
	@support/checks/run $(or $(STEPS),$(LONG_STEPS))

check: all
	@support/checks/run $(or $(STEPS),$(CHECK_STEPS))

bench: all
	$(Q)$(PYTHON3) -B -I support/bench $(BENCH)

format:
	@git ls-files -z --cached --others --exclude-standard '*.swift' | xargs -0 $(SWIFT) format --in-place --parallel

# MARK: scripts

.PHONY: scripts
scripts:
	@unikraft-glue/scripts.sh $O
